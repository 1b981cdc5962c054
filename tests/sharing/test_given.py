"""How much one recipient has for one case: counted at each release, never past a limit, on either database."""

import asyncio
import importlib
from typing import Any

from sqlalchemy import select, text

from gateway.exchange.acts import Propose
from gateway.kernel.errors import ForbiddenError
from gateway.kernel.ids import new_id
from gateway.store import tables
from gateway.workflows.standing import decide_again
from tests.sharing.steps import Proposed, outcome, proposed, pull_status, released, suspended
from tests.world import Running, package_of, propose, recall, release, session, source

MANY = "{gt: [context.items_given, 200]}"


def limit(live: Running, old: str, new: str) -> None:
    """Change the rule on quantity and have the gateway accept the set."""
    path = live.world.instance / live.world.config.policy / "rules" / "70-quantity.yaml"
    said = path.read_text()
    assert old in said
    path.write_text(said.replace(old, new))
    live.world.sign_policy(untested=True)
    assert live.reload() == []


def given(live: Running, share: str) -> int:
    """Return the count that a decision made now would rest on."""
    with live.gateway.engine.connect() as conn:
        ruling = decide_again(live.gateway, conn, share, live.now())[2]
    assert {facts["context.items_given"] for facts in ruling.facts} == {ruling.given}
    return ruling.given


async def test_of_two_releases_at_once_only_one_passes_the_limit(live: Running) -> None:
    limit(live, MANY, MANY.replace("200", "1"))
    made = [await proposed(live.world), await proposed(live.world)]
    assert [one.answer["outcome"] for one in made] == ["permit", "permit"]
    async with session(live.world, "releaser") as one, session(live.world, "releaser") as two:
        done = await asyncio.gather(
            release(one, made[0].share), release(two, made[1].share), return_exceptions=True
        )
    assert sum(isinstance(answer, dict) for answer in done) == 1
    (refused,) = [answer for answer in done if isinstance(answer, BaseException)]
    assert isinstance(refused, ForbiddenError)
    states = [(await outcome(live.world, one.share))[0] for one in made]
    assert sorted(states) == ["available", "held"]


async def test_of_many_releases_at_once_as_many_pass_as_the_obligation_allows(
    live: Running,
) -> None:
    limit(live, MANY, MANY.replace("200", "0"))
    limit(live, "approval: {head_of_sharing: 1}, max_items: 1000", "max_items: 2")
    made = [await proposed(live.world) for _ in range(4)]
    async with session(live.world, "releaser") as staff:
        done = await asyncio.gather(
            *(release(staff, one.share) for one in made), return_exceptions=True
        )
        assert sum(isinstance(answer, dict) for answer in done) == 2
    states = sorted([(await outcome(live.world, one.share))[0] for one in made])
    assert states == ["available", "available", "denied", "denied"]
    late = await proposed(live.world)
    assert late.answer["decision"]["unmet"] == {"max_items": ["3 of 2"]}


async def test_a_later_release_never_stops_an_earlier_one(live: Running) -> None:
    first = await released(live.world)
    second = await released(live.world)
    assert (given(live, first.share), given(live, second.share)) == (1, 2)
    limit(live, MANY, MANY.replace("200", "1"))
    assert set(await suspended(live.world)) == {second.share}
    assert await pull_status(live.world, first.share) == "served"
    async with session(live.world, "releaser") as releaser:
        await recall(releaser, first.share)
    assert given(live, second.share) == 2, "nor does a recall let one pass that was too many"


async def test_what_may_speak_for_a_suspect_is_not_held_up(live: Running) -> None:
    limit(live, MANY, MANY.replace("200", "0"))
    assert (await proposed(live.world)).answer["outcome"] == "hold"
    assert (await proposed(live.world, exculpatory=True)).answer["outcome"] == "permit"
    assert (await proposed(live.world, exculpatory=False)).answer["outcome"] == "hold"


async def again(live: Running, made: Proposed, authority: str) -> str:
    """Propose the same package once more; return the share."""
    act = Propose(new_id("shr"), made.package, live.world.party(authority))
    async with session(live.world, "sharer") as sharer:
        await sharer.act("/v1/shares", act)
    return act.share


async def test_different_items_of_one_recipient_and_case_count_once_each(live: Running) -> None:
    made = await released(live.world)
    assert given(live, await again(live, made, "xa")) == 1, "the same item is no other one"
    assert given(live, await again(live, made, "xc")) == 1, "another authority of the same state"
    note = live.world.root / "note.txt"
    note.write_text("a note")
    async with session(live.world, "releaser") as staff:
        elsewhere, _ = await package_of(staff, [source(note)], case="case-2")
        here, _ = await package_of(staff, [source(note), source(note, "other.txt")])
        other = (await propose(staff, elsewhere, "xa"))["share"]
        both = (await propose(staff, here, "xa"))["share"]
    assert (given(live, other), given(live, both)) == (1, 3)


async def test_what_was_recalled_counts_if_it_was_pulled_before(live: Running) -> None:
    pulled, not_pulled = await released(live.world), await released(live.world)
    assert await pull_status(live.world, pulled.share) == "served"
    assert given(live, (await proposed(live.world)).share) == 3
    async with session(live.world, "releaser") as releaser:
        await recall(releaser, not_pulled.share)
        await recall(releaser, pulled.share)
    assert given(live, (await proposed(live.world)).share) == 2


async def test_shares_released_before_anything_was_counted_are_counted_by_the_upgrade(
    live: Running,
) -> None:
    made = [await released(live.world) for _ in range(2)]
    made.append(await released(live.world, "xb"))
    upgrade: Any = importlib.import_module("gateway.store.migrations.versions.0004_disclosure")
    rows = select(tables.releases)
    with live.gateway.writer._engine.begin() as conn:
        before = {tuple(row) for row in conn.execute(rows)}
        assert {row[3] for row in before} == {1, 2}
        conn.execute(text("DROP TABLE releases"))
        tables.releases.create(conn)
        upgrade._count_earlier(conn)
        assert {tuple(row) for row in conn.execute(rows)} == before
    assert [given(live, one.share) for one in made] == [1, 2, 1]
