"""Whatever ends a permit stops pulls at once, running ones too, shows why, and returns when permit does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway import wiring
from gateway.client import audit, ceremony, rfas
from gateway.exchange.acts import ReopenRfa
from gateway.exchange.parties import Use
from gateway.kernel.errors import ConflictError, GatewayError
from gateway.kernel.ids import new_id
from gateway.store import shares
from gateway.workflows import suspend, upkeep
from tests.sharing.steps import (
    amend,
    attest,
    end,
    outcome,
    proposed,
    pull_status,
    released,
    suspended,
)
from tests.web.harness import caller, socket_to
from tests.world import (
    Running,
    World,
    admitted_rfa,
    assess,
    in_days,
    package_of,
    propose,
    recall,
    release,
    running,
    session,
    sign_off,
    source,
)

BIG = bytes(40 << 20)  # more than the buffers of two sockets hold


def change_rule(world: World, old: str, new: str) -> None:
    path = world.instance / world.config.policy / "rules" / "20-consent.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    world.sign_policy(untested=True)


async def test_a_new_policy_set_suspends_and_the_old_one_brings_back(live: Running) -> None:
    made = await released(live.world)
    change_rule(live.world, "{eq: [item.consent.status, refused]}", "true")
    assert live.reload() == []
    assert await pull_status(live.world, made.share) == "no"
    why = (await suspended(live.world))[made.share]
    assert (why["cause"], why["rules"]) == ("decision", ["consent.refused"])
    change_rule(live.world, "when: true", "when: {eq: [item.consent.status, refused]}")
    assert len(live.reload()) == 1, "what was denied by now would be permitted"
    await sign_off(live.world)
    assert live.reload() == []
    assert await pull_status(live.world, made.share) == "served"
    assert await suspended(live.world) == {}


async def test_a_withdrawn_consent_suspends_just_the_shares_of_that_item(live: Running) -> None:
    made, other = await released(live.world), await released(live.world)
    await amend(live.world, made.item, consent__status="refused")
    assert await pull_status(live.world, made.share) == "no"
    assert await pull_status(live.world, other.share) == "served"
    assert set(await suspended(live.world)) == {made.share}
    assert (await outcome(live.world, made.share))[0] == "available", "suspended is no state"
    await amend(live.world, made.item, consent__status="granted")
    assert await pull_status(live.world, made.share) == "served"
    async with session(live.world, "auditor") as auditor:
        said = [e["kind"] for e in await audit.entries(auditor, 0) if e["subject"] == made.share]
    assert [kind for kind in said if kind in ("share.suspended", "share.resumed")] == [
        "share.suspended",
        "share.resumed",
    ]


async def test_a_lapsed_assurance_suspends_by_the_clock_alone(live: Running) -> None:
    await attest(live.world, "recipient.death_penalty", "retained", days=(0, 900))
    await attest(live.world, "recipient.assurances", ["death_penalty"], case="case-1", days=(0, 10))
    made = await released(live.world)
    live.skew = timedelta(days=11)
    upkeep.every_minute(live.gateway)
    found = suspend.listed(live.gateway)["suspended"]
    assert [row["share"] for row in found] == [made.share]  # type: ignore[union-attr,index,call-overload]
    live.skew = timedelta(0)
    await attest(
        live.world, "recipient.assurances", ["death_penalty"], case="case-1", days=(0, 100)
    )
    live.skew = timedelta(days=11)
    upkeep.every_minute(live.gateway)
    suspend.sweep(live.gateway)
    assert suspend.listed(live.gateway)["suspended"] == []


async def test_an_ended_assurance_suspends_at_once(live: Running) -> None:
    await attest(live.world, "recipient.death_penalty", "retained")
    made_up = await attest(live.world, "recipient.assurances", ["death_penalty"], case="case-1")
    made = await released(live.world)
    await end(live.world, made_up)
    assert await pull_status(live.world, made.share) == "no"
    assert set(await suspended(live.world)) == {made.share}


async def test_a_revoked_envelope_key_suspends_what_it_could_open(live: Running) -> None:
    made = await released(live.world)
    party = ceremony.find_party(live.world.directory, "xa-prosecutor")
    (key,) = [k for m in party.members for k in m.keys if k.use is Use.ENVELOPE]
    ceremony.revoke(live.world.directory, key.kid)
    live.world.sign(days=3000)
    assert live.reload() == []
    assert await pull_status(live.world, made.share) == "no"
    why = (await suspended(live.world))[made.share]
    assert why == {"cause": "key", "keys": [key.public]}


async def test_a_withdrawn_rfa_suspends_what_was_released_for_it(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    note = live.world.root / "note.txt"
    note.write_text("a note")
    async with session(live.world, "releaser") as staff, session(live.world, "xa") as endpoint:
        package, _ = await package_of(staff, [source(note)], rfa=rfa)
        share = str((await propose(staff, package, "xa"))["share"])
        await release(staff, share)
        assert await pull_status(live.world, share) == "served"
        await rfas.withdraw(endpoint, rfa)
    assert await pull_status(live.world, share) == "no"
    assert set(await suspended(live.world)) == {share}


async def test_a_suspended_share_tells_its_recipient_no_reason(live: Running) -> None:
    made = await released(live.world)
    await amend(live.world, made.item, consent__status="refused")
    async with session(live.world, "xa") as endpoint:
        for path in ("manifest", "items/0"):
            with pytest.raises(ConflictError) as refused:
                await endpoint.get(f"/v1/shares/{made.share}/{path}")
            assert str(refused.value) == "the share is suspended"


async def test_a_suspended_share_survives_a_restart_and_can_be_recalled(world: World) -> None:
    async with running(world):
        made = await released(world)
        await amend(world, made.item, consent__status="refused")
    async with running(world):
        assert set(await suspended(world)) == {made.share}
        async with session(world, "releaser") as releaser:
            assert (await recall(releaser, made.share))["state"] == "recalled"
        assert await suspended(world) == {}, "a recall is the end of it"


async def test_a_change_while_the_gateway_is_down_suspends_at_its_start(world: World) -> None:
    async with running(world):
        made = await released(world)
    change_rule(world, "{eq: [item.consent.status, refused]}", "true")
    async with running(world):
        assert set(await suspended(world)) == {made.share}


async def test_an_open_proposal_expires_and_is_proposed_again(live: Running) -> None:
    made = await proposed(live.world)
    held = await proposed(live.world, sgbv=True)
    live.skew = timedelta(days=29)
    upkeep.every_minute(live.gateway)
    assert (await outcome_now(live, made.share), await outcome_now(live, held.share)) == (
        "proposed", "held",
    )  # fmt: skip
    live.skew = timedelta(days=31)
    upkeep.every_minute(live.gateway)
    live.skew = timedelta(0)
    assert (await outcome(live.world, made.share))[0] == "expired"
    assert (await outcome(live.world, held.share))[0] == "expired"
    async with session(live.world, "releaser") as staff:
        with pytest.raises(ConflictError, match="cannot release a share that is expired; nothing"):
            await release(staff, made.share)
        again = await propose(staff, made.package, "xa")
        assert again["state"] == "proposed"


async def outcome_now(live: Running, share: str) -> str:
    with live.gateway.engine.connect() as conn:
        return shares.get(conn, share).state.value


async def _stopped_within(
    live: Running, share: str, change: Callable[[], Awaitable[object]]
) -> float:
    """Stall in the middle of a download, make a change; return how soon after it the server had let go."""
    async with socket_to(live.world.config.port) as (reader, writer):
        writer.write(caller(live.world, "xa").raw("GET", f"/v1/shares/{share}/items/0"))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1000)
        await change()
        begun = time.monotonic()
        async with asyncio.timeout(10):
            while live.gateway.underway:
                await asyncio.sleep(0.01)
        took = time.monotonic() - begun
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(len(BIG))
        return took


@pytest.mark.parametrize("cause", ["policy", "consent", "assurance", "key"])
async def test_a_running_download_is_broken_off(live: Running, cause: str) -> None:
    """Within a second: the decision is made again twice a second, beside the sending."""
    path = live.world.root / "big.bin"
    path.write_bytes(BIG)
    await attest(live.world, "recipient.death_penalty", "retained")
    paper = await attest(live.world, "recipient.assurances", ["death_penalty"], case="case-1")
    async with session(live.world, "releaser") as staff:
        package, (record,) = await package_of(staff, [source(path)])
        share = str((await propose(staff, package, "xa"))["share"])
        await release(staff, share)

    async def change() -> None:
        if cause == "consent":
            await amend(live.world, record.item, consent__status="refused")
        elif cause == "assurance":
            await end(live.world, paper)
        elif cause == "policy":
            change_rule(live.world, "{eq: [item.consent.status, refused]}", "true")
            await asyncio.to_thread(
                wiring.reload_sets, live.gateway, live.world.instance, live.world.config
            )
        else:
            party = ceremony.find_party(live.world.directory, "xa-prosecutor")
            (key,) = [k for m in party.members for k in m.keys if k.use is Use.ENVELOPE]
            ceremony.revoke(live.world.directory, key.kid)
            live.world.sign(days=3000)
            await asyncio.to_thread(
                wiring.reload_sets, live.gateway, live.world.instance, live.world.config
            )

    took = await _stopped_within(live, share, change)
    print(f"{cause}: broken off {took:.2f} s after the change")
    with pytest.raises(GatewayError):
        async with session(live.world, "xa") as endpoint:
            await endpoint.get(f"/v1/shares/{share}/items/0")


async def test_a_reopened_rfa_passes_admissibility_anew_before_its_shares_return(
    live: Running,
) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    note = live.world.root / "note.txt"
    note.write_text("a note")
    async with session(live.world, "releaser") as staff, session(live.world, "xa") as endpoint:
        package, _ = await package_of(staff, [source(note)], rfa=rfa)
        share = str((await propose(staff, package, "xa"))["share"])
        await release(staff, share)
        await rfas.withdraw(endpoint, rfa)
    async with session(live.world, "officer") as officer:
        act = ReopenRfa(new_id("stp"), rfa, in_days(30), "they asked by telephone")
        await officer.act(f"/v1/rfas/{rfa}/steps", act)
        assert set(await suspended(live.world)) == {share}
        await assess(officer, rfa)
    assert await suspended(live.world) == {}
    assert await pull_status(live.world, share) == "served"
