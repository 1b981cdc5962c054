"""Whatever an RFA's authority does not get is on record, and exculpatory items were looked at by a named person."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.client import audit, ceremony, pull
from gateway.client.rfas import seal_for
from gateway.client.session import Session
from gateway.client.trust import refresh_directory
from gateway.exchange.acts import (
    AnswerRfa,
    Basis,
    CloseRfa,
    DeclineRfa,
    MakePackage,
    Product,
    Propose,
    ReviewWithheld,
)
from gateway.exchange.parties import Role
from gateway.exchange.rfa_acts import CheckName
from gateway.exchange.withheld_acts import Finding
from gateway.kernel.errors import ConflictError, ForbiddenError, GatewayError, NotFoundError
from gateway.kernel.ids import new_id
from tests import reconcile
from tests.sharing.steps import File, amend, deposited, derived
from tests.world import Running, World, admitted_rfa, assess, propose, recall, release, session

UPHELD, DISCLOSE = Finding.UPHELD, Finding.DISCLOSE
REFUSED: dict[str, Any] = {"consent__status": "refused"}


async def packed(world: World, rfa: str, *files: File, who: str = "sharer") -> str:
    """Make a package of deposited files for an RFA."""
    basis = Basis("requested", "criminal", "case-1", rfa=rfa)
    act = MakePackage(new_id("pkg"), Product.EVIDENCE, basis, tuple(file.item for file in files))
    async with session(world, who) as sharer:
        await sharer.act("/v1/packages", act)
    return act.id


async def sent(world: World, rfa: str, *files: File, who: str = "sharer") -> dict[str, Any]:
    """Make a package for an RFA of xa, and propose it."""
    package = await packed(world, rfa, *files, who=who)
    async with session(world, who) as sharer:
        return await propose(sharer, package, "xa")


async def released(world: World, rfa: str, *files: File) -> dict[str, Any]:
    """Make a package for an RFA of xa, propose and release it; return the release's answer."""
    share = (await sent(world, rfa, *files))["share"]
    async with session(world, "releaser") as releaser:
        return await release(releaser, str(share))


async def kept_back(world: World, rfa: str, who: str = "officer") -> list[dict[str, Any]]:
    """Return what is kept back from an RFA's authority."""
    async with session(world, who) as officer:
        found: Any = (await officer.get(f"/v1/rfas/{rfa}/withheld")).json()
    assert found["rfa"] == rfa
    return list(found["withheld"])


async def rows(who: Session, target: str, name: str) -> list[Any]:
    answer: Any = (await who.get(target)).json()
    return list(answer[name])


async def causes(world: World, rfa: str) -> list[tuple[str, str]]:
    """Return item and cause of what is kept back, in order of their names."""
    return sorted((one["item"], one["cause"]) for one in await kept_back(world, rfa))


async def review(
    world: World, withheld: str, finding: Finding = UPHELD, who: str = "reviewer"
) -> dict[str, Any]:
    act = ReviewWithheld(new_id("rvw"), withheld, finding, "it names a protected witness")
    async with session(world, who) as person:
        return dict(await person.act(f"/v1/withheld/{withheld}/review", act))


async def sealed(officer: Session, text: str = "Here is what we have") -> str:
    directory = await refresh_directory(officer)
    return seal_for(directory.party("xa-prosecutor"), text.encode(), datetime.now(UTC))


async def answered(world: World, rfa: str, *shares: str, who: str = "officer") -> str:
    """Answer an RFA with these shares, or no material; return the entry."""
    async with session(world, who) as officer:
        outcome: Any = "packages" if shares else "no_material"
        act = AnswerRfa(new_id("stp"), rfa, outcome, shares, await sealed(officer))
        return str((await officer.act(f"/v1/rfas/{rfa}/steps", act))["entry"])


async def closed(world: World, rfa: str) -> None:
    async with session(world, "officer") as officer:
        await officer.act(f"/v1/rfas/{rfa}/steps", CloseRfa(new_id("stp"), rfa))


def person(live: Running, who: str) -> str:
    """Return the id of a person of staff."""
    (found,) = [
        member.id
        for member in live.gateway.sets.directory.mechanism().members
        if member.name == f"Person {who}"
    ]
    return found


def enrol(live: Running, who: str, *roles: Role) -> str:
    """Add a person to the running mechanism; return her id."""
    live.world.add_staff(who, *roles)
    live.world.sign(days=3000)
    assert live.reload() == []
    return person(live, who)


# --- denied -----------------------------------------------------------------------------------------
async def test_one_denied_item_of_three_is_on_record_with_its_rules_and_a_reviewer(
    live: Running,
) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    good, other = await deposited(world, b"one"), await deposited(world, b"two", exculpatory=True)
    bad = await deposited(world, b"three", exculpatory=True, **REFUSED)
    share = await sent(world, rfa, good, bad, other)
    assert share["state"] == "denied"
    (one,) = await kept_back(world, rfa)
    assert (one["item"], one["cause"], one["share"]) == (bad.item, "denied", share["share"])
    assert one["why"] == {"rules": ["consent.refused"], "reasons": ["consent"], "unmet": {}}
    assert (one["evidence_number"], one["exculpatory"], one["review"]) == ("E-1", True, None)
    assert (one["due"], one["offered"], one["to_disclose"]) == (True, False, False)
    assert one["reviewer"] == person(live, "reviewer")
    assert one["proposer"] == person(live, "sharer")
    await sent(world, rfa, bad, who="releaser")
    denied = [row for row in await kept_back(world, rfa) if row["cause"] == "denied"]
    assert [row["withheld"] for row in denied] == [one["withheld"]], (
        "denied again, it is there once"
    )
    assert reconcile.check(live.gateway)["item.withheld"] == len(await kept_back(world, rfa))


async def test_what_is_unmet_of_one_item_keeps_back_that_one(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    shown: dict[str, Any] = {"witness_protected": True, "exculpatory": True}
    witness = await deposited(live.world, b"My name is Maria", **shown)
    plain = await deposited(live.world, b"a plain note")
    assert (await sent(live.world, rfa, plain, witness))["state"] == "denied"
    (one,) = await kept_back(live.world, rfa)
    assert one["item"] == witness.item
    assert one["why"]["unmet"] == {"redact": ["witness_identity"]}
    assert one["why"]["reasons"] == ["protection"]
    assert [rule.partition(".")[0] for rule in one["why"]["rules"]] == ["protect"]
    made = await derived(live.world, witness, ("witness_identity",), witness_protected=True)
    done = await released(live.world, rfa, plain, made)
    assert done["withheld_unreviewed"] == [], "its derivative went out"
    (one,) = await kept_back(live.world, rfa)
    assert (one["offered"], one["due"]) == (True, False)
    await answered(live.world, rfa, done["share"])
    await closed(live.world, rfa)
    assert len(await kept_back(live.world, rfa)) == 1, "the derivative stands for the original"


# --- omitted ----------------------------------------------------------------------------------------
async def test_what_is_denied_only_together_is_on_record_too(live: Running) -> None:
    """Nobody may learn less by being sent more: all of such a share is kept back until it is offered."""
    path = live.world.instance / live.world.config.policy / "rules" / "70-quantity.yaml"
    said = path.read_text().replace(
        "{gt: [context.items_given, 200]}", "{gt: [context.items_given, 0]}"
    )
    said = said.replace("    - {not: {eq: [item.exculpatory, true]}}\n", "")
    path.write_text(said.replace("approval: {head_of_sharing: 1}, max_items: 1000", "max_items: 1"))
    live.world.sign_policy(untested=True)
    assert live.reload() == []
    rfa = await admitted_rfa(live.world, "xa")
    two = [await deposited(live.world, text, exculpatory=True) for text in (b"one", b"two")]
    assert (await sent(live.world, rfa, *two))["outcome"] == "deny"
    kept = await kept_back(live.world, rfa)
    assert {one["item"] for one in kept} == {file.item for file in two}
    for one in kept:
        assert one["why"] == {
            "rules": ["quantity.many"],
            "reasons": ["quantity"],
            "unmet": {"max_items": ["2 of 1"]},
        }
        assert one["reviewer"] == person(live, "reviewer")
    await released(live.world, rfa, two[0])
    left = {one["item"] for one in await kept_back(live.world, rfa) if not one["offered"]}
    assert left == {two[1].item}


async def test_a_second_package_that_leaves_an_item_out_is_found_out_once(live: Running) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    good, bad = await deposited(world, b"one"), await deposited(world, b"two", exculpatory=True)
    unknown = await deposited(world, b"three")
    await packed(world, rfa, good, bad, unknown)
    await packed(world, rfa, good)
    await packed(world, rfa, good)
    assert await causes(world, rfa) == sorted([(bad.item, "omitted"), (unknown.item, "omitted")])
    by_item = {one["item"]: one for one in await kept_back(world, rfa)}
    assert by_item[bad.item]["why"] == {"rules": [], "reasons": ["omitted"], "unmet": {}}
    assert by_item[bad.item]["share"] is None
    said = by_item[unknown.item]
    assert (said["exculpatory"], said["reviewer"], said["due"]) == (None, None, False), (
        "what nobody called exculpatory is listed, and waits for nobody"
    )
    assert (await released(world, rfa, bad))["withheld_unreviewed"] == []
    assert {one["item"] for one in await kept_back(world, rfa) if one["offered"]} == {bad.item}
    reconcile.check(live.gateway)


async def test_what_the_recipient_has_or_is_about_to_get_is_not_left_out(live: Running) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    one, two, three = [await deposited(world, name) for name in (b"one", b"two", b"three")]
    await released(world, rfa, one)
    await sent(world, rfa, two)
    await sent(world, rfa, three)
    assert await causes(world, rfa) == []
    cut = await derived(world, three, ("location",))
    await packed(world, rfa, cut)
    assert await causes(world, rfa) == [], "the package holds it in another form"
    package = await packed(world, rfa, await deposited(world, b"four", exculpatory=True))
    async with session(world, "sharer") as sharer, session(world, "officer") as officer:
        assert (await propose(sharer, package, "xb"))["state"] == "denied"
        assert await causes(world, rfa) == [], "another authority is none of the RFA"
        (other,) = await rows(officer, "/v1/withheld", "withheld")
    assert (other["rfa"], other["recipient"]) == (None, world.party("xb"))


async def test_what_was_recalled_before_anyone_pulled_it_is_kept_back_again(live: Running) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    one, two = await deposited(world, b"one", exculpatory=True), await deposited(world, b"two")
    await packed(world, rfa, one)
    await packed(world, rfa, two)
    share = str((await released(world, rfa, one))["share"])
    (record,) = [row for row in await kept_back(world, rfa) if row["item"] == one.item]
    assert (record["offered"], record["due"]) == (True, False)
    async with session(world, "releaser") as releaser:
        await recall(releaser, share)
    (record,) = [row for row in await kept_back(world, rfa) if row["item"] == one.item]
    assert (record["offered"], record["due"]) == (False, True)
    again = str((await released(world, rfa, one))["share"])
    async with session(world, "xa") as endpoint:
        await pull.inbox(endpoint)
        await pull.pull(endpoint, again, world.root / "out", lambda _: None)
    async with session(world, "releaser") as releaser:
        await recall(releaser, again)
    (record,) = [row for row in await kept_back(world, rfa) if row["item"] == one.item]
    assert record["offered"], "what was served cannot be called back"


# --- the RFA's end ----------------------------------------------------------------------------------
async def test_an_rfa_is_answered_and_closed_only_once_a_reviewer_has_looked(live: Running) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    good = await deposited(world, b"one")
    bad = await deposited(world, b"two", exculpatory=True, **REFUSED)
    await sent(world, rfa, good, bad)
    done = await released(world, rfa, good)
    denied, omitted = [one["withheld"] for one in await kept_back(world, rfa)]
    assert sorted(done["withheld_unreviewed"]) == sorted([denied, omitted]), (
        "it goes out, and says so"
    )
    with pytest.raises(ConflictError, match=r"have reviewed wth_.*wth_") as refused:
        await answered(world, rfa, done["share"])
    assert denied in str(refused.value)
    await review(world, denied)
    with pytest.raises(ConflictError, match=omitted):
        await answered(world, rfa, done["share"])
    made = await review(world, omitted)
    assert (made["withheld"], made["finding"]) == (omitted, "upheld")
    await answered(world, rfa, done["share"])
    await closed(world, rfa)
    assert len(await kept_back(world, rfa)) == 2, "the end adds nothing to what is on record"
    (one, _) = await kept_back(world, rfa)
    assert one["review"]["actor"] == person(live, "reviewer")
    assert (one["review"]["finding"], one["due"]) == ("upheld", False)
    counted = reconcile.check(live.gateway)
    assert (counted["item.withheld"], counted["withheld.reviewed"]) == (2, 2)


async def test_what_must_be_disclosed_blocks_until_it_is_offered_in_some_form(
    live: Running,
) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    shown: dict[str, Any] = {"witness_protected": True}
    bad = await deposited(world, b"My name is Maria", exculpatory=True, **shown)
    await sent(world, rfa, bad)
    (one,) = await kept_back(world, rfa)
    await review(world, one["withheld"], DISCLOSE)
    (one,) = await kept_back(world, rfa)
    assert (one["due"], one["to_disclose"]) == (False, True)
    with pytest.raises(ConflictError, match=f"offer, in some form, {one['withheld']}"):
        await answered(world, rfa)
    await sent(world, rfa, bad)
    assert len(await kept_back(world, rfa)) == 1, "it is on record, and stays so"
    cut = await derived(world, bad, ("witness_identity",), **shown)
    share = str((await released(world, rfa, cut))["share"])
    await answered(world, rfa, share)
    (one,) = await kept_back(world, rfa)
    assert (one["to_disclose"], one["offered"], one["review"]["finding"]) == (
        False, True, "disclose",
    )  # fmt: skip
    await closed(world, rfa)


async def test_what_was_packed_and_never_offered_is_on_record_when_the_rfa_ends(
    live: Running,
) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    bad, plain = await deposited(world, b"one", exculpatory=True), await deposited(world, b"two")
    await packed(world, rfa, bad, plain)
    entry = await answered(world, rfa)
    assert await causes(world, rfa) == sorted(
        [(bad.item, "not_offered"), (plain.item, "not_offered")]
    )
    (one,) = [row for row in await kept_back(world, rfa) if row["item"] == bad.item]
    assert one["proposer"] == person(live, "officer")
    assert one["reviewer"] == person(live, "reviewer")
    async with session(world, "auditor") as auditor:
        said = [e for e in await audit.entries(auditor, 0) if e["kind"] == "item.withheld"]
    assert {e["cause"] for e in said} == {entry}
    with pytest.raises(ConflictError, match=one["withheld"]):
        await closed(world, rfa)
    await review(world, one["withheld"])
    await closed(world, rfa)
    rfa = await admitted_rfa(world, "xa")
    await packed(world, rfa, await deposited(world, b"three", exculpatory=False))
    async with session(world, "officer") as officer:
        await assess(officer, rfa, CheckName.FAIR_TRIAL)
        act = DeclineRfa(new_id("stp"), rfa, await sealed(officer), "no fair trial")
        await officer.act(f"/v1/rfas/{rfa}/steps", act)
    (one,) = await kept_back(world, rfa)
    assert (one["cause"], one["exculpatory"], one["reviewer"]) == ("not_offered", False, None)
    await closed(world, rfa)


# --- sweeps and amendments ---------------------------------------------------------------------------
async def test_a_withdrawn_consent_keeps_back_what_was_proposed(live: Running) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    one, two = [await deposited(world, name, exculpatory=True) for name in (b"one", b"two")]
    share = await sent(world, rfa, one, two)
    assert share["state"] == "proposed"
    await amend(world, two.item, **REFUSED)
    (record,) = await kept_back(world, rfa)
    assert (record["item"], record["cause"], record["share"]) == (
        two.item,
        "denied",
        share["share"],
    )
    async with session(world, "auditor") as auditor:
        (said,) = [e for e in await audit.entries(auditor, 0) if e["kind"] == "item.withheld"]
    assert (said.get("actor"), said.get("order")) == (None, None), "nobody ordered it"
    reconcile.check(live.gateway)


async def test_an_item_that_turns_out_to_be_exculpatory_gets_its_reviewer(live: Running) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    bad = await deposited(world, b"one", **REFUSED)
    await sent(world, rfa, bad)
    (one,) = await kept_back(world, rfa)
    assert (one["exculpatory"], one["due"]) == (None, False)
    await amend(world, bad.item, exculpatory=True)
    first, second = await kept_back(world, rfa)
    assert first["withheld"] == one["withheld"]
    assert (second["due"], second["cause"], second["why"]) == (True, "denied", one["why"])
    await amend(world, bad.item, exculpatory=False)
    with pytest.raises(ConflictError, match=second["withheld"]):
        await answered(world, rfa)
    await amend(world, bad.item, exculpatory=True)
    assert len(await kept_back(world, rfa)) == 2
    await review(world, second["withheld"])
    await sent(world, rfa, bad)
    assert len(await kept_back(world, rfa)) == 2, "upheld, the same reasons are not reviewed again"
    await amend(world, bad.item, consent__status="granted", witness_protected=True)
    await sent(world, rfa, bad)
    third = (await kept_back(world, rfa))[-1]
    assert (third["due"], third["why"]["unmet"]) == (True, {"redact": ["witness_identity"]})
    reconcile.check(live.gateway)


# --- reviewers --------------------------------------------------------------------------------------
async def test_reviews_are_shared_out_evenly_and_never_to_who_had_a_part(live: Running) -> None:
    world = live.world
    both = enrol(live, "both", Role.SHARER, Role.DISCLOSURE_REVIEWER)
    rfa = await admitted_rfa(world, "xa")
    files = [await deposited(world, f"{n}".encode(), exculpatory=True, **REFUSED) for n in range(4)]
    await sent(world, rfa, *files)
    given = [one["reviewer"] for one in await kept_back(world, rfa)]
    assert sorted(given) == sorted([both, person(live, "reviewer")] * 2)
    other = await admitted_rfa(world, "xa")
    mine = await deposited(world, b"mine", exculpatory=True, **REFUSED)
    await sent(world, other, mine, who="both")
    (one,) = await kept_back(world, other)
    assert one["reviewer"] == person(live, "reviewer"), "though she has no fewer"
    with pytest.raises(ForbiddenError, match="does not review"):
        await review(world, one["withheld"], who="both")
    last = await deposited(world, b"last", exculpatory=True, **REFUSED)
    await sent(world, other, last)
    (third,) = [row for row in await kept_back(world, other) if row["item"] == last.item]
    assert third["reviewer"] == both, "who has fewer now"
    reconcile.check(live.gateway)


async def test_only_a_reviewer_reviews_and_once_and_any_of_them_may(live: Running) -> None:
    world = live.world
    enrol(live, "another", Role.DISCLOSURE_REVIEWER)
    rfa = await admitted_rfa(world, "xa")
    bad = await deposited(world, b"one", exculpatory=True, **REFUSED)
    unknown = await deposited(world, b"two", **REFUSED)
    package = await packed(world, rfa, bad, unknown)
    proposal = Propose(new_id("shr"), package, world.party("xa"))
    async with session(world, "sharer") as sharer:
        first = await sharer.act("/v1/shares", proposal)
        assert await sharer.act("/v1/shares", proposal) == first
    one, other = sorted(await kept_back(world, rfa), key=lambda row: row["item"] != bad.item)
    for who in ("sharer", "officer", "legal", "xa"):
        with pytest.raises(ForbiddenError):
            await review(world, one["withheld"], who=who)
    with pytest.raises(NotFoundError):
        await review(world, new_id("wth"))
    target = f"/v1/withheld/{one['withheld']}/review"
    named = one["reviewer"] == person(live, "reviewer")
    async with session(world, "another" if named else "reviewer") as reviewer:
        wrong = ReviewWithheld(new_id("rvw"), new_id("wth"), UPHELD, "another one")
        with pytest.raises(GatewayError, match="expected the review of this"):
            await reviewer.act(target, wrong)
        with pytest.raises(NotFoundError):
            await reviewer.act("/v1/withheld/wth_x/review", wrong)
        act = ReviewWithheld(new_id("rvw"), one["withheld"], UPHELD, "a reason")
        first = await reviewer.act(target, act)
        assert await reviewer.act(target, act) == first, "sent again it is answered again"
    for who in ("reviewer", "another"):
        with pytest.raises(ConflictError, match="reviewed already"):
            await review(world, one["withheld"], DISCLOSE, who)
    await review(world, other["withheld"], DISCLOSE)
    with pytest.raises(ConflictError, match=f"first offer, in some form, {other['withheld']}$"):
        await answered(world, rfa)  # a review that nobody asked for counts as well
    counted = reconcile.check(live.gateway)
    assert (counted["item.withheld"], counted["withheld.reviewed"]) == (2, 2)


async def test_without_a_reviewer_the_status_says_that_nobody_can_look(live: Running) -> None:
    world = live.world
    enrol(live, "packer", Role.SHARER, Role.DISCLOSURE_REVIEWER)
    members = live.gateway.sets.directory.mechanism().members
    assert sum(Role.DISCLOSURE_REVIEWER in member.roles for member in members) == 2
    rfa = await admitted_rfa(world, "xa")
    bad = await deposited(world, b"one", exculpatory=True, **REFUSED)
    without(live, "reviewer")
    await sent(world, rfa, bad, who="packer")
    (one,) = await kept_back(world, rfa)
    assert (one["reviewer"], one["due"]) == (None, True)
    async with session(world, "sharer") as sharer:
        (said,) = await rows(sharer, "/v1/status", "withheld")
    assert (said["withheld"], said["reviewer"]) == (one["withheld"], None)
    assert said["waits_for"] == "nobody: enrol a disclosure_reviewer"
    with pytest.raises(ConflictError, match=one["withheld"]):
        await answered(world, rfa)
    enrol(live, "late", Role.DISCLOSURE_REVIEWER)
    async with session(world, "late") as late:
        (mine,) = await rows(late, "/v1/approvals", "review")
        (said,) = await rows(late, "/v1/status", "withheld")
    assert (mine["withheld"], mine["yours"]) == (one["withheld"], False)
    assert said["waits_for"] == "disclosure_reviewer: review"
    await review(world, one["withheld"], who="late")
    await answered(world, rfa)


def without(live: Running, who: str) -> None:
    """Take the role of a reviewer from a person of the running mechanism."""
    mechanism = live.gateway.sets.directory.mechanism()
    members = tuple(
        replace(member, roles=(Role.COMPLIANCE,)) if member.name == f"Person {who}" else member
        for member in mechanism.members
    )
    ceremony.write_party(live.world.directory, replace(mechanism, members=members))
    live.world.sign(days=3000)
    assert live.reload() == []


# --- who reads it -----------------------------------------------------------------------------------
async def test_the_list_is_for_some_roles_alone_and_an_authority_learns_nothing(
    live: Running,
) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    bad = await deposited(world, b"one", exculpatory=True, **REFUSED)
    await sent(world, rfa, bad)
    (one,) = await kept_back(world, rfa)
    for who in ("officer", "reviewer", "auditor", "legal"):
        assert await kept_back(world, rfa, who) == [one]
    for who in ("sharer", "releaser", "liaison", "xa", "xb", "xa-officer"):
        for target in (f"/v1/rfas/{rfa}/withheld", "/v1/withheld", "/v1/rfas/rfa_x/withheld"):
            async with session(world, who) as other:
                with pytest.raises(ForbiddenError):
                    await other.get(target)
    async with session(world, "officer") as officer:
        for absent in (new_id("rfa"), "rfa_x"):
            with pytest.raises(NotFoundError):
                await officer.get(f"/v1/rfas/{absent}/withheld")
    await review(world, one["withheld"])
    async with session(world, "xa") as endpoint:
        assert all(m.about.startswith("rfa.") for m in await pull.inbox(endpoint, everything=True))
        seen = str((await endpoint.get(f"/v1/rfas/{rfa}")).json())
        entries = await audit.entries(endpoint, 0)
    assert bad.item not in seen
    assert "withheld" not in seen
    assert {entry["kind"] for entry in entries} <= {
        "",
        *(e["kind"] for e in entries if "rfa" in e["kind"]),
    }


async def test_the_queue_shows_what_waits_for_whom(live: Running) -> None:
    world = live.world
    rfa = await admitted_rfa(world, "xa")
    bad = await deposited(world, b"one", exculpatory=True, **REFUSED)
    await sent(world, rfa, bad, await deposited(world, b"two", **REFUSED))
    async with session(world, "reviewer") as reviewer, session(world, "sharer") as sharer:
        (mine,) = await rows(reviewer, "/v1/approvals", "review")
        assert (mine["item"], mine["rfa"], mine["cause"], mine["yours"]) == (
            bad.item, rfa, "denied", True,
        )  # fmt: skip
        assert await rows(sharer, "/v1/approvals", "review") == []
        assert len(await rows(reviewer, "/v1/withheld", "withheld")) == 2
        (waiting,) = await rows(reviewer, "/v1/withheld?open=1", "withheld")
        assert waiting["withheld"] == mine["withheld"]
        (said,) = await rows(sharer, "/v1/status", "withheld")
        assert said["reviewer"] == person(live, "reviewer")
        assert said["waits_for"] == "disclosure_reviewer: review"
        await review(world, mine["withheld"], DISCLOSE)
        assert await rows(reviewer, "/v1/approvals", "review") == []
        (said,) = await rows(sharer, "/v1/status", "withheld")
        assert said["waits_for"] == "sharer: offer it, in some form"
