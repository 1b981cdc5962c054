"""PostgreSQL crashes under a gateway that runs on: it waits, comes back, and has lost nothing.

The clients go on as users would. The tokens that reads had spent are gone with a crash, so the gateway
refuses older ones for a while; so that the campaign gets anything done, it waits a second there, as
all clocks are one.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.crash.test_kill import Told, live, reconcile
from tests.postgres import Cluster, cluster
from tests.world import Process, World, build_world

_WORKERS = 3  # who push, release, pull and recall at once
_IMPATIENT = (
    "-c",
    "from gateway.store import replay; replay.LEEWAY = 1; from gateway.__main__ import main; main()",
)


@contextmanager
def serving(world: World, log: Path) -> Iterator[Process]:
    with log.open("wb") as stderr:
        process = Process(world, stderr.fileno(), program=_IMPATIENT)
        process.start()
        try:
            yield process
        finally:
            process.stop()


async def torment(server: Cluster, draw: random.Random, crashes: int) -> None:
    """Crash the database *crashes* times at random moments, one way or the other, and start it again."""
    for n in range(crashes):
        await asyncio.sleep(2 + draw.expovariate(1))
        await asyncio.to_thread(server.kill if n % 2 else lambda: server.stop("immediate"))
        await asyncio.sleep(draw.random())
        await asyncio.to_thread(server.start)


async def campaign(
    world: World, server: Cluster, seed: int, crashes: int, root: Path
) -> list[Told]:
    killer = asyncio.create_task(torment(server, random.Random(seed), crashes))

    async def work(n: int) -> Told:
        draw, told, files = random.Random(seed + n + 1), Told(), root / f"files-{n}"
        files.mkdir()
        while not killer.done():
            await live(world, told, draw, files)
        return told

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work(n)) for n in range(_WORKERS)]
    await killer
    return [worker.result() for worker in workers]


def together(told: list[Told]) -> Told:
    """Return what several users were told, as if they were one."""
    whole = Told(lives=sum(one.lives for one in told))
    for one in told:
        for kind, ids in one.acknowledged.items():
            whole.acknowledged[kind] |= ids
    return whole


def made(server: Cluster, root: Path) -> World:
    """Make a world on a database of its own in a private cluster."""
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.exec_driver_sql("CREATE DATABASE gateway")
    engine.dispose()
    return build_world(root, ("xa",), database=server.url(database="gateway"))


@pytest.mark.slow
def test_ten_crashes_of_the_database_lose_nothing_and_duplicate_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    with cluster() as server:
        world = made(server, tmp_path)
        with serving(world, tmp_path / "log") as process:
            first = process.pid
            told = together(asyncio.run(campaign(world, server, seed, 10, tmp_path)))
            assert process.pid == first and process.popen is not None
            assert process.popen.poll() is None, "the gateway did not outlive its database"
            process.stop()
            process.start()
            entries = asyncio.run(reconcile(world, told))
        recoveries = server.log().count("was not properly shut down")
    assert recoveries == 10
    assert told.lives >= _WORKERS
    print(f"10 crashes, {told.lives} shares, {len(entries)} entries")
