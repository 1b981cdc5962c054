"""Vault rotation: every file key leaves an epoch while people work, and nothing stops, fails or is lost."""

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from gateway import keyfiles
from gateway.client import ceremony, pull
from gateway.exchange.rewraps import check_chain, read_rewrap
from gateway.kernel.errors import ConflictError, LockedError
from gateway.keyfiles import LEAST
from gateway.keyholder import custody, guard
from gateway.keyholder.custody import Custody, public_statement
from gateway.keyholder.protocol import MoveItem
from gateway.store import ledger
from gateway.store import vaults as store
from gateway.store.tables import entries, rewraps
from gateway.workflows import rewrap
from gateway.workflows.gateway import Gateway
from tests.world import (
    ROOT,
    Running,
    World,
    build_world,
    keyholder_of,
    package_of,
    propose,
    release,
    run_cli,
    running,
    session,
    source,
)

PHRASE = "a phrase"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Vault:
    """A world whose keyholder has its keys in custody."""

    world: World
    held: Custody

    def secret(self) -> bytearray:
        return guard.open_passphrase(self.held.state.guard, PHRASE)

    def enter(self) -> None:
        """Enter the keyholder's statement into the directory, and sign."""
        ceremony.enter_vault(self.world.directory, public_statement(self.held.state, now()), now())
        self.world.sign()

    def leave(self, epoch: str) -> None:
        ceremony.leave_vault(self.world.directory, epoch[:20])
        self.world.sign()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    world = build_world(tmp_path, ("xa", "xb"))
    folder = world.instance / "keyholder"
    first = keyfiles.read_identity(folder / "vault.key", None)
    secret = guard.new_secret()
    custody.create(folder, secret, guard.by_passphrase(secret, PHRASE, LEAST), now(), first=first)
    (folder / "vault.key").unlink()
    made = Vault(world, Custody(folder))
    made.enter()
    made.held.unlock(secret, now())
    return made


def counted(gateway: Gateway) -> dict[str, int]:
    with gateway.engine.connect() as conn:
        found = store.counts(conn, "")
    return {epoch: items for epoch, (items, _) in found.items()}


async def share_again(world: World, package: str, authority: str) -> str:
    """Propose a package that was deposited before, and release it."""
    async with session(world, "releaser") as releaser:
        share = str((await propose(releaser, package, authority))["share"])
        await release(releaser, share)
    return share


async def pulled(world: World, who: str, share: str, data: bytes) -> None:
    """Pull a share as its authority, and see that the evidence is what was deposited."""
    async with session(world, who) as endpoint:
        done = await pull.pull(endpoint, share, world.root / f"out-{who}", lambda _: None)
    (file,) = (path for path in done.folder.rglob("*.bin"))
    assert file.read_bytes() == data


async def test_an_epoch_is_left_while_people_release_and_pull(vault: Vault, tmp_path: Path) -> None:
    """The drill: releases of old items and new ones and pulls go on, and not one of them fails."""
    world, data = vault.world, b"evidence" * 10_000
    file = tmp_path / "e.bin"
    file.write_bytes(data)
    traffic: list[str] = []
    async with running(world, vault.held) as live:
        async with session(world, "releaser") as releaser:
            old = [(await package_of(releaser, [source(file, "e.bin")]))[0] for _ in range(4)]
        before = vault.held.state.epochs[0].id
        assert counted(live.gateway) == {before: 4}

        async def works() -> None:
            for n in range(100):
                async with session(world, "releaser") as someone:
                    fresh, _ = await package_of(someone, [source(file, "e.bin")])
                for package in (old[n % 3], fresh):
                    share = await share_again(world, package, "xa")
                    await pulled(world, "xa", share, data)
                    traffic.append(share)

        worker = asyncio.create_task(works())
        while not traffic:
            await asyncio.sleep(0.05)
            assert not worker.done()
        vault.held.rotate(vault.secret(), now())
        after = vault.held.state.epochs[1].id
        vault.enter()
        assert await asyncio.to_thread(live.reload) == []
        assert await asyncio.to_thread(rewrap.run, live.gateway) == 0, "a retired epoch is kept"
        vault.leave(before)
        assert await asyncio.to_thread(live.reload) == []
        seen = len(traffic)
        done = await asyncio.to_thread(rewrap.run, live.gateway)
        assert done >= 4
        while len(traffic) < seen + 2:
            await asyncio.sleep(0.05)
            assert not worker.done(), worker
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        await asyncio.to_thread(rewrap.run, live.gateway)  # sealed before, deposited since
        assert counted(live.gateway).keys() == {after}
        vault.held.destroy(before, now())
        assert [*vault.held.opened] == [vault.held.state.epochs[1].name]
        share = await share_again(world, old[3], "xb")
        await pulled(world, "xb", share, data)
        check_records(live, old_epoch=before, new_epoch=after)


def check_records(live: Running, *, old_epoch: str, new_epoch: str) -> None:
    """See that every record is entered once, and leads from the deposit record to the header of today."""
    gateway = live.gateway
    with gateway.engine.connect() as conn:
        rows = conn.execute(select(rewraps)).all()
        for row in rows:
            current = store.current(conn, row.item)
            order = read_rewrap(row.record)
            assert (order.before, order.after) == (old_epoch, new_epoch)
            reached = check_chain(row.item, order.old, current.chain, gateway.directory_at)
            assert reached == current.digest == row.digest
            assert ledger.entry(conn, row.entry)
        assert len({row.item for row in rows}) == len(rows)


async def test_a_second_rotation_makes_a_chain_of_two(vault: Vault, tmp_path: Path) -> None:
    world, data = vault.world, b"evidence"
    file = tmp_path / "e.bin"
    file.write_bytes(data)
    async with running(world, vault.held) as live:
        async with session(world, "releaser") as releaser:
            package, records = await package_of(releaser, [source(file, "e.bin")])
        item = str(records[0].item)
        for _ in range(2):
            left = vault.held.state.active(now())
            assert left is not None
            await asyncio.sleep(1.1)  # epochs begin at whole seconds
            vault.held.rotate(vault.secret(), now())
            vault.enter()
            vault.leave(left.id)
            live.reload()
            assert await asyncio.to_thread(rewrap.run, live.gateway) == 1
            vault.held.destroy(left.id, now())
        with live.gateway.engine.connect() as conn:
            assert len(store.current(conn, item).chain) == 2
        share = await share_again(world, package, "xa")
        await pulled(world, "xa", share, data)


async def test_nothing_is_moved_before_the_directory_names_where_to(
    vault: Vault, tmp_path: Path
) -> None:
    """A header of an epoch that the directory does not know could not be released any more."""
    file = tmp_path / "e.bin"
    file.write_bytes(b"evidence")
    async with running(vault.world, vault.held) as live:
        async with session(vault.world, "releaser") as releaser:
            package, records = await package_of(releaser, [source(file, "e.bin")])
        item, before = str(records[0].item), vault.held.state.epochs[0].id
        await share_again(vault.world, package, "xa")  # so that it knows the directory
        vault.held.rotate(vault.secret(), now())
        with live.gateway.engine.connect() as conn:
            header = store.current(conn, item).header
        assert header is not None
        asked = [MoveItem(item, header, before)]
        with pytest.raises(ConflictError, match="active vault epoch is another"):
            live.gateway.keyholder.move(asked)
        vault.held.lock()
        with pytest.raises(LockedError):
            live.gateway.keyholder.move(asked)


async def test_a_release_in_a_locked_night_is_finished_once_its_epoch_is_open(
    vault: Vault, tmp_path: Path
) -> None:
    """An item of an old epoch is ordered; custodians open that epoch, named by the work there is."""
    file = tmp_path / "e.bin"
    file.write_bytes(b"evidence")
    async with running(vault.world, vault.held) as live:
        async with session(vault.world, "releaser") as releaser:
            package, _ = await package_of(releaser, [source(file, "e.bin")])
        await asyncio.sleep(1.1)
        vault.held.rotate(vault.secret(), now())
        vault.enter()
        live.reload()
        old, new = (epoch.name for epoch in vault.held.state.epochs)
        vault.held.lock()
        async with session(vault.world, "releaser") as releaser:
            share = str((await propose(releaser, package, "xa"))["share"])
            assert (await release(releaser, share))["state"] == "released"
        assert [*vault.held.wanted] == [old]
        vault.held.unlock(vault.secret(), now(), [new])
        from gateway.workflows import prepare

        prepare.finish_waiting(live.gateway)
        assert [*vault.held.wanted] == [old]
        vault.held.unlock(vault.secret(), now())
        prepare.finish_waiting(live.gateway)
        await pulled(vault.world, "xa", share, b"evidence")


CUT = """
import os, signal, sys
from pathlib import Path
from gateway import wiring
from gateway.workflows import rewrap
rewrap.BATCH = 2
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
with wiring.open_gateway(Path(sys.argv[1])) as (gateway, _):
    if sys.argv[2] == "answered":
        whole = gateway.keyholder.move
        class Cut(type(gateway.keyholder)):
            def move(self, items):
                whole(items)
                die()
        gateway.keyholder = Cut(gateway.keyholder._path)
    rewrap.run(gateway, told=die)
"""


async def test_a_rotation_killed_anywhere_goes_on_where_it_was(
    vault: Vault, tmp_path: Path
) -> None:
    """Killed after a batch was answered and before it was entered, then after it was entered."""
    file = tmp_path / "e.bin"
    file.write_bytes(b"evidence")
    world, before = vault.world, vault.held.state.epochs[0].id
    async with running(world, vault.held) as live:
        async with session(world, "releaser") as releaser:
            package, _ = await package_of(releaser, [source(file, f"{n}.bin") for n in range(5)])
        await asyncio.sleep(1.1)
        vault.held.rotate(vault.secret(), now())
        vault.enter()
        vault.leave(before)
        live.reload()
    with keyholder_of(world, now, vault.held):
        for at in ("answered", "entered"):
            command = [sys.executable, "-c", CUT, str(world.instance), at]
            died = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            assert died.returncode == -9, died.stderr
    async with running(world, vault.held) as live:
        after = vault.held.state.epochs[1].id
        assert counted(live.gateway) == {before: 3, after: 2}
        assert rewrap.run(live.gateway) == 3
        with live.gateway.engine.connect() as conn:
            assert conn.execute(select(func.count()).select_from(rewraps)).scalar() == 5
            assert conn.execute(select(func.count()).select_from(entries)).scalar()
        check_records(live, old_epoch=before, new_epoch=after)
        await share_again(world, package, "xa")


async def test_the_commands_tell_how_the_epochs_stand(vault: Vault, tmp_path: Path) -> None:
    """`enter`, `leave` and `status` beside a running gateway, and a dry run."""
    instance, before = str(vault.world.instance), vault.held.state.epochs[0].id
    said, file = tmp_path / "statement.json", tmp_path / "e.bin"
    file.write_bytes(b"evidence")

    async def cli(*args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(run_cli, "vault", *args, check=check)

    early = await cli("rotate", "--instance", instance, check=False)
    assert (early.returncode, "start the gateway first" in early.stderr) == (9, True)
    async with running(vault.world, vault.held) as live:
        async with session(vault.world, "releaser") as releaser:
            package, _ = await package_of(releaser, [source(file, f"{n}.bin") for n in range(2)])
            await propose(releaser, package, "xa")
        vault.held.rotate(vault.secret(), now())
        statement = public_statement(vault.held.state, now())
        said.write_bytes(msgspec.json.encode(statement))
        await cli("enter", "--instance", instance, str(said))
        await cli("leave", "--instance", instance, before[:16])
        vault.world.sign()
        await asyncio.to_thread(live.reload)
        dry = await cli("rotate", "--instance", instance)
        assert "would re-wrap 2 items" in dry.stdout
        status = json.loads((await cli("status", "--instance", instance, "--json")).stdout)
        assert status == [
            {"epoch": before, "status": "revoked", "items": 2, "open": 2},
            {"epoch": vault.held.state.epochs[1].id, "status": "active", "items": 0, "open": 0},
        ]
    wrong = await cli("leave", "--instance", instance, "zz", check=False)
    assert (wrong.returncode, "0 vault epochs begin with zz" in wrong.stderr) == (6, True)


def test_what_is_to_be_left_needs_another_epoch_to_go_to(vault: Vault) -> None:
    folder = vault.world.directory
    with pytest.raises(ConflictError, match="no other vault epoch is active"):
        ceremony.leave_vault(folder, vault.held.state.epochs[0].id)


def test_an_instance_counts_by_the_directory_in_force(vault: Vault) -> None:
    """Nothing is entered twice, and a vault key that is nobody's any more is retired."""
    vault.enter()
    folder = vault.world.directory
    party = ceremony.find_party(folder, "mechanism")
    assert [member.name for member in party.members].count(ceremony.KEYHOLDER) == 1
    public = [k.public for m in party.members for k in m.keys if k.use.value == "vault"]
    assert len(public) == len({*public}) == 1
