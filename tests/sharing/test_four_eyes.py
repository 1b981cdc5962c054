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


async def test_what_nobody_asked_for_is_no_clearance_whatever_basis_it_names(live: Running) -> None:
    """Not even by one who could free another for an empty seat, and not on the basis of that seat."""
    roles = (LEGAL, VICTIMS, Role.HEAD_OF_MECHANISM, Role.SOURCE_LIAISON)
    live.world.add_staff("many", *roles)
    live.world.sign(days=3000)
    assert live.reload() == []
    made = await proposed(live.world, sgbv=True)
    await approve(live.world, "many", made.share, LEGAL)
    async with session(live.world, "many") as many:
        at = await shown(many, made.share)
    for basis in (*at["bases"].values(), at["basis"], "0" * 64):
        for role in roles[2:]:
            with pytest.raises(ConflictError, match=f"does not lack approval:{role.value}"):
                await approve(live.world, "many", made.share, role, basis=basis)
        with pytest.raises(ConflictError, match="does not lack consultation:source"):
            await consult(live.world, "many", made.share, "source", basis=basis)
    stolen = at["bases"]["approval:legal_adviser"]
    with pytest.raises(ConflictError, match="facts or rules have changed"):
        await approve(live.world, "many", made.share, VICTIMS, basis=stolen)
    assert await lacking(live.world, made.share) == {"approval:victims_unit"}


def edit(live: Running, name: str, old: str, new: str) -> None:
    """Change a file of the policy set, and let it come into force."""
    path = live.world.instance / live.world.config.policy / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    live.world.sign_policy(untested=True)
    assert live.reload() == []


UNRELATED = (
    ("rules/40-protection.yaml", "Material on sexual violence needs", "Material of this kind needs"),
    ("rules/40-protection.yaml", "Witness-protection protocol, s. 6", "The protocol, s. 6a"),
    ("obligations.yaml", "obligations:\n", "obligations:\n  courier: {join: min, phase: with, label: c}\n"),
    (
        "rules/30-rights.yaml", "rules:\n",
        "rules:\n- {id: new, effect: require, title: t, basis: b, when: true, obligations: {onward: prohibited}}\n",
    ),
    (
        "rules/30-rights.yaml", "rules:\n",
        "rules:\n- {id: liaison, effect: require, title: t, basis: b, when: true, obligations: {approval: {source_liaison: 1}}}\n",
    ),
)  # fmt: skip
"""Another title, basis, kind of obligation, rule; and one that asks a further person."""


async def test_an_edit_of_the_set_voids_exactly_the_clearances_that_it_touches(
    live: Running,
) -> None:
    """What is given once counts through every unrelated edit; each related one takes its own away."""
    live.world.add_staff("head", Role.HEAD_OF_MECHANISM)
    live.world.sign(days=3000)
    assert live.reload() == []
    await attest(live.world, "recipient.fair_trial", "concerns", "XA")
    made = await proposed(live.world, sgbv=True, consent__status="consult_first")
    await approve(live.world, "legal", made.share, LEGAL)
    await approve(live.world, "victims", made.share, VICTIMS)
    await consult(live.world, "liaison", made.share, "source")
    assert await lacking(live.world, made.share) == {"approval:head_of_mechanism"}
    for name, old, new in UNRELATED:
        edit(live, name, old, new)
    missing = {"approval:head_of_mechanism", "approval:source_liaison"}
    assert await lacking(live.world, made.share) == missing, "all three still count"
    await amend(live.world, made.item, has_embargo=False, consent__no_death_penalty=True)
    assert await lacking(live.world, made.share) == missing, "facts that no asking rule reads"
    concerns = "{eq: [recipient.fair_trial, concerns]}"
    edit(live, "rules/30-rights.yaml", f"when: {concerns}", f"when: {{any: [{concerns}, {{eq: [item.sgbv, false]}}]}}")  # fmt: skip
    missing |= {"approval:legal_adviser"}
    assert await lacking(live.world, made.share) == missing, "the adviser's reasons are others now"
    edit(live, "rules/40-protection.yaml", "victims_unit: 1", "victims_unit: 2")
    missing |= {"approval:victims_unit"}
    assert await lacking(live.world, made.share) == missing, "the consultation still counts"
    async with session(live.world, "sharer") as sharer:
        assert (await shown(sharer, made.share))["missing"]["approval:victims_unit"] == 2
    edit(live, "rules/20-consent.yaml", "consultation: [source]", "consultation: [source, originator]")  # fmt: skip
    assert await lacking(live.world, made.share) == missing | {"consultation:originator"}
    edit(live, "rules/20-consent.yaml", "when: {eq: [item.consent.status, consult_first]}", "when: {all: [{eq: [item.consent.status, consult_first]}, {ne: [context.mode, requested]}]}")  # fmt: skip
    missing |= {"consultation:source", "consultation:originator"}
    assert await lacking(live.world, made.share) == missing
    edit(
        live, "rules/20-consent.yaml", "effect: require", "effect: require\n  valid_to: 2020-01-01"
    )
    missing -= {"consultation:source", "consultation:originator"}
    assert await lacking(live.world, made.share) == missing, "no rule asks the source any more"


async def test_a_clearance_is_of_one_share_and_no_other_of_the_same_items(live: Running) -> None:
    made = await proposed(live.world, sgbv=True)
    await approve(live.world, "legal", made.share, LEGAL)
    async with session(live.world, "sharer") as sharer:
        for to in ("xa", "xb"):
            again = await propose(sharer, made.package, to)
            assert set(again["missing"]) == {"approval:legal_adviser", "approval:victims_unit"}


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
