"""A source's file of terms decides for all its items: at once, until it ends, and against what is stated."""

from datetime import timedelta

import pytest

from gateway.kernel.errors import GatewayError
from gateway.workflows import upkeep
from tests.sharing.steps import amend, outcome, proposed, pull_status, released, suspended
from tests.world import Running, in_days

HEAD = "source: club\nname: A club\nterms:\n"


def terms(live: Running, *said: str) -> None:
    """Write the club's file and have the gateway accept it; each of *said* is `fact: value`."""
    folder = live.world.instance / live.world.config.policy / "sources"
    lines = [
        f"- {{fact: {one.partition(': ')[0]}, value: {one.partition(': ')[2]}, evidence: a form}}\n"
        for one in said
    ]
    (folder / "club.yaml").write_text(HEAD + ("".join(lines) or "  []\n"))
    live.world.sign_policy(untested=True)
    assert live.reload() == []


async def test_a_term_stands_whatever_the_depositor_stated(live: Running) -> None:
    terms(live, "item.consent.status: consult_first")
    made = await proposed(live.world, source="club")
    assert made.answer["outcome"] == "hold"
    assert made.answer["missing"] == {"consultation:source": 1}
    terms(live, "item.consent.status: refused")
    assert await outcome(live.world, made.share) == ("denied", "deny")
    terms(live, "item.consent.status: granted")
    stated = await proposed(live.world, source="club", consent__status="refused")
    assert stated.answer["outcome"] == "permit"
    own = await proposed(live.world, consent__status="refused")
    assert own.answer["outcome"] == "deny", "an item of no source keeps what was stated"


async def test_an_item_of_a_source_without_a_file_is_denied(live: Running) -> None:
    made = await proposed(live.world, source="nobody-knows")
    assert made.answer["outcome"] == "deny"
    rules = {fired["rule"] for fired in made.answer["decision"]["fired"]}
    assert {"consent.refused", "consent.recipients", "originator.approval"} <= rules


async def test_a_changed_file_stops_every_share_of_its_source_and_no_other(live: Running) -> None:
    terms(live, "item.consent.status: granted")
    made, other = await released(live.world, source="club"), await released(live.world)
    terms(live, "item.consent.excluded: [XA]")
    assert set(await suspended(live.world)) == {made.share}
    assert await pull_status(live.world, made.share) == "no"
    assert await pull_status(live.world, other.share) == "served"
    terms(live, "item.consent.status: granted")
    assert await suspended(live.world) == {}


async def test_a_term_that_ends_stops_its_shares_by_the_clock_alone(live: Running) -> None:
    terms(live, f"item.consent.status: granted, valid_to: {in_days(10)}")
    made = await released(live.world, source="club")
    assert made.answer["decision"]["good_until"] == in_days(10)
    live.skew = timedelta(days=10)
    upkeep.every_minute(live.gateway)
    live.skew = timedelta(0)
    assert await suspended(live.world) == {}, "its last day counts"
    live.skew = timedelta(days=11)
    upkeep.every_minute(live.gateway)
    live.skew = timedelta(0)
    assert set(await suspended(live.world)) == {made.share}


async def test_a_withdrawal_for_one_item_is_not_overruled_by_its_source_s_file(
    live: Running,
) -> None:
    terms(live, "item.consent.status: granted")
    made = await released(live.world, source="club")
    other = await released(live.world, source="club")
    await amend(live.world, made.item, consent__status="refused")
    assert set(await suspended(live.world)) == {made.share}
    await amend(live.world, made.item, consent__status="granted")
    assert await suspended(live.world) == {}
    await amend(live.world, other.item, source="nobody-knows")
    assert set(await suspended(live.world)) == {other.share}


async def test_what_the_gateway_finds_out_itself_is_stated_by_nobody(live: Running) -> None:
    with pytest.raises(GatewayError, match="found out by the gateway"):
        await proposed(live.world, product="information")
    made = await proposed(live.world)
    with pytest.raises(GatewayError, match="found out by the gateway"):
        await amend(live.world, made.item, suite="pq")
