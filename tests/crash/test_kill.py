"""`kill -9` of the server at random moments of pushes, releases, pulls and recalls.

The clients go on as users would: they repeat what was not answered. Afterwards nothing acknowledged is
lost, nothing is there twice, no byte left without an entry, no release is unfinished, and the ledger
verifies.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import create_engine

from gateway import settings
from gateway.client import audit, pull, push
from gateway.client.session import Session
from gateway.client.trust import refresh_directory
from gateway.exchange.acts import Basis, MakePackage, Product, Propose, Release, ReleaseItem
from gateway.exchange.parse import build
from gateway.exchange.receipts import Rung
from gateway.kernel.errors import UnavailableError
from gateway.kernel.ids import new_id
from tests.world import (
    Process,
    World,
    build_world,
    database,
    recall,
    run_cli,
    serving,
    session,
    source,
)

T = TypeVar("T")
PROMISED = ("item", "package", "share", "released", "pulled", "accepted", "recalled")


@dataclass
class Told:
    """What the gateway acknowledged, and the files that were pulled."""

    acknowledged: dict[str, set[str]] = field(default_factory=lambda: {k: set() for k in PROMISED})
    pulled: int = 0
    lives: int = 0


async def insist(work: Callable[[], Awaitable[T]]) -> T:
    """Do *work*, and again as long as the gateway is away: what a user would do."""
    for _ in range(15):
        try:
            return await work()
        except UnavailableError:
            await asyncio.sleep(0.05)
    raise AssertionError("the gateway did not come back")


async def live(world: World, told: Told, draw: random.Random, files: Path) -> None:
    """One share's life, from the file to the recall."""
    path = files / f"{told.lives}.bin"
    path.write_bytes(draw.randbytes(draw.choice((0, 10, 70_000, 300_000))))
    async with (
        session(world, "releaser") as staff,
        session(world, "xa") as endpoint,
        session(world, "xa-officer") as officer,
    ):
        share = await send(staff, told, path)
        out = files / "out"
        done = await insist(lambda: pull.pull(endpoint, share, out, lambda _: None))
        assert (done.folder / path.name).read_bytes() == path.read_bytes()
        told.acknowledged["pulled"].add(share)
        await insist(lambda: pull.acknowledge(officer, share, done.manifest, Rung.ACCEPTED))
        told.acknowledged["accepted"].add(share)
        if draw.random() < 0.3:
            await insist(lambda: recall(staff, share))
            told.acknowledged["recalled"].add(share)
    told.lives += 1


async def send(staff: Session, told: Told, path: Path) -> str:
    """Deposit, package, propose, release; each act is made once and repeated until answered."""
    record = await insist(lambda: push.deposit(staff, source(path), lambda _: None))
    told.acknowledged["item"].add(record.item)
    basis = Basis("proactive", "criminal", "case-1", rationale="a reason")
    package = MakePackage(new_id("pkg"), Product.EVIDENCE, basis, (record.item,))
    await insist(lambda: staff.act("/v1/packages", package))
    told.acknowledged["package"].add(package.id)
    directory = await insist(lambda: refresh_directory(staff))
    act = Propose(new_id("shr"), package.id, directory.party("xa-prosecutor").id)
    made = await insist(lambda: staff.act("/v1/shares", act))
    told.acknowledged["share"].add(act.share)
    items: Any = made["items"]
    order = Release(act.share, act.recipient, build(items, tuple[ReleaseItem, ...]))
    await insist(lambda: staff.act(f"/v1/shares/{act.share}/release", order))
    told.acknowledged["released"].add(act.share)
    return act.share


async def torment(server: Process, draw: random.Random, kills: int) -> None:
    """Kill the server *kills* times at random moments, and start it again.

    On a machine where a start takes long its life does too, or nothing would ever be done in it.
    """
    took = 1.0
    for _ in range(kills):
        await asyncio.sleep(draw.expovariate(4) * max(took, 1.0))
        server.kill()
        begun = time.monotonic()
        await asyncio.to_thread(server.start)
        took = time.monotonic() - begun


async def campaign(world: World, server: Process, seed: int, kills: int, files: Path) -> Told:
    draw, told = random.Random(seed), Told()
    killer = asyncio.create_task(torment(server, random.Random(seed + 1), kills))
    while not killer.done():
        await live(world, told, draw, files)
    await killer
    return told


def counts(world: World, sql: str) -> Counter[str]:
    """Count the rows of a query on the database, by their first column."""
    engine = create_engine(settings.database_url(world.config, world.instance))
    try:
        with engine.connect() as conn:
            return Counter(str(row[0]) for row in conn.exec_driver_sql(sql))
    finally:
        engine.dispose()


async def reconcile(world: World, told: Told) -> list[dict[str, Any]]:
    """Check tables, ledger and what was acknowledged against one another."""
    async with session(world, "auditor") as auditor:
        held = await audit.verify(auditor)
        entries = await audit.entries(auditor, 0)
    assert held["openings"] == held["size"]
    kinds = Counter(entry["kind"] for entry in entries)
    items = counts(world, "SELECT id FROM items")
    assert set(items) == told.acknowledged["item"]
    assert kinds["item.deposited"] == len(items)
    assert set(counts(world, "SELECT id FROM packages")) == told.acknowledged["package"]
    assert kinds["package.made"] == len(told.acknowledged["package"])
    check_shares(world, told, kinds)
    check_bytes(world, told, entries, kinds)
    return entries


def check_shares(world: World, told: Told, kinds: Counter[str]) -> None:
    states = counts(world, "SELECT state FROM shares")
    recalled = len(told.acknowledged["recalled"])
    assert states == +Counter(
        {"accepted": len(told.acknowledged["share"]) - recalled, "recalled": recalled}
    )
    shares = len(told.acknowledged["share"])
    for kind in ("share.proposed", "share.released", "share.prepared", "share.available"):
        assert kinds[kind] == shares, kind
    assert kinds["share.recalled"] == recalled
    assert kinds["receipt"] == 3 * shares
    assert sum(counts(world, "SELECT id FROM receipts").values()) == 3 * shares
    assert sum(counts(world, "SELECT id FROM messages").values()) == shares + recalled


def check_bytes(
    world: World, told: Told, entries: list[dict[str, Any]], kinds: Counter[str]
) -> None:
    """Every range sent was authorised before, and every one that began has ended."""
    servings = counts(world, "SELECT state FROM servings")
    assert set(servings) <= {"finished", "interrupted"}
    assert kinds["range.authorised"] == sum(servings.values())
    assert kinds["range.finished"] == servings["finished"]
    assert kinds["range.interrupted"] == servings["interrupted"]
    authorised = {e["subject"] for e in entries if e["kind"] == "range.authorised"}
    assert told.acknowledged["pulled"] <= authorised


def run(tmp_path: Path, kind: str, seed: int, kills: int) -> Told:
    files = tmp_path / "files"
    files.mkdir()
    with database(kind) as url:
        world = build_world(tmp_path, ("xa",), database=url)
        with serving(world) as server:
            told = asyncio.run(campaign(world, server, seed, kills, files))
            server.kill()
            server.start()
            entries = asyncio.run(reconcile(world, told))
    print(f"{kind}: {kills} kills, {told.lives} shares, {len(entries)} entries, seed {seed}")
    return told


def test_eight_kills_lose_nothing_and_duplicate_nothing(tmp_path: Path) -> None:
    told = run(tmp_path, "sqlite", seed=random.SystemRandom().randrange(10**6), kills=8)
    assert told.lives >= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_hundred_kills_lose_nothing_and_duplicate_nothing(
    tmp_path: Path, kind: str, seed: int
) -> None:
    told = run(tmp_path, kind, seed, kills=100)
    assert told.lives >= 3  # how many there are, is for the machine to say


def test_a_second_server_is_refused_while_one_runs(tmp_path: Path) -> None:
    world = build_world(tmp_path, ("xa",))
    with serving(world):
        done = run_cli("serve", "--instance", str(world.instance), check=False)
    assert done.returncode == 9
    assert "another gateway server already runs" in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_four_hundred_more_kills_lose_nothing_and_duplicate_nothing(
    tmp_path: Path, kind: str
) -> None:
    told = run(tmp_path, kind, seed=random.SystemRandom().randrange(10**6), kills=400)
    assert told.lives >= 20
