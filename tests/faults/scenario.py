"""One share's whole life by the public clients, and what must hold of it however often something failed."""

import shutil
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import OperationalError

from gateway import settings, wiring
from gateway.client import audit, pull, push
from gateway.client.session import Session
from gateway.exchange.acts import (
    Approve,
    Ask,
    Basis,
    MakePackage,
    Product,
    Propose,
    Recall,
    Release,
    ReleaseItem,
)
from gateway.exchange.messages import About
from gateway.exchange.parse import build
from gateway.exchange.parties import Role
from gateway.exchange.receipts import Rung
from gateway.kernel.errors import GatewayError
from gateway.kernel.ids import new_id
from gateway.store import tables
from gateway.store.headcopy import HeadCopy
from gateway.workflows.gateway import Gateway
from tests.world import POSTGRES, Running, World, build_world, running, session, source

T = TypeVar("T")
PART = 64 << 10  # bytes: the smallest part, so that a small file has two
DATA = b"The order came from above.\n" * 4000
_TRIES = 3  # a user repeats a command that failed, but not for ever


def quick_clients(patch: pytest.MonkeyPatch) -> None:
    """Let clients send small parts and repeat without pause."""
    patch.setattr("gateway.client.push.PART", PART)
    patch.setattr("gateway.client.session._FIRST_PAUSE", 0.001)


@dataclass
class Template:
    """A world built once; every run works on a copy, with a database of its own.

    One that has run on SQLite is copied with its file; one that has run on PostgreSQL with its database.
    """

    world: World
    copies: int = 0
    kind: str = "sqlite"

    @contextmanager
    def copy(self, folder: Path, kind: str) -> Iterator[World]:
        self.copies += 1
        root = folder / f"copy-{self.copies}"
        shutil.copytree(self.world.root, root)
        try:
            if kind == "sqlite":
                yield World(root, self.world.config)
            else:
                with _database(f"gateway_fault_{uuid.uuid4().hex}", self._origin()) as url:
                    config = replace(self.world.config, database=url)
                    world = World(root, config)
                    settings.write(world.instance, config)
                    yield world
        finally:
            shutil.rmtree(root)

    def _origin(self) -> str:
        """Return the database that PostgreSQL copies: an empty one if this was never started there."""
        url = self.world.config.database
        return "template1" if url.startswith("sqlite") else url.rpartition("/")[2]


def template(folder: Path, database: str | None = None) -> Template:
    """Build the world that runs copy: one authority, and a file to share."""
    world = build_world(folder / "template", ("xa",), database=database)
    (world.root / "order.txt").write_bytes(DATA)
    return Template(world)


@contextmanager
def _database(name: str, origin: str) -> Iterator[str]:
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {name} TEMPLATE {origin}"))
        try:
            yield POSTGRES.rsplit("/", 1)[0] + f"/{name}"
        finally:  # also after a failure, of which a run collects many
            with server.connect() as conn:
                conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        server.dispose()


@dataclass
class Ids:
    """What a user mints once and repeats with the same command."""

    package: str
    share: str
    clearances: tuple[str, str]


@dataclass
class Story:
    """One run of the scenario: what its users were told, and how often a command had to be repeated."""

    world: World
    ids: Ids
    surfaced: list[str]
    item: str = ""
    pulled: bytes = b""

    async def again(self, command: Callable[[], Awaitable[T]]) -> T:
        """Give a command, and give it again if it failed."""
        for attempt in range(_TRIES):
            try:
                return await command()
            except GatewayError as error:
                self.surfaced.append(f"{type(error).__name__}: {error}")
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError

    async def share(self) -> None:
        """Deposit, package, propose, approve twice, release."""
        async with session(self.world, "sharer") as sharer:
            item = source(self.world.root / "order.txt", sgbv=True)
            record = await self.again(lambda: push.deposit(sharer, item, lambda _: None))
            self.item = record.item
            basis = Basis(
                "proactive", "criminal", "case-1", rationale="It shows who gave the order"
            )
            package = MakePackage(
                self.ids.package, Product.EVIDENCE, basis, (record.item,), "A note"
            )
            await self.again(lambda: sharer.act("/v1/packages", package))
            proposal = Propose(self.ids.share, self.ids.package, self.world.party("xa"))
            proposed = await self.again(lambda: sharer.act("/v1/shares", proposal))
            assert proposed["state"] == "held"
        roles = (("legal", Role.LEGAL_ADVISER), ("victims", Role.VICTIMS_UNIT))
        for clearance, (who, role) in zip(self.ids.clearances, roles, strict=True):
            async with session(self.world, who) as person:
                await self.again(lambda: self._approve(person, clearance, role))
        async with session(self.world, "releaser") as releaser:
            released = await self.again(lambda: self._release(releaser))
            assert released["state"] == "available"

    async def _approve(self, person: Session, clearance: str, role: Role) -> dict[str, Any]:
        shown, items = await self._shown(person)
        asked = shown["bases"][f"approval:{role.value}"]
        act = Approve(clearance, self.ids.share, shown["recipient"], role, asked, items)
        return await person.act(f"/v1/shares/{self.ids.share}/approvals", act)

    async def _release(self, releaser: Session) -> dict[str, Any]:
        shown, items = await self._shown(releaser)
        act = Release(self.ids.share, shown["recipient"], items)
        return await releaser.act(f"/v1/shares/{self.ids.share}/release", act)

    async def _shown(self, person: Session) -> tuple[dict[str, Any], tuple[ReleaseItem, ...]]:
        shown: dict[str, Any] = (await person.get(f"/v1/shares/{self.ids.share}")).json()
        return shown, build(shown["items"], tuple[ReleaseItem, ...])

    async def receive(self) -> None:
        """Read the inbox, pull, and let the officer accept; the last word is a recall."""
        share, out = self.ids.share, self.world.root / "out"
        async with session(self.world, "xa") as endpoint:
            found = await self.again(lambda: pull.inbox(endpoint))
            assert [m.about for m in found] == [About.SHARE_AVAILABLE]
            done = await self.again(lambda: pull.pull(endpoint, share, out, lambda _: None))
            self.pulled = (done.folder / "order.txt").read_bytes()
        async with session(self.world, "xa-officer") as officer:
            for rung in (Rung.OPENED, Rung.ACCEPTED):
                await self.again(lambda: pull.acknowledge(officer, share, done.manifest, rung))
        async with session(self.world, "releaser") as releaser:
            act = Recall(share, Ask.SEQUESTER, "a reason that stays inside")
            await self.again(lambda: releaser.act(f"/v1/shares/{share}/recall", act))
        async with session(self.world, "xa") as endpoint:
            found = await self.again(lambda: pull.inbox(endpoint))
            assert [m.about for m in found] == [About.SHARE_RECALLED]


def story(world: World) -> Story:
    """Begin a story in *world*."""
    ids = Ids(new_id("pkg"), new_id("shr"), (new_id("clr"), new_id("clr")))
    return Story(world, ids, [])


async def check(live: Running, told: Story) -> None:
    """Check a share's whole life, after a restart, by the auditor's own means and by the rows."""
    async with session(told.world, "auditor") as auditor:
        held = await audit.verify(auditor)
        kept = await audit.entries(auditor, 0)
    assert held["openings"] == held["size"] == len(kept)
    assert told.pulled == DATA
    _check_ledger(kept, told)
    _check_rows(live.gateway, kept, told)


LIFE = [
    "held", "proposed", "released", "prepared", "available",
    "pulled", "verified", "opened", "accepted", "recalled",
]  # fmt: skip


def _check_ledger(kept: list[dict[str, Any]], told: Story) -> None:
    kinds = Counter(row["kind"] for row in kept)
    once = (
        "directory.accepted", "policy.accepted", "item.deposited", "package.made",
        "share.proposed", "share.decided", "share.released", "share.prepared",
        "share.available", "share.recalled",
    )  # fmt: skip
    assert {kind: kinds[kind] for kind in once} == dict.fromkeys(once, 1)
    assert (kinds["share.approved"], kinds["receipt"]) == (2, 4)
    assert kinds["range.authorised"] == kinds["range.finished"] + kinds["range.interrupted"] >= 1
    assert kinds["range.finished"] >= 1
    assert kinds["refused"] == 0
    assert set(kinds) <= {*once, "share.approved", "receipt"} | {
        f"range.{how}" for how in ("authorised", "finished", "interrupted")
    }
    assert {row["subject"] for row in kept if row["kind"].startswith("range.")} == {told.ids.share}


def _check_rows(gateway: Gateway, kept: list[dict[str, Any]], told: Story) -> None:
    entry = {row["id"]: row["kind"] for row in kept}
    with gateway.engine.connect() as conn:

        def ids(table: Any) -> list[str]:
            return [str(row.id) for row in conn.execute(select(table.c.id))]

        assert ids(tables.items) == [told.item]
        assert ids(tables.packages) == [told.ids.package]
        assert ids(tables.shares) == [told.ids.share]
        assert sorted(ids(tables.clearances)) == sorted(told.ids.clearances)
        assert len(ids(tables.receipts)) == 4
        assert len(ids(tables.uploads)) == 1
        counted = {
            table.name: conn.execute(select(func.count()).select_from(table)).scalar()
            for table in (tables.sealed, tables.parts, tables.headers, tables.manifests)
        }
        assert counted == {"sealed": 1, "parts": 2, "headers": 1, "manifests": 1}
        assert conn.execute(select(func.count()).select_from(tables.messages)).scalar() == 2
        events = list(conn.execute(select(tables.share_events).order_by(tables.share_events.c.n)))
        assert [event.state for event in events] == LIFE
        assert all(entry[event.entry].startswith(("share.", "receipt")) for event in events)
        assert len({event.entry for event in events}) == len(events)
        servings = list(conn.execute(select(tables.servings)))
        blobs = {row.blob for row in conn.execute(select(tables.parts.c.blob))}
        checkpoints = conn.execute(select(func.max(tables.checkpoints.c.size))).scalar()
    assert checkpoints == len(kept)
    assert {entry[s.entry] for s in servings} == {"range.authorised"}
    authorised = [name for name, kind in entry.items() if kind == "range.authorised"]
    assert sorted(s.entry for s in servings) == sorted(authorised)
    assert {s.state for s in servings} <= {"finished", "interrupted"}
    assert set(gateway.blobs.names()) == blobs


def publish(live: Running) -> None:
    """Copy the ledger's head, as the server does every second and when it stops."""
    config, instance = live.world.config, live.world.instance
    wiring.copy_head(live.gateway, HeadCopy(instance / config.head_copy))


async def play(world: World, arm: Callable[[Running], None]) -> Story:
    """Play the scenario with a fault armed, restart, and check everything."""
    told = story(world)
    async with running(world) as live:
        arm(live)
        await told.share()
        await told.receive()
        try:
            publish(live)
        except OperationalError:  # the server tries again a second later
            publish(live)
    async with running(world) as live:
        await check(live, told)
    return told
