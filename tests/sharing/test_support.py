"""What a decision asks of a recipient's system, and the system has not announced, means deny."""

import pytest

from gateway.client import ceremony
from gateway.exchange.terms import SUPPORTS
from tests.sharing.rules import ask_for
from tests.sharing.steps import proposed, pull_status, released, suspended
from tests.world import Running, World, session


def support(world: World, *kinds: str) -> None:
    """Enter what the endpoint of `xa` honours, and sign that."""
    ceremony.set_supports(world.directory, "xa-prosecutor", kinds)
    world.sign(days=3000)


@pytest.mark.parametrize("lost", ["handling", "onward", "purposes"])
async def test_a_kind_that_was_not_announced_is_denied(live: Running, lost: str) -> None:
    support(live.world, *(kind for kind in SUPPORTS if kind != lost))
    assert live.reload() == []
    made = await proposed(live.world)
    assert made.answer["outcome"] == "deny"
    assert made.answer["decision"]["unmet"] == {"support": [lost]}
    assert (await proposed(live.world, "xb")).answer["outcome"] == "permit", "xb announced all"


async def test_what_no_rule_asks_for_need_not_be_announced(live: Running) -> None:
    support(live.world, "handling", "onward", "purposes")
    assert live.reload() == []
    assert (await proposed(live.world)).answer["outcome"] == "permit"
    for terms, kind in (("{expiry_days: 30}", "expiry_days"), ("{terms: signed}", "terms")):
        ask_for(live.world, terms)
        assert live.reload() == []
        made = await proposed(live.world)
        assert made.answer["decision"]["unmet"] == {"support": [kind]}


async def test_support_that_ends_suspends_and_support_that_returns_resumes(live: Running) -> None:
    made, other = await released(live.world), await released(live.world, "xb")
    support(live.world, *(kind for kind in SUPPORTS if kind != "onward"))
    assert live.reload() == []
    assert await pull_status(live.world, made.share) == "no"
    assert await pull_status(live.world, other.share, "xb") == "served"
    why = (await suspended(live.world))[made.share]
    assert (why["cause"], why["unmet"], why["reasons"]) == (
        "decision", {"support": ["onward"]}, ["terms"],
    )  # fmt: skip
    support(live.world, *SUPPORTS)
    assert live.reload() == []
    assert await suspended(live.world) == {}
    assert await pull_status(live.world, made.share) == "served"


async def test_the_view_says_what_an_endpoint_announced(live: Running) -> None:
    support(live.world, "onward", "handling")
    assert live.reload() == []
    async with session(live.world, "xa") as endpoint:
        view = (await endpoint.get("/v1/directory")).json()
    entries: list[dict[str, dict[str, object]]] = view["entries"]  # type: ignore[assignment]
    (mine,) = [e["party"] for e in entries if e["party"]["kind"] == "authority"]
    assert mine["supports"] == ["handling", "onward"]
