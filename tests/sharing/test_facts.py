"""Facts by order: attestations with an end, amendments, and what lapses into unknown."""

from datetime import timedelta

import pytest

from gateway.client import audit
from gateway.exchange.acts import Amend, Attest, EndAttestation, Evidence
from gateway.exchange.rfa_acts import CheckName
from gateway.kernel.errors import ConflictError, ForbiddenError, MalformedError, NotFoundError
from gateway.kernel.ids import new_id
from gateway.workflows.standing import decide_again
from tests.sharing.steps import (
    EVIDENCE,
    amend,
    attest,
    end,
    outcome,
    proposed,
    released,
    suspended,
)
from tests.world import (
    Running,
    admitted_rfa,
    assess,
    in_days,
    package_of,
    propose,
    session,
    source,
)


async def test_an_assurance_for_the_case_opens_what_the_death_penalty_closed(
    live: Running,
) -> None:
    await attest(live.world, "recipient.death_penalty", "retained")
    assert (await proposed(live.world)).answer["outcome"] == "deny"
    await attest(live.world, "recipient.assurances", ["death_penalty"], case="case-other")
    assert (await proposed(live.world)).answer["outcome"] == "deny"
    made = await attest(live.world, "recipient.assurances", ["death_penalty"], case="case-1")
    share = await released(live.world)
    await end(live.world, made)
    assert await outcome(live.world, share.share) == ("available", "deny")


async def test_an_attestation_counts_from_its_first_day_to_its_last(live: Running) -> None:
    await attest(live.world, "recipient.fair_trial", "excluded", days=(10, 20))
    made = await proposed(live.world)
    assert made.answer["outcome"] == "permit"
    live.skew = timedelta(days=12)
    assert (await live_outcome(live, made.share))[1] == "deny"


async def live_outcome(live: Running, share: str) -> tuple[str, str]:
    """Return how a share would be decided by the gateway's clock, wherever that stands."""
    with live.gateway.engine.connect() as conn:
        found, _, ruling = decide_again(live.gateway, conn, share, live.gateway.now())
    return found.state.value, ruling.outcome.value


async def test_a_lapsed_attestation_leaves_its_fact_unknown_whatever_was_on_file(
    live: Running,
) -> None:
    """The register says that trials are fair; once somebody has attested anew, his word must be fresh."""
    await attest(live.world, "recipient.fair_trial", "ok", days=(0, 10))
    made = await released(live.world)
    live.skew = timedelta(days=11)
    assert (await live_outcome(live, made.share))[1] == "deny"


async def test_an_attestation_about_one_authority_says_nothing_of_another(live: Running) -> None:
    party = live.world.party("xa")
    await attest(live.world, "recipient.competent", False, authority=party)
    assert (await proposed(live.world, "xa")).answer["outcome"] == "deny"
    async with session(live.world, "sharer") as sharer:
        made = await proposed(live.world, "xb")
        matches = (await sharer.get(f"/v1/packages/{made.package}/matches")).json()["matches"]
    said = {m["short"]: m["outcome"] for m in matches}  # type: ignore[union-attr,index,call-overload]
    assert said["xa-prosecutor"] == "deny"
    assert "consent" not in str(said["xc-prosecutor"])


async def test_who_may_attest_and_what(live: Running) -> None:
    async with session(live.world, "sharer") as sharer:
        act = Attest(
            new_id("att"), "recipient.competent", True, "XA", EVIDENCE, in_days(0), in_days(9)
        )
        with pytest.raises(ForbiddenError, match="legal_adviser"):
            await sharer.act("/v1/attestations", act)
    for fact, value, jurisdiction, said in (
        ("recipient.competnet", True, "XA", "recipient.competent"),
        ("recipient.fair_trial", "okay", "XA", "'ok'|ok"),
        ("recipient.competent", True, "ZZ", "no jurisdiction ZZ"),
    ):
        with pytest.raises(MalformedError, match=said):
            await attest(live.world, fact, value, jurisdiction)
    with pytest.raises(MalformedError, match="another state"):
        await attest(
            live.world, "recipient.competent", True, "XB", authority=live.world.party("xa")
        )


async def test_an_attestation_ends_once_and_is_listed_as_it_stands(live: Running) -> None:
    one = await attest(live.world, "recipient.competent", True)
    two = await attest(live.world, "recipient.competent", True, days=(5, 9))
    await end(live.world, one)
    with pytest.raises(ConflictError, match="another body|used for something|ended already"):
        async with session(live.world, "legal") as legal:
            act = EndAttestation(one, "again")
            await legal.act(f"/v1/attestations/{one}/end", act)
    with pytest.raises(NotFoundError, match="no such attestation"):
        await end(live.world, new_id("att"))
    async with session(live.world, "legal") as legal:
        found = (await legal.get("/v1/attestations")).json()["attestations"]
    states = {row["attestation"]: row["state"] for row in found}  # type: ignore[union-attr,index,call-overload]
    assert states == {one: "ended", two: "not yet"}


async def test_an_attestation_cites_its_evidence_in_the_ledger(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "officer") as officer:
        request = str((await officer.get(f"/v1/rfas/{rfa}")).json()["request"])
    evidence = Evidence("rfa", request, rfa)
    made = await attest(live.world, "recipient.competent", True, evidence=evidence)
    async with session(live.world, "auditor") as auditor:
        (entry,) = [e for e in await audit.entries(auditor, 0) if e["subject"] == made]
    assert entry["kind"] == "fact.attested"
    assert entry["content"]["evidence"] == {"digest": request, "kind": "rfa", "label": rfa}


async def test_admission_lapses_into_unknown_and_is_renewed(live: Running) -> None:
    """The five checks of an RFA carry an end; after it nothing goes out until they are renewed."""
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "officer") as officer:
        await assess(officer, rfa, valid_to=in_days(5))
    note = live.world.root / "note.txt"
    note.write_text("a note")
    async with session(live.world, "releaser") as staff:
        package, _ = await package_of(staff, [source(note)], rfa=rfa)
        share = str((await propose(staff, package, "xa"))["share"])
    assert (await live_outcome(live, share))[1] == "permit"
    live.skew = timedelta(days=6)
    assert (await live_outcome(live, share))[1] == "deny"
    live.skew = timedelta(0)
    async with session(live.world, "officer") as officer:
        await assess(officer, rfa, valid_to=in_days(50))
    live.skew = timedelta(days=6)
    assert (await live_outcome(live, share))[1] == "permit"


async def test_a_package_answers_only_an_rfa_that_is_admitted_and_for_what_was_attested(
    live: Running,
) -> None:
    note = live.world.root / "note.txt"
    note.write_text("a note")
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "releaser") as staff:
        with pytest.raises(ConflictError, match="registered for purpose criminal and case case-1"):
            await package_of(staff, [source(note)], rfa=rfa, case="another")
        with pytest.raises(NotFoundError, match="no such RFA"):
            await package_of(staff, [source(note)], rfa=new_id("rfa"))
        package, _ = await package_of(staff, [source(note)], rfa=rfa)
        for other in ("xb", "xc"):
            assert (await propose(staff, package, other))["outcome"] == "deny"
        async with session(live.world, "officer") as officer:
            await assess(officer, rfa, CheckName.FAIR_TRIAL)
        assert (await propose(staff, package, "xa"))["outcome"] == "deny"
        with pytest.raises(ConflictError, match="the RFA is registered; packages answer one"):
            await package_of(staff, [source(note)], rfa=rfa)


async def test_an_amendment_replaces_the_very_facts_it_names_and_is_an_entry(
    live: Running,
) -> None:
    made = await proposed(live.world)
    assert made.answer["outcome"] == "permit"
    await amend(live.world, made.item, consent__status="refused")
    assert await outcome(live.world, made.share) == ("denied", "deny")
    async with session(live.world, "liaison") as liaison:
        act = Amend(new_id("amd"), made.item, "0" * 64, {}, EVIDENCE)
        with pytest.raises(ConflictError, match="other ones by now"):
            await liaison.act(f"/v1/items/{made.item}/amendments", act)
    async with session(live.world, "auditor") as auditor:
        (entry,) = [e for e in await audit.entries(auditor, 0) if e["kind"] == "item.amended"]
    assert entry["subject"] == made.item
    assert entry["content"]["before"] != entry["content"]["after"]
    with pytest.raises(ForbiddenError, match="source_liaison"):
        await amend(live.world, made.item, who="sharer", consent__status="granted")
    with pytest.raises(MalformedError, match="consent.status"):
        await amend(live.world, made.item, consent__statsu="granted")


async def test_an_amendment_holds_an_open_proposal_and_lifting_it_lets_it_go(
    live: Running,
) -> None:
    made = await proposed(live.world)
    await amend(live.world, made.item, sgbv=True)
    assert await outcome(live.world, made.share) == ("held", "hold")
    await amend(live.world, made.item, sgbv=False)
    assert await outcome(live.world, made.share) == ("proposed", "permit")
    assert await suspended(live.world) == {}
