"""Rotation and revocation of an authority's key: shares wrapped anew, headers deleted, exposure listed."""

import asyncio
from typing import Any

import pytest

from gateway.client import audit, key_ceremony
from gateway.client import pull as client
from gateway.exchange.acts import RewrapShare
from gateway.exchange.key_life import Step, fingerprint
from gateway.exchange.messages import About
from gateway.exchange.parties import Status
from gateway.kernel.errors import ConflictError, ForbiddenError, NotFoundError, UnauthorizedError
from gateway.kernel.ids import new_id
from gateway.store import tables
from gateway.workflows import revoked
from tests import reconcile
from tests.keylife.steps import keys_of, name_of, put_into_force, rewrap, rotate, step
from tests.sharing.steps import amend, pull_status, released, suspended
from tests.world import Running, World, recall, running, session, share_with, source


async def pulled(world: World, who: str, share: str) -> client.Pulled:
    async with session(world, who) as endpoint:
        return await client.pull(endpoint, share, world.root / "out", lambda _: None)


def drop_old_key(world: World, who: str) -> None:
    """Lose the first envelope key of a key folder."""
    (world.folder(who) / "envelope.key").rename(world.root / f"lost-{who}.key")


async def test_a_share_is_wrapped_anew_for_a_rotated_key_and_pulled_with_it_alone(
    live: Running,
) -> None:
    made = await released(live.world)
    await rotate(live, "xa")
    drop_old_key(live.world, "xa")
    with pytest.raises(ConflictError, match="gateway share rewrap"):
        await pulled(live.world, "xa", made.share)
    answer = await rewrap(live.world, "xa", made.share)
    assert answer["rewrap"] == 1
    got = await pulled(live.world, "xa", made.share)
    assert got.manifest == answer["manifest"]
    async with session(live.world, "auditor") as auditor:
        said: Any = [e for e in await audit.entries(auditor, 0) if e["subject"] == made.share]
    (entry,) = [e for e in said if e["kind"] == "share.rewrapped"]
    assert entry["content"]["manifest"] == answer["manifest"]
    receipts = [e for e in said if e["kind"] == "receipt"]
    assert [e["content"]["manifest"] for e in receipts] == [answer["manifest"]] * 2


async def test_a_pulled_share_is_wrapped_anew_and_its_receipts_go_on(live: Running) -> None:
    made = await released(live.world)
    await pulled(live.world, "xa", made.share)
    await rotate(live, "xa")
    answer = await rewrap(live.world, "sharer", made.share)
    got = await pulled(live.world, "xa", made.share)
    assert got.manifest == answer["manifest"] != ""
    async with session(live.world, "xa") as endpoint:
        found = await client.inbox(endpoint, everything=True)
    assert [m.about for m in found if m.share == made.share] == [
        About.SHARE_AVAILABLE, About.SHARE_REWRAPPED,
    ]  # fmt: skip


async def test_both_manifests_and_headers_are_kept(live: Running) -> None:
    made = await released(live.world)
    await rotate(live, "xa")
    await rewrap(live.world, "sharer", made.share)
    with live.gateway.engine.connect() as conn:
        for table in (tables.headers, tables.manifests):
            rows = conn.execute(table.select().where(table.c.share == made.share)).all()
            assert sorted(row.seq for row in rows) == [0, 1]


async def test_the_same_keys_are_not_wrapped_to_twice(live: Running) -> None:
    made = await released(live.world)
    with pytest.raises(ConflictError, match="keys in force already"):
        await rewrap(live.world, "sharer", made.share)
    await rotate(live, "xa")
    act = RewrapShare(new_id("rwp"), made.share)
    async with session(live.world, "releaser") as person:
        first = await person.act(f"/v1/shares/{made.share}/rewrap", act)
        assert await person.act(f"/v1/shares/{made.share}/rewrap", act) == first
    with pytest.raises(ConflictError, match="keys in force already"):
        await rewrap(live.world, "sharer", made.share)


async def test_a_share_of_another_authority_is_not_there_to_be_wrapped_anew(live: Running) -> None:
    made = await released(live.world)
    await rotate(live, "xa")
    with pytest.raises(NotFoundError):
        await rewrap(live.world, "xb", made.share)
    with pytest.raises(ForbiddenError):
        await rewrap(live.world, "auditor", made.share)


async def test_a_recalled_or_suspended_share_is_not_wrapped_anew(live: Running) -> None:
    gone, stopped = await released(live.world), await released(live.world)
    await rotate(live, "xa")
    async with session(live.world, "releaser") as releaser:
        await recall(releaser, gone.share)
    await amend(live.world, stopped.item, consent__status="refused")
    for made in (gone, stopped):
        with pytest.raises(ConflictError):
            await rewrap(live.world, "sharer", made.share)


async def test_a_share_whose_key_was_revoked_returns_after_it_was_wrapped_anew(
    live: Running,
) -> None:
    made = await released(live.world)
    old = name_of(live.world, "xa", Status.ACTIVE)
    await rotate(live, "xa")
    await step(live, old, Step.REVOKE)
    assert set(await suspended(live.world)) == {made.share}
    assert await pull_status(live.world, made.share) == "no"
    await rewrap(live.world, "sharer", made.share)
    assert await suspended(live.world) == {}
    await pulled(live.world, "xa", made.share)
    async with session(live.world, "auditor") as auditor:
        said = [e["kind"] for e in await audit.entries(auditor, 0) if e["subject"] == made.share]
    kinds = ("header.deleted", "share.suspended", "share.rewrapped", "share.resumed")
    assert [kind for kind in said if kind in kinds] == [*kinds]
    assert reconcile.check(live.gateway)["share.rewrapped"] == 1


async def test_a_revocation_deletes_what_nobody_fetched_and_says_what_was(live: Running) -> None:
    fetched, unfetched = await released(live.world), await released(live.world)
    await pulled(live.world, "xa", fetched.share)
    key = name_of(live.world, "xa", Status.ACTIVE)
    await step(live, key, Step.REVOKE)
    with live.gateway.engine.connect() as conn:
        left = {row.share for row in conn.execute(tables.headers.select())}
    assert fetched.share in left
    assert unfetched.share not in left
    async with session(live.world, "auditor") as auditor:
        said: Any = (await auditor.get(f"/v1/keys/{key}/exposure")).json()
    assert (said["status"], said["headers"], said["deleted"], said["next"]) == (
        "revoked", 2, 1, None,
    )  # fmt: skip
    rows = {row["share"]: row for row in said["opens"]}
    assert rows[fetched.share]["fetched"]
    assert rows[fetched.share]["item"] == fetched.item
    assert (rows[unfetched.share]["fetched"], bool(rows[unfetched.share]["deleted"])) == (
        None,
        True,
    )
    async with session(live.world, "xa") as endpoint:
        with pytest.raises(ForbiddenError):
            await endpoint.get(f"/v1/keys/{key}/exposure")


async def test_deletion_goes_on_where_a_crash_cut_it_off(world: World) -> None:
    async with running(world) as live:
        made = await released(world)
        old = name_of(world, "xa", Status.ACTIVE)
        live.gateway.quarantine = "as if it had stopped here"
        key_ceremony.change(world.directory, old, Step.REVOKE)
        assert revoked.delete_unfetched(live.gateway) == 0
    world.sign(days=3000)
    async with running(world) as live:
        with live.gateway.engine.connect() as conn:
            assert not conn.execute(tables.headers.select()).all()
        assert set(await suspended(world)) == {made.share}
        assert revoked.delete_unfetched(live.gateway) == 0


async def test_a_revocation_that_another_server_accepted_stops_pulls_at_once(
    live: Running,
) -> None:
    """The number of the directory is read in each transaction, whatever lies in memory."""
    made = await released(live.world)
    await pulled(live.world, "xa", made.share)
    stale = live.gateway.sets
    await step(live, name_of(live.world, "xa", Status.ACTIVE), Step.REVOKE)
    live.gateway.sets = stale
    assert await pull_status(live.world, made.share) == "no"
    assert live.gateway.sets.directory.number > stale.directory.number


async def test_a_key_revoked_elsewhere_orders_nothing_here_any_more(live: Running) -> None:
    made = await released(live.world)
    await rotate(live, "xa")
    stale = live.gateway.sets
    async with session(live.world, "sharer") as sharer:
        kid = fingerprint(
            next(k for k in live.gateway.sets.directory.member(sharer.folder.profile.actor).keys)
        )
        await step(live, kid, Step.REVOKE)
        live.gateway.sets = stale
        with pytest.raises(UnauthorizedError):
            await sharer.act(
                f"/v1/shares/{made.share}/rewrap", RewrapShare(new_id("rwp"), made.share)
            )


async def test_a_rotation_ends_with_the_old_key_retired_and_its_shares_served(
    live: Running,
) -> None:
    made = await released(live.world)
    old = name_of(live.world, "xa", Status.ACTIVE)
    new = await rotate(live, "xa")
    await step(live, new, Step.ACTIVATE)
    await step(live, old, Step.RETIRE)
    assert {k.status for k in keys_of(live.world, "xa")} == {Status.ACTIVE, Status.RETIRED}
    assert await pull_status(live.world, made.share) == "served"
    await put_into_force(live)
    await asyncio.sleep(0)


async def test_a_pull_that_was_cut_off_before_a_rewrap_goes_on_after_it(live: Running) -> None:
    path = live.world.root / "big.bin"
    path.write_bytes(bytes(3 << 20))
    share = await share_with(live.world, "xa", [source(path)])
    await rotate(live, "xa")
    (old, new) = keys_of(live.world, "xa")
    await step(live, fingerprint(old), Step.RETIRE)
    async with session(live.world, "xa") as endpoint:
        _, inner, _ = await client.offered(endpoint, share)
        work = live.world.root / "out" / f".{share}.partial"
        work.mkdir(parents=True)
        target, part = f"/v1/shares/{share}/items/0", {"Range": f"bytes=0-{(2 << 20) - 1}"}
        (work / "0.age").write_bytes((await endpoint.request("GET", target, b"", part)).body)
        await rewrap(live.world, "xa", share)
        assert inner.items[0].particulars.size == 3 << 20
    got = await pulled(live.world, "xa", share)
    assert (got.folder / "big.bin").read_bytes() == bytes(3 << 20)
    assert new.status is Status.NEXT
