"""Sharing unasked: who could receive it, one package to many, and nobody learns of the others."""

from typing import Any

import pytest

from gateway.client import pull
from gateway.exchange.acts import Declare
from gateway.exchange.history_acts import DeclaredHolder
from gateway.exchange.shares import State
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import ForbiddenError, NotFoundError
from gateway.kernel.ids import new_id
from gateway.store import shares as store
from tests.sharing.steps import attest, consult, proposed
from tests.world import Running, World, package_of, propose, release, session, source


async def match(world: World, package: str) -> dict[str, dict[str, Any]]:
    async with session(world, "sharer") as sharer:
        found: Any = (await sharer.get(f"/v1/packages/{package}/matches")).json()["matches"]
    return {row["short"]: row for row in found if row["authority"]}


async def packaged(world: World, **facts: Any) -> tuple[str, str, str]:
    """Deposit a note; return its package, item, and the plaintext's digest."""
    path = world.root / "note.txt"
    path.write_text("what many should know")
    async with session(world, "sharer") as sharer:
        package, (record,) = await package_of(sharer, [source(path, None, "pq", **facts)])
    return package, record.item, hex_sha256(path.read_bytes())


async def test_a_match_says_of_every_authority_what_it_would_get_or_lack(live: Running) -> None:
    await attest(live.world, "recipient.death_penalty", "retained", "XB")
    package, _, _ = await packaged(live.world, consent__status="consult_first")
    found = await match(live.world, package)
    assert {short: row["outcome"] for short, row in found.items()} == {
        "xa-prosecutor": "hold",
        "xb-prosecutor": "deny",
        "xc-prosecutor": "hold",
    }
    assert found["xa-prosecutor"]["missing"] == {"consultation:source": 1}
    assert found["xa-prosecutor"]["obligations"]["onward"] == "with_consent"
    assert found["xb-prosecutor"]["rules"] == ["rights.death_penalty"]
    assert "no assurance is on file" in found["xb-prosecutor"]["explanation"]
    with live.gateway.engine.connect() as conn:
        assert store.of_package(conn, package) == [], "asking proposes nothing"


async def test_a_match_is_what_proposing_then_decides(live: Running) -> None:
    await attest(live.world, "recipient.competent", False, "XB")
    package, _, _ = await packaged(live.world)
    said = {short: row["outcome"] for short, row in (await match(live.world, package)).items()}
    async with session(live.world, "sharer") as sharer:
        for code in ("xa", "xb", "xc"):
            made = await propose(sharer, package, code)
            assert made["outcome"] == said[f"{code}-prosecutor"]
    after = await match(live.world, package)
    assert [row["state"] for row in after.values()] == ["proposed", None, "proposed"]


async def test_only_the_mechanism_may_ask(live: Running) -> None:
    package, item, _ = await packaged(live.world)
    async with session(live.world, "xa") as endpoint:
        for target in (f"/v1/packages/{package}/matches", f"/v1/items/{item}/holders"):
            with pytest.raises(ForbiddenError, match="only the mechanism"):
                await endpoint.get(target)
    with pytest.raises(NotFoundError, match="no such package"):
        await match(live.world, new_id("pkg"))


async def test_one_package_goes_to_many_by_one_signed_order_each(live: Running) -> None:
    package, _, _ = await packaged(live.world)
    shares = {}
    async with session(live.world, "releaser") as staff:
        for code in ("xa", "xb", "xc"):
            shares[code] = str((await propose(staff, package, code))["share"])
        for share in shares.values():
            await release(staff, share)
    orders = set()
    with live.gateway.engine.connect() as conn:
        orders = {store.event_in(conn, s, State.RELEASED).order for s in shares.values()}
    assert len(orders) == 3
    for code, share in shares.items():
        async with session(live.world, code) as endpoint:
            (told,) = await pull.inbox(endpoint)
            assert told.share == share
            done = await pull.pull(endpoint, share, live.world.root / code, lambda _: None)
            assert done.inner.basis == {"mode": "proactive"}, "not even the rationale goes out"
            for other in set(shares.values()) - {share}:
                with pytest.raises(NotFoundError):
                    await endpoint.get(f"/v1/shares/{other}/manifest")


async def test_the_map_of_holders_tells_signed_from_declared(live: Running) -> None:
    package, item, digest = await packaged(live.world)
    async with session(live.world, "releaser") as staff:
        for code in ("xa", "xb"):
            share = str((await propose(staff, package, code))["share"])
            await release(staff, share)
        async with session(live.world, "xa") as endpoint:
            await pull.pull(endpoint, share_of(live, "xa"), live.world.root / "x", lambda _: None)
        async with session(live.world, "auditor") as auditor:
            row = DeclaredHolder(digest, "xc-prosecutor", "asylum", "2021-03-04")
            await auditor.act("/v1/declarations", Declare(new_id("dcl"), "7" * 64, (row,)))
        found: Any = (await staff.get(f"/v1/items/{item}/holders")).json()["holders"]
    told = {row["authority"]: (row["origin"], row["purpose"]) for row in found}
    assert told == {
        live.world.party("xa"): ("signed", "criminal"),
        live.world.party("xc"): ("declared", "asylum"),
    }, "xb was offered it, and has not pulled it"


def share_of(live: Running, code: str) -> str:
    """Return the one share of an authority."""
    with live.gateway.engine.connect() as conn:
        (found,) = store.in_states(conn, State, recipients=[live.world.party(code)])
    return found.id


async def test_status_says_what_waits_for_whom(live: Running) -> None:
    held = await proposed(live.world, sgbv=True)
    await proposed(live.world)
    consulted = await proposed(live.world, consent__status="consult_first")
    await consult(live.world, "liaison", consulted.share, "source")
    async with session(live.world, "sharer") as sharer:
        found: Any = (await sharer.get("/v1/status")).json()
    waits = {row["share"]: row["waits_for"] for row in found["shares"]}
    assert waits[held.share] == "approval:legal_adviser, approval:victims_unit"
    assert waits[consulted.share] == "releaser: release"
    assert len(waits) == 3
    assert found["quarantine"] is None and found["stuck"] == {}


async def test_events_are_followed_by_a_cursor_without_gaps(live: Running) -> None:
    async with session(live.world, "sharer") as sharer:
        start: Any = (await sharer.get("/v1/events")).json()["next"]
        await packaged(live.world)
        first: Any = (await sharer.get(f"/v1/events?after={start}&wait=5")).json()
        assert [e["kind"] for e in first["events"]] == ["item.deposited", "package.made"]
        assert [e["index"] for e in first["events"]] == [start, start + 1]
        assert first["next"] == start + 2
        again: Any = (await sharer.get(f"/v1/events?after={first['next']}&wait=0")).json()
        assert again == {"events": [], "next": first["next"]}
        assert set(first["events"][0]) == {"index", "entry", "kind", "time", "subject"}
