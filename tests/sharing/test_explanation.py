"""A recorded decision is explained as it was made; of every authority it is said what it lacks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange.parties import Role
from gateway.kernel.errors import ConflictError, ForbiddenError, NotFoundError
from gateway.kernel.ids import new_id
from gateway.policy import load
from gateway.store import shares as store
from tests.sharing.steps import amend, approve, attest, consult, proposed
from tests.world import POLICIES, Running, World, package_of, propose, session, source


async def explained(world: World, share: str, decision: int | None = None) -> dict[str, Any]:
    which = "" if decision is None else f"?decision={decision}"
    async with session(world, "sharer") as sharer:
        return dict((await sharer.get(f"/v1/shares/{share}/explanation{which}")).json())


async def test_a_recorded_decision_is_explained_from_its_own_facts(live: Running) -> None:
    made = await proposed(live.world, consent__status="refused", sgbv=True)
    found = await explained(live.world, made.share)
    assert (found["n"], found["stage"], found["recomputed"]) == (0, "propose", True)
    said = found["explanation"]
    assert said["outcome"] == "deny"
    (group,) = said["groups"]
    (rule,) = [r for r in group["rules"] if r["rule"] == "consent.refused"]
    assert rule["condition"]["recorded"] == "refused"
    assert group["names"] == [Path(name).name for name in group["names"]]
    (way,) = said["missing"]["ways"]
    assert way[0] == "ask the source for its consent: granted"
    assert found["told"] == {"outcome": "not available", "reasons": ["consent"]}
    await amend(live.world, made.item, consent__status="granted")
    assert (await explained(live.world, made.share))["explanation"] == said, "what was then, was"


async def test_each_decision_counts_the_clearances_that_were_given_by_then(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    await approve(live.world, "legal", made.share, Role.LEGAL_ADVISER)
    first = await explained(live.world, made.share, 0)
    assert first["explanation"]["clearances"] == []
    assert set(first["explanation"]["lacking"]) == {
        "approval:legal_adviser",
        "approval:victims_unit",
    }
    second = await explained(live.world, made.share)
    assert (second["n"], second["stage"], second["recomputed"]) == (1, "approve", True)
    (given,) = second["explanation"]["clearances"]
    assert (given["obligation"], given["counts"]) == ("approval:legal_adviser", True)
    assert second["explanation"]["missing"]["ways"][0] == ["an approval as victims unit"]
    assert second["told"] == {"outcome": "not available", "reasons": ["other"]}
    await approve(live.world, "victims", made.share, Role.VICTIMS_UNIT)
    third = await explained(live.world, made.share)
    assert third["explanation"]["missing"] is None
    assert third["told"] == {"outcome": "permit", "reasons": []}
    with live.gateway.engine.connect() as conn:
        assert third["decision"] == store.decided(conn, made.share).digest


async def test_several_items_are_explained_in_groups(live: Running) -> None:
    paths = [live.world.root / f"{name}.txt" for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    async with session(live.world, "sharer") as sharer:
        plain = [source(path) for path in paths[:2]]
        package, _ = await package_of(sharer, [*plain, source(paths[2], witness_protected=True)])
        made = await propose(sharer, package, "xa")
    said = (await explained(live.world, made["share"]))["explanation"]
    names = {tuple(group["names"]): group["outcome"] for group in said["groups"]}
    assert names == {("a.txt", "b.txt"): "permit", ("c.txt",): "permit"}, "by the rules alone"
    assert (said["outcome"], said["rules_say"]) == ("deny", "permit")
    assert said["unmet"] == {"redact": ["witness_identity"]}
    ways = [what for way in said["missing"]["ways"] for what in way]
    assert "a derivative without witness identity" in ways


async def test_only_the_mechanism_reads_explanations_and_only_of_what_there_is(
    live: Running,
) -> None:
    made = await proposed(live.world)
    async with session(live.world, "xa") as endpoint:
        with pytest.raises(ForbiddenError, match="only the mechanism"):
            await endpoint.get(f"/v1/shares/{made.share}/explanation")
    with pytest.raises(NotFoundError, match="no such share"):
        await explained(live.world, new_id("shr"))
    with pytest.raises(NotFoundError, match="no such decision"):
        await explained(live.world, made.share, 7)


async def test_a_decision_is_explained_by_the_set_that_made_it_and_by_no_other(
    live: Running,
) -> None:
    made = await proposed(live.world)
    before = (await explained(live.world, made.share, 0))["explanation"]
    rules = live.world.policy / "rules" / "99-new.yaml"
    rules.write_text(
        "rules: [{id: new, effect: deny, title: t, basis: b, when: {eq: [item.sgbv, true]}}]\n"
    )
    signed = live.gateway.sets
    folder = live.world.policy
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.yaml")}
    live.gateway.sets = replace(signed, policy=load(files))  # as no gateway would: it is not kept
    other = await proposed(live.world)
    live.gateway.sets = signed
    with pytest.raises(ConflictError, match="not kept; gateway share show"):
        await explained(live.world, other.share, 0)
    live.world.sign_policy(untested=True)
    assert live.reload() == []
    found = await explained(live.world, made.share, 0)
    assert (found["explanation"], found["recomputed"]) == (before, True)


async def test_a_match_names_every_jurisdiction_and_what_each_lacks(live: Running) -> None:
    await attest(live.world, "recipient.death_penalty", "retained", "XB")
    path = live.world.root / "note.txt"
    path.write_text("what many should know")
    async with session(live.world, "sharer") as sharer:
        package, (record,) = await package_of(sharer, [source(path)])
        target = f"/v1/packages/{package}/matches?items=1"
        found: Any = (await sharer.get(target)).json()["matches"]
    rows = {row["short"] or row["jurisdiction"]: row for row in found}
    jurisdictions = {p.stem.upper() for p in (POLICIES / "jurisdictions").glob("*.yaml")}
    assert {row["jurisdiction"] for row in found} == jurisdictions
    assert rows["xa-prosecutor"]["ways"] == []
    (way,) = rows["xb-prosecutor"]["ways"]
    assert way == ["ask the recipient's state for the assurance: death penalty"]
    assert rows["XE"]["authority"] is None
    assert rows["XE"]["missing"] == {"enrolment": 1}
    assert rows["XE"]["ways"] == [["an authority of XE, enrolled in the directory"]]
    assert rows["XM"]["ways"] == []
    assert rows["XM"]["ways_complete"] is True
    assert rows["XE"]["items"] == [{"item": record.item, "name": "note.txt", "outcome": "permit"}]
    async with session(live.world, "sharer") as sharer:
        short: Any = (await sharer.get(f"/v1/packages/{package}/matches")).json()["matches"]
    assert {row["items"] is None for row in short} == {True}


async def test_a_consultation_on_record_ends_what_is_missing(live: Running) -> None:
    made = await proposed(live.world, consent__status="consult_first")
    ways = (await explained(live.world, made.share))["explanation"]["missing"]["ways"]
    assert ["the agreement of the source, consulted"] in ways
    await consult(live.world, "liaison", made.share, "source")
    assert (await explained(live.world, made.share))["explanation"]["outcome"] == "permit"
