"""While the keyholder is away or locked, releases wait and uploads go on; afterwards all is finished."""

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.client import pull
from gateway.envelope import Identity, Recipient
from gateway.kernel.errors import LockedError
from gateway.kernel.signing import Signer
from gateway.keyholder import server as keyholder_server
from gateway.keyholder.folder import VaultFile
from gateway.workflows import upkeep
from tests.web.harness import caller
from tests.world import (
    Running,
    World,
    build_world,
    keyholder_of,
    package_of,
    propose,
    recall,
    release,
    running,
    session,
    source,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path, ["xa"])


@dataclass(slots=True)
class Lockable:
    """A vault that custodians have locked."""

    identity: Identity
    locked: bool = True

    def identities(self, *_epochs: str) -> tuple[Identity, ...]:
        if self.locked:
            raise LockedError("the keyholder is locked: its custodians must unlock it")
        return (self.identity,)

    def want(self, *_epochs: str) -> None:
        pass

    def mover(self, _now: datetime) -> tuple[Recipient, Signer]:
        raise LockedError("the keyholder is locked: its custodians must unlock it")


async def readyz(live: Running) -> dict[str, Any]:
    def read() -> dict[str, Any]:
        url = f"http://127.0.0.1:{live.world.config.admin_port}/readyz"
        with urllib.request.urlopen(url, timeout=10) as reply:
            return dict(json.load(reply))

    return await asyncio.to_thread(read)


async def proposed(world: World, tmp_path: Path) -> str:
    path = tmp_path / "note.txt"
    path.write_bytes(b"who gave the order\n" * 20)
    async with session(world, "releaser") as staff:
        package, _ = await package_of(staff, [source(path)])
        return str((await propose(staff, package, "xa"))["share"])


async def test_a_release_waits_for_the_keyholder_and_is_finished_when_it_comes(
    world: World, tmp_path: Path
) -> None:
    async with running(world, keyholder=False) as live:
        share = await proposed(world, tmp_path)  # uploads need the vault's public half alone
        async with session(world, "releaser") as staff:
            answer = await release(staff, share)
        assert answer["state"] == "released"
        said = await readyz(live)
        assert said["ready"] and any(share in line and "away" in line for line in said["warnings"])
        (await caller(world, "xa").get(f"/v1/shares/{share}/manifest")).problem(404)
        upkeep.every_minute(live.gateway)
        assert share in live.gateway.stuck
        with keyholder_of(world, live.now):
            upkeep.every_minute(live.gateway)
            assert not live.gateway.stuck and not live.gateway.waiting
            async with session(world, "xa") as endpoint:
                await pull.pull(endpoint, share, tmp_path / "out", lambda _: None)
    assert list((tmp_path / "out").rglob("note.txt"))


async def test_a_release_from_before_a_restart_is_finished_at_the_start(
    world: World, tmp_path: Path
) -> None:
    async with running(world, keyholder=False):
        share = await proposed(world, tmp_path)
        async with session(world, "releaser") as staff:
            assert (await release(staff, share))["state"] == "released"
    async with running(world):
        shown = (await caller(world, "releaser").get(f"/v1/shares/{share}")).json()
    assert shown["state"] == "available"


async def test_a_locked_keyholder_is_named_and_unlocking_finishes_what_waits(
    world: World, tmp_path: Path
) -> None:
    vault = Lockable(VaultFile.read(world.instance / "keyholder", None).identity)
    async with running(world, keyholder=False) as live:
        folder = world.instance / "keyholder"
        with keyholder_server.opened(folder, vault, live.now):
            share = await proposed(world, tmp_path)
            async with session(world, "releaser") as staff:
                assert (await release(staff, share))["state"] == "released"
            upkeep.every_minute(live.gateway)
            said = (await readyz(live))["warnings"]
            assert any("keyholder: the keyholder is locked" in line for line in said)
            vault.locked = False
            upkeep.keep_place(live.gateway)
            assert not live.gateway.stuck
            upkeep.every_minute(live.gateway)
            assert not [w for w in (await readyz(live))["warnings"] if "keyholder" in w]


async def test_the_keyholder_learns_of_recalls_that_it_was_away_for(
    world: World, tmp_path: Path
) -> None:
    async with running(world) as live:
        share = await proposed(world, tmp_path)
        async with session(world, "releaser") as staff:
            await release(staff, share)
    async with running(world, keyholder=False) as live:
        async with session(world, "releaser") as staff:
            await recall(staff, share)
        with keyholder_of(world, live.now):
            assert live.gateway.keyholder.state().recalled == -1
            upkeep.every_minute(live.gateway)
            assert live.gateway.keyholder.state().recalled > 0
