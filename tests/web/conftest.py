"""A world with shares in it, made once; every test attacks a copy of its own."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.exchange.parties import Role
from gateway.web import connections
from tests.faults.scenario import Template
from tests.web.harness import Caller, caller
from tests.world import (
    Running,
    World,
    build_world,
    database,
    package_of,
    propose,
    release,
    running,
    session,
    source,
)

BIG = random.Random(1).randbytes((2 << 20) + 777)
SMALL = b"Who gave the order?\n" * 50
ALONE = b"Another statement.\n" * 60


@dataclass(frozen=True)
class Shares:
    """*ours* and *theirs* are of one package (BIG, SMALL) to `xa` and `xb`; *alone* (ALONE) to `xa`;
    *waiting* is proposed to `xa` and not released.
    """

    package: str
    ours: str
    theirs: str
    alone: str
    waiting: str
    items: tuple[str, str]


@dataclass
class Scene:
    """A running gateway with shares, and everyone who may call it."""

    live: Running
    shares: Shares

    @property
    def world(self) -> World:
        return self.live.world

    @property
    def port(self) -> int:
        return self.world.config.port

    def be(self, who: str) -> Caller:
        """Become *who*, by the gateway's clock."""
        return replace(caller(self.world, who), now=self.live.now)


async def range_ends(scene: Scene) -> list[str]:
    """Return how the ranges that were served ended, once they have."""
    async with asyncio.timeout(10):
        while True:
            with scene.live.gateway.engine.connect() as conn:
                rows = conn.exec_driver_sql("SELECT state FROM servings ORDER BY at").fetchall()
            if all(row[0] != "open" for row in rows):
                return [str(row[0]) for row in rows]
            await asyncio.sleep(0.01)


async def _share(world: World) -> Shares:
    async with running(world), session(world, "releaser") as staff:
        files = []
        for name, data in (("big.bin", BIG), ("small.txt", SMALL), ("alone.txt", ALONE)):
            path = world.root / name
            path.write_bytes(data)
            files.append(source(path))
        package, records = await package_of(staff, files[:2])
        single, _ = await package_of(staff, files[2:])
        made = [str((await propose(staff, package, code))["share"]) for code in ("xa", "xb", "xa")]
        alone = str((await propose(staff, single, "xa"))["share"])
        for share in (*made[:2], alone):
            assert (await release(staff, share))["state"] == "available"
    items = (records[0].item, records[1].item)
    return Shares(package, made[0], made[1], alone, made[2], items)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Shares]:
    return _template(tmp_path_factory.mktemp("web"), None)


@pytest.fixture(scope="session")
def postgres_template(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[World, Shares]]:
    with database("postgresql") as url:
        yield _template(tmp_path_factory.mktemp("web"), url)


def _template(folder: Path, url: str | None) -> tuple[World, Shares]:
    world = build_world(folder, ("xa", "xb"), database=url)
    world._member("mechanism", "A service", (Role.SHARER, Role.RELEASER), "robot", person=False)
    world.sign()
    return world, asyncio.run(_share(world))


@pytest.fixture
def kind() -> str:
    """The database that a test runs on; modules that ask much of it run on both."""
    return "sqlite"


@pytest.fixture
def made(kind: str, request: pytest.FixtureRequest) -> tuple[World, Shares]:
    name = "template" if kind == "sqlite" else "postgres_template"
    found: tuple[World, Shares] = request.getfixturevalue(name)
    return found


@pytest.fixture
def world(kind: str, made: tuple[World, Shares], tmp_path: Path) -> Iterator[World]:
    with Template(made[0]).copy(tmp_path, kind) as world:
        yield world


@pytest.fixture
async def scene(world: World, made: tuple[World, Shares]) -> AsyncIterator[Scene]:
    async with running(world) as live:
        yield Scene(live, made[1])


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the kernel's own buffers of the gateway small: they would hold the whole of a test's body."""
    made = connections.Connection.connection_made

    def connection_made(self: connections.Connection, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        made(self, transport)

    monkeypatch.setattr(connections.Connection, "connection_made", connection_made)
