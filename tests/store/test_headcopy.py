"""A ledger that is behind its copy elsewhere is read, and never written."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from gateway import wiring
from gateway.client import audit, pull
from gateway.client.push import TUS
from gateway.client.session import Session
from gateway.exchange.acts import (
    Approve,
    Ask,
    Basis,
    Complete,
    Deposit,
    MakePackage,
    OpenUpload,
    Particulars,
    Product,
    Propose,
    Recall,
    Release,
    ReleaseItem,
)
from gateway.exchange.parse import plain
from gateway.exchange.parties import Role
from gateway.exchange.receipts import Rung
from gateway.kernel.encoding import canonical_json, hex_sha256
from gateway.kernel.errors import UnavailableError
from gateway.kernel.ids import new_id
from gateway.kernel.signing import KeySigner
from gateway.ledger import Checkpoint, open_checkpoint
from gateway.store import ledger
from gateway.store.headcopy import HeadCopy, quarantine_reason
from gateway.store.tables import metadata
from gateway.workflows.gateway import Gateway
from tests.store.tools import Store
from tests.world import Running, World, build_world, run_cli, running, session

OTHER = KeySigner.generate()


def _reason(store: Store, note: bytes | None, tmp_path: Path) -> str | None:
    copy = HeadCopy(tmp_path / "head-copy")
    if note is not None:
        copy.write(note)
        assert copy.read() == note
        assert [path.name for path in tmp_path.glob("head-copy*")] == ["head-copy"]
    with store.reading.connect() as conn:
        return quarantine_reason(conn, copy, store.verifier)


def test_a_new_ledger_needs_no_copy(store: Store, tmp_path: Path) -> None:
    assert _reason(store, None, tmp_path) is None


def test_a_copy_that_the_ledger_continues_is_well(store: Store, tmp_path: Path) -> None:
    store.add(3)
    with store.reading.connect() as conn:
        note = ledger.checkpoint(conn)
    assert _reason(store, note, tmp_path) is None
    store.add(300)
    assert _reason(store, note, tmp_path) is None


def test_a_missing_copy_of_a_ledger_with_entries_is_not(store: Store, tmp_path: Path) -> None:
    store.add()
    assert _reason(store, None, tmp_path) == "the copy of the ledger head is missing"


def test_a_ledger_that_lost_entries_is_told(store: Store, tmp_path: Path) -> None:
    store.add(3)
    note = Checkpoint(store.log.origin, 5, bytes(32)).sign(store.log.signer)
    assert _reason(store, note, tmp_path) == "the ledger has 3 entries, and once had 5"


def test_a_ledger_with_other_entries_is_told(store: Store, tmp_path: Path) -> None:
    store.add(3)
    note = Checkpoint(store.log.origin, 2, bytes(32)).sign(store.log.signer)
    why = _reason(store, note, tmp_path)
    assert why == "the first 2 entries are not the ones that were published"


@pytest.mark.parametrize("case", ["forged", "foreign", "empty", "noise"])
def test_a_copy_that_is_no_checkpoint_of_this_log_is_told(
    store: Store, tmp_path: Path, case: str
) -> None:
    store.add(3)
    with store.reading.connect() as conn:
        size, root = ledger.head(conn)
    note = {
        "forged": Checkpoint(store.log.origin, size, root).sign(OTHER),
        "foreign": Checkpoint("other.example/ledger", size, root).sign(store.log.signer),
        "empty": b"",
        "noise": b"\xff\x00 not a note\n",
    }[case]
    why = "the copy of the ledger head is not a checkpoint of this log"
    assert _reason(store, note, tmp_path) == why


# --- the gateway in quarantine --------------------------------------------------------------------
Damage = Callable[[Gateway, HeadCopy], object]


def _missing(_: Gateway, copy: HeadCopy) -> None:
    copy.path.unlink()


def _behind(gateway: Gateway, copy: HeadCopy) -> None:
    seen = open_checkpoint(copy.read() or b"", gateway.verifier)
    ahead = Checkpoint(seen.origin, seen.size + 1, seen.root)
    copy.write(ahead.sign(gateway.log.signer))


async def _damaged(world: World, damage: Damage) -> None:
    """Run a gateway once, and damage the copy of its head."""
    async with running(world) as live:
        copy = HeadCopy(world.instance / world.config.head_copy)
        wiring.copy_head(live.gateway, copy)
        damage(live.gateway, copy)


def _ready(world: World) -> dict[str, Any]:
    url = f"http://127.0.0.1:{world.config.admin_port}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            found: dict[str, Any] = json.load(reply)
    except urllib.error.HTTPError as error:
        assert error.code == 503
        with error:
            found = json.load(error)
    return found


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_missing, "the copy of the ledger head is missing"),
        (_behind, "has 2 entries, and once had 3"),
    ],
)
async def test_readiness_says_why_the_ledger_is_not_written(
    world: World, damage: Damage, why: str
) -> None:
    await _damaged(world, damage)
    with capture_logs() as logs:
        async with running(world):
            said = await _in_thread(_ready, world)
    assert said["ready"] is False
    assert any("quarantine: " in problem and why in problem for problem in said["problems"])
    assert [log["event"] for log in logs] == ["quarantined"]


async def _in_thread(work: Callable[[World], dict[str, Any]], world: World) -> dict[str, Any]:
    return await asyncio.to_thread(work, world)


def _acts(world: World) -> list[tuple[str, str, object]]:
    """Return every act that writes: who, where, what."""
    item, package, share, upload = (new_id(prefix) for prefix in ("itm", "pkg", "shr", "upl"))
    digest, recipient = hex_sha256(b""), world.party("xa")
    basis = Basis("proactive", "criminal", "case-1", rationale="a reason")
    named = (ReleaseItem(item, digest, digest),)
    particulars = Particulars("a.txt", "text/plain", "E-1", 0, digest)
    return [
        (
            "sharer",
            f"/v1/uploads/{upload}/complete",
            Complete(upload, particulars, {}, "standard", ()),
        ),
        (
            "sharer",
            "/v1/items",
            Deposit(item, digest, digest, 1, 1, "pq", digest, digest, "standard"),
        ),
        ("sharer", "/v1/packages", MakePackage(package, Product.EVIDENCE, basis, (item,))),
        ("sharer", "/v1/shares", Propose(share, package, recipient)),
        (
            "legal",
            f"/v1/shares/{share}/approvals",
            Approve(new_id("clr"), share, recipient, Role.LEGAL_ADVISER, digest, named),
        ),
        ("releaser", f"/v1/shares/{share}/release", Release(share, recipient, named)),
        ("releaser", f"/v1/shares/{share}/recall", Recall(share, Ask.SEQUESTER, "a reason")),
    ]


async def test_every_write_is_refused_in_quarantine_and_nothing_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.client.session._TRIES", 1)
    await _damaged(world, _missing)
    with capture_logs():
        async with running(world) as live:
            before = _rows(live)
            for who, target, act in _acts(world):
                async with session(world, who) as person:
                    with pytest.raises(UnavailableError, match="quarantine"):
                        await person.act(target, act)
            async with session(world, "sharer") as sharer:
                with pytest.raises(UnavailableError, match="quarantine"):
                    await _open_upload(sharer)
                with pytest.raises(UnavailableError, match="quarantine"):
                    await _part(sharer)
            async with session(world, "xa") as endpoint:
                with pytest.raises(UnavailableError, match="quarantine"):
                    await pull.acknowledge(endpoint, new_id("shr"), hex_sha256(b""), Rung.PULLED)
            world.sign()
            assert "quarantine" in live.reload()[0]
            assert _rows(live) == before
            wiring.copy_head(live.gateway, HeadCopy(world.instance / world.config.head_copy))
    assert not (world.instance / world.config.head_copy).exists()


async def _open_upload(sharer: Session) -> None:
    body = canonical_json({"act": plain(OpenUpload(new_id("upl"), 5, "pq")), "sig2": None})
    await sharer.request("POST", "/v1/uploads", body, {**TUS, "Upload-Length": "5"})


async def _part(sharer: Session) -> None:
    media = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    await sharer.request("PATCH", f"/v1/uploads/{new_id('upl')}", b"12345", {**TUS, **media})


def _rows(live: Running) -> dict[str, int | None]:
    with live.gateway.engine.connect() as conn:
        return {
            table.name: conn.execute(select(func.count()).select_from(table)).scalar()
            for table in metadata.sorted_tables
        }


async def test_reading_goes_on_in_quarantine(world: World) -> None:
    await _damaged(world, _missing)
    with capture_logs():
        async with running(world), session(world, "auditor") as auditor:
            assert (await audit.verify(auditor))["size"] == 2
            assert (await audit.prove(auditor, 1))["size"] == 2
            assert (await auditor.get("/v1/shares")).json() == {"shares": []}
            async with session(world, "xa") as endpoint:
                assert await pull.inbox(endpoint) == []


async def test_a_restored_copy_ends_the_quarantine(world: World) -> None:
    await _damaged(world, lambda gateway, copy: copy.path.rename(copy.path.with_suffix(".away")))
    path = world.instance / world.config.head_copy
    with capture_logs():
        async with running(world) as live:
            assert live.gateway.quarantine is not None
        path.with_suffix(".away").rename(path)
        async with running(world) as live:
            assert live.gateway.quarantine is None


async def test_a_custodian_ends_the_quarantine_after_the_copy_was_lost(tmp_path: Path) -> None:
    world = build_world(tmp_path, ("xa",))
    world.add_staff("custodian", Role.CUSTODIAN)
    world.sign()
    async with running(world):
        pass
    (world.instance / world.config.head_copy).unlink()
    command = (
        "ledger",
        "accept-head",
        "--instance",
        str(world.instance),
        "--reason",
        "volume died",
    )
    refused = run_cli(*command, "--as", str(world.folder("sharer")), check=False)
    assert refused.returncode == 5
    assert "custodian" in refused.stderr
    run_cli(*command, "--as", str(world.folder("custodian")))
    again = run_cli(*command, "--as", str(world.folder("custodian")), check=False)
    assert again.returncode == 7
    async with running(world) as live:
        assert live.gateway.quarantine is None
        async with session(world, "auditor") as auditor:
            entries = await audit.entries(auditor, 0)
    assert entries[-1]["kind"] == "head.accepted"
    assert entries[-1]["content"]["quarantine"] == "the copy of the ledger head is missing"
