"""Four eyes: whose clearance counts, for what, and what voids it."""

import pytest

from gateway.client import audit, ceremony
from gateway.client.session import Session
from gateway.exchange.parties import Role
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    VerificationError,
)
from gateway.kernel.signing import thumbprint
from tests.sharing.steps import (
    amend,
    approval,
    approve,
    attest,
    consult,
    outcome,
    proposed,
    queue,
    released,
    shown,
)
from tests.web.keys import add_key_folder
from tests.world import Running, World, propose, release, session

LEGAL, VICTIMS = Role.LEGAL_ADVISER, Role.VICTIMS_UNIT


async def lacking(world: World, share: str) -> set[str]:
    async with session(world, "sharer") as sharer:
        return set((await shown(sharer, share))["missing"])


async def refused_to_release(world: World, share: str) -> None:
    async with session(world, "releaser") as releaser:
        with pytest.raises(ConflictError, match="cannot release a share that is held"):
            await release(releaser, share)


async def test_two_persons_in_two_roles_clear_a_hold(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    assert made.answer["state"] == "held"
    await approve(live.world, "legal", made.share, LEGAL)
    assert await lacking(live.world, made.share) == {"approval:victims_unit"}
    await refused_to_release(live.world, made.share)
    done = await approve(live.world, "victims", made.share, VICTIMS)
    assert (done["state"], done["outcome"]) == ("proposed", "permit")
    async with session(live.world, "releaser") as releaser:
        assert (await release(releaser, made.share))["state"] == "available"
    async with session(live.world, "auditor") as auditor:
        kinds = [e["kind"] for e in await audit.entries(auditor, 0) if e["subject"] == made.share]
    assert kinds == [
        "share.proposed", "share.approved", "share.approved", "share.decided",
        "share.released", "share.prepared", "share.available",
    ]  # fmt: skip


async def test_one_person_with_both_roles_counts_once(live: Running) -> None:
    live.world.add_staff("both", LEGAL, VICTIMS)
    live.world.sign(days=3000)
    assert live.reload() == []
    made = await proposed(live.world, sgbv=True)
    await approve(live.world, "both", made.share, LEGAL)
    await approve(live.world, "both", made.share, VICTIMS)
    assert len(await lacking(live.world, made.share)) == 1
    await refused_to_release(live.world, made.share)


async def test_one_person_with_two_keys_counts_once(live: Running) -> None:
    live.world.add_staff("double", LEGAL, VICTIMS)
    add_key_folder(live.world, "double", "double-again")
    live.world.sign(days=3000)
    assert live.reload() == []
    made = await proposed(live.world, sgbv=True)
    await approve(live.world, "double", made.share, LEGAL)
    await approve(live.world, "double-again", made.share, VICTIMS)
    assert len(await lacking(live.world, made.share)) == 1
    with pytest.raises(ConflictError, match="given this clearance already|does not lack"):
        await approve(live.world, "double-again", made.share, LEGAL)
    await refused_to_release(live.world, made.share)


async def test_a_service_key_does_not_count(live: Running) -> None:
    live.world._member("mechanism", "A robot", (LEGAL,), "robot", person=False)
    live.world.sign(days=3000)
    assert live.reload() == []
    made = await proposed(live.world, sgbv=True)
    with pytest.raises(ForbiddenError, match="key of a person, not of a service"):
        await approve(live.world, "robot", made.share, LEGAL)
    assert len(await lacking(live.world, made.share)) == 2


async def test_a_key_that_is_not_in_the_directory_does_not_count(live: Running) -> None:
    live.world.add_staff("unsigned", LEGAL)  # in the files, in no signed set
    made = await proposed(live.world, sgbv=True)
    with pytest.raises(UnauthorizedError):
        await approve(live.world, "unsigned", made.share, LEGAL)
    assert len(await lacking(live.world, made.share)) == 2


async def test_a_revoked_key_does_not_count(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    async with session(live.world, "legal") as legal:
        act = await approval(legal, made.share, LEGAL)
        kid = thumbprint(legal.folder.request_signer().public_key)
        ceremony.revoke(live.world.directory, kid)
        live.world.sign(days=3000)
        assert live.reload() == []
        with pytest.raises(UnauthorizedError, match="revoked"):
            await legal.act(f"/v1/shares/{made.share}/approvals", act)
    assert len(await lacking(live.world, made.share)) == 2


async def test_the_requester_herself_does_not_count(live: Running) -> None:
    live.world.add_staff("proposer", Role.SHARER, LEGAL)
    live.world.sign(days=3000)
    assert live.reload() == []
    made = await proposed(live.world, sgbv=True)
    async with session(live.world, "proposer") as proposer:
        own = str((await propose(proposer, made.package, "xb"))["share"])
        with pytest.raises(ForbiddenError, match="who proposed a share does not clear it"):
            await _send(proposer, own)
        assert (await queue(proposer))[own] == []
    assert len(await lacking(live.world, own)) == 2


async def _send(person: Session, share: str) -> None:
    act = await approval(person, share, LEGAL)
    await person.act(f"/v1/shares/{share}/approvals", act)


async def test_a_role_that_the_person_does_not_have_does_not_count(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    with pytest.raises(ForbiddenError, match="role victims_unit"):
        await approve(live.world, "legal", made.share, VICTIMS)
    with pytest.raises(ForbiddenError):
        await approve(live.world, "sharer", made.share, LEGAL)


async def test_an_approval_for_yesterdays_facts_does_not_count(live: Running) -> None:
    """Made before the facts changed, sent after; and given before, it no longer counts after."""
    made = await proposed(live.world, sgbv=True)
    async with session(live.world, "victims") as victims:
        old = await approval(victims, made.share, VICTIMS)
        await approve(live.world, "legal", made.share, LEGAL)
        await amend(live.world, made.item, sgbv=None)  # unknown: asked for as a precaution
        with pytest.raises(ConflictError, match="facts or rules have changed"):
            await victims.act(f"/v1/shares/{made.share}/approvals", old)
    assert await lacking(live.world, made.share) == {
        "approval:legal_adviser",
        "approval:victims_unit",
    }


async def test_an_approval_outlives_facts_that_it_was_not_asked_for_by(live: Running) -> None:
    """Consent that has come to need a consultation asks for that besides, and voids nothing."""
    made = await proposed(live.world, sgbv=True)
    await approve(live.world, "legal", made.share, LEGAL)
    await amend(live.world, made.item, consent__status="consult_first")
    assert await lacking(live.world, made.share) == {
        "approval:victims_unit",
        "consultation:source",
    }


async def test_a_replayed_approval_does_not_count_twice(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    async with session(live.world, "legal") as legal:
        act = await approval(legal, made.share, LEGAL)
        first = await legal.act(f"/v1/shares/{made.share}/approvals", act)
        assert await legal.act(f"/v1/shares/{made.share}/approvals", act) == first
    async with session(live.world, "victims") as thief:
        with pytest.raises((ConflictError, ForbiddenError)):
            await thief.act(f"/v1/shares/{made.share}/approvals", act)
    assert await lacking(live.world, made.share) == {"approval:victims_unit"}


async def test_an_approval_of_another_share_items_or_recipient_does_not_count(
    live: Running,
) -> None:
    made, other = await proposed(live.world, sgbv=True), await proposed(live.world, sgbv=True)
    async with session(live.world, "legal") as legal:
        foreign = await approval(legal, other.share, LEGAL)
    for over in ({"items": foreign.items}, {"recipient": live.world.party("xb")}):
        with pytest.raises(VerificationError, match="other items or another recipient"):
            await approve(live.world, "legal", made.share, LEGAL, **over)
    with pytest.raises(ConflictError, match="facts or rules have changed"):
        await approve(live.world, "legal", made.share, LEGAL, basis="0" * 64)
    assert len(await lacking(live.world, made.share)) == 2


async def test_an_unrelated_attestation_voids_nothing_and_a_related_one_voids(
    live: Running,
) -> None:
    made = await proposed(live.world, sgbv=True)
    await approve(live.world, "legal", made.share, LEGAL)
    await attest(live.world, "recipient.fair_trial", "concerns", "XB")
    assert await lacking(live.world, made.share) == {"approval:victims_unit"}
    await attest(live.world, "recipient.fair_trial", "concerns", "XA")
    assert await lacking(live.world, made.share) == {
        "approval:legal_adviser",
        "approval:victims_unit",
        "approval:head_of_mechanism",
    }


async def test_a_consultation_is_recorded_by_a_liaison_with_its_evidence(live: Running) -> None:
    made = await proposed(live.world, consent__status="consult_first")
    assert await lacking(live.world, made.share) == {"consultation:source"}
    with pytest.raises(ForbiddenError, match="role source_liaison"):
        await consult(live.world, "legal", made.share, "source")
    with pytest.raises(ConflictError, match="does not lack consultation:originator"):
        await consult(live.world, "liaison", made.share, "originator")
    done = await consult(live.world, "liaison", made.share, "source")
    assert (done["state"], done["outcome"]) == ("proposed", "permit")
    async with session(live.world, "auditor") as auditor:
        (entry,) = [e for e in await audit.entries(auditor, 0) if e["kind"] == "share.consulted"]
    assert entry["outcome"] == "consultation:source"
    assert entry["content"] == {"evidence": "6" * 64}


async def test_only_what_is_held_is_cleared(live: Running) -> None:
    made = await released(live.world)
    with pytest.raises(ConflictError, match="only a held one is cleared"):
        await approve(live.world, "legal", made.share, LEGAL)


async def test_the_queue_shows_each_approver_what_is_hers(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    yours = {}
    for who in ("legal", "victims", "liaison", "sharer"):
        async with session(live.world, who) as person:
            yours[who] = (await queue(person))[made.share]
    assert yours == {
        "legal": ["approval:legal_adviser"],
        "victims": ["approval:victims_unit"],
        "liaison": [],
        "sharer": [],
    }
    await approve(live.world, "legal", made.share, LEGAL)
    async with session(live.world, "legal") as legal:
        assert (await queue(legal))[made.share] == []


async def test_an_authority_sees_no_queue_and_clears_nothing(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    async with session(live.world, "xa") as endpoint, session(live.world, "legal") as legal:
        for target in ("/v1/approvals", "/v1/status", "/v1/suspensions", "/v1/events"):
            with pytest.raises(ForbiddenError, match="only the mechanism"):
                await endpoint.get(target)
        act = await approval(legal, made.share, LEGAL)
        with pytest.raises(ForbiddenError):
            await endpoint.act(f"/v1/shares/{made.share}/approvals", act)
        with pytest.raises(NotFoundError):
            await endpoint.get(f"/v1/shares/{made.share}/manifest")
    assert await outcome(live.world, made.share) == ("held", "hold")
