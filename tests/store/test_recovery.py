"""What a crash cut off is finished, closed or swept when the gateway starts again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from gateway import wiring
from gateway.client import audit, ceremony, pull
from gateway.exchange.acts import Approve, ReleaseItem
from gateway.exchange.parse import build
from gateway.exchange.parties import Role
from gateway.kernel.errors import ConflictError, ForbiddenError, UnavailableError
from gateway.kernel.ids import new_id
from gateway.store import shares, tables
from gateway.store.headcopy import HeadCopy
from gateway.wiring.sets import load_policy
from gateway.workflows import prepare as preparing
from gateway.workflows import pull as pulling
from tests.world import (
    Running,
    World,
    package_of,
    propose,
    recall,
    release,
    running,
    session,
    share_with,
    source,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "order.txt"
    path.write_bytes(b"The order came from above.\n" * 100)
    return path


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a command fail at its first error, as if the server had gone away under it."""
    monkeypatch.setattr("gateway.client.session._TRIES", 1)


def _publish(live: Running) -> None:
    config = live.world.config
    wiring.copy_head(live.gateway, HeadCopy(live.world.instance / config.head_copy))


def _recovered(logs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what each start said of what it had recovered."""
    return [log for log in logs if log["event"] == "recovered"]


def _state(live: Running, share: str) -> str:
    with live.gateway.engine.connect() as conn:
        return shares.get(conn, share).state.value


async def _kinds(world: World) -> list[str]:
    async with session(world, "auditor") as auditor:
        await audit.verify(auditor)
        return [row["kind"] for row in await audit.entries(auditor, 0)]


async def test_blobs_that_no_row_names_are_swept(world: World, data: Path) -> None:
    async with running(world) as live:
        share = await share_with(world, "xa", [source(data)])
        kept = set(live.gateway.blobs.names())
        orphan = live.gateway.blobs.put(b"a part whose row never committed")
        assert len(kept) == 1
        _publish(live)
    with capture_logs() as logs:
        async with running(world) as live:
            assert set(live.gateway.blobs.names()) == kept
            assert orphan not in kept
            async with session(world, "xa") as endpoint:
                await pull.pull(endpoint, share, world.root / "out", lambda _: None)
    assert [log["blobs_swept"] for log in _recovered(logs)] == [1]


async def _cut_release(world: World, data: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> str:
    """Release a share and lose the server at a step; return the share's id."""

    def lost(*_: object) -> None:
        raise UnavailableError("the server is gone")

    async with running(world) as live:
        async with session(world, "releaser") as releaser:
            package, _ = await package_of(releaser, [source(data)])
            share = str((await propose(releaser, package, "xa"))["share"])
            with monkeypatch.context() as patch:
                patch.setattr(preparing, at, lost)
                with pytest.raises(UnavailableError):
                    await release(releaser, share)
        assert _state(live, share) == {"_prepare": "released", "_offer": "prepared"}[at]
        async with session(world, "xa") as endpoint:
            assert await pull.inbox(endpoint) == []
        _publish(live)
    return share


@pytest.mark.parametrize("at", ["_prepare", "_offer"])
async def test_an_unfinished_release_is_finished(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    share = await _cut_release(world, data, monkeypatch, at)
    with capture_logs() as logs:
        async with running(world) as live:
            assert _state(live, share) == "available"
            async with session(world, "xa") as endpoint:
                assert [m.share for m in await pull.inbox(endpoint)] == [share]
                await pull.pull(endpoint, share, world.root / "out", lambda _: None)
            kinds = await _kinds(world)
            _publish(live)
        async with running(world) as live:
            assert _state(live, share) == "verified"
    assert [log["releases_finished"] for log in _recovered(logs)] == [1, 0]
    assert [kinds.count(f"share.{step}") for step in ("prepared", "available")] == [1, 1]


async def test_a_release_that_cannot_be_finished_does_not_stop_the_gateway(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = await _cut_release(world, data, monkeypatch, "_prepare")
    party = ceremony.find_party(world.directory, "xa-prosecutor")
    key = next(k for m in party.members for k in m.keys if k.use.value == "envelope")
    ceremony.revoke(world.directory, key.kid)
    world.sign()
    with capture_logs():
        async with running(world) as live:
            assert list(live.gateway.stuck) == [share]
            assert _state(live, share) == "released"
            async with session(world, "releaser") as releaser:
                assert (await recall(releaser, share))["state"] == "recalled"
            _publish(live)
        async with running(world) as live:
            assert live.gateway.stuck == {}


async def test_open_servings_are_closed_as_interrupted(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.workflows.pull._SETTLE", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(pulling, "ended", lambda *_: None)
        async with running(world) as live:
            share = await share_with(world, "xa", [source(data)])
            async with session(world, "xa") as endpoint:
                first = await endpoint.get(f"/v1/shares/{share}/items/0")
            _publish(live)
    with capture_logs() as logs:
        async with running(world) as live:
            with live.gateway.engine.connect() as conn:
                (row,) = conn.execute(select(tables.servings))
            assert (row.state, row.sent, row.end) == ("interrupted", None, len(first.body))
            kinds = await _kinds(world)
            async with session(world, "xa") as endpoint:
                await pull.pull(endpoint, share, world.root / "out", lambda _: None)
    assert [log["ranges_closed"] for log in _recovered(logs)] == [1]
    assert kinds[-2:] == ["range.authorised", "range.interrupted"]


HOLD = (
    "rules:\n- id: test.hold\n  effect: require\n  title: Held for a while\n  basis: A test\n"
    "  when: {eq: [item.sgbv, false]}\n  obligations: {approval: {legal_adviser: 1}}\n"
)


@pytest.mark.parametrize("swept", [True, False])
async def test_a_share_that_came_to_be_held_is_released_once_it_is_cleared(
    world: World, data: Path, swept: bool
) -> None:
    """Held when a set came into force, or at its release, in the moment before anybody looked."""
    folder = world.instance / world.config.policy
    with capture_logs():
        async with running(world) as live, session(world, "releaser") as releaser:
            package, _ = await package_of(releaser, [source(data)])
            share = str((await propose(releaser, package, "xa"))["share"])
            (folder / "rules" / "99-hold.yaml").write_text(HOLD)
            if swept:
                world.sign_policy(untested=True)
                assert live.reload() == []
                with pytest.raises(ConflictError, match="cannot release a share that is held"):
                    await release(releaser, share)
            else:
                policy, register = load_policy(folder)
                live.gateway.sets = replace(live.gateway.sets, policy=policy, register=register)
                with pytest.raises(ForbiddenError, match="not permitted any more; it is held"):
                    await release(releaser, share)
            assert _state(live, share) == "held"
            await _approve(world, share)
            assert (await release(releaser, share))["state"] == "available"
            assert (await release(releaser, share))["state"] == "available"
            kinds = await _kinds(world)
            assert _stages(live, share) == [
                "propose", "change" if swept else "release", "approve", "release",
            ]  # fmt: skip
    assert [kinds.count(f"share.{step}") for step in ("released", "available")] == [1, 1]
    assert kinds.count("share.decided") == 2, "held, and cleared"


def _stages(live: Running, share: str) -> list[str]:
    query = select(tables.decisions.c.stage).where(tables.decisions.c.share == share)
    with live.gateway.engine.connect() as conn:
        return list(conn.execute(query.order_by(tables.decisions.c.n)).scalars())


async def _approve(world: World, share: str) -> None:
    async with session(world, "legal") as person:
        shown: Any = (await person.get(f"/v1/shares/{share}")).json()
        items = build(shown["items"], tuple[ReleaseItem, ...])
        basis = str(shown["bases"]["approval:legal_adviser"])
        recipient = str(shown["recipient"])
        act = Approve(new_id("clr"), share, recipient, Role.LEGAL_ADVISER, basis, items)
        answer = await person.act(f"/v1/shares/{share}/approvals", act)
    assert answer["state"] == "proposed"
