"""A key that is new in the directory is wrapped to once its owner has proved it and two persons vouch."""

from typing import Any

import pytest

from gateway.client import audit, key_ceremony
from gateway.exchange.acts import ChallengeKey, ConfirmKey
from gateway.exchange.key_acts import KeyProof, sign_proof
from gateway.exchange.key_life import Step, fingerprint
from gateway.exchange.parties import Status
from gateway.kernel.encoding import b64url
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.kernel.time import spell
from gateway.store import shares
from tests import reconcile
from tests.keylife.steps import HOW, introduce, keys_of, offer_key, put_into_force, rotate, step
from tests.sharing.steps import proposed, released
from tests.world import Running, session


async def wrapped_to(live: Running, share: str) -> set[str]:
    with live.gateway.engine.connect() as conn:
        return shares.keys_of(conn, share)


async def test_a_next_key_is_wrapped_to_only_once_it_is_introduced(live: Running) -> None:
    (old,) = keys_of(live.world, "xa")
    name = offer_key(live.world, "xa")
    await put_into_force(live)
    before = await released(live.world)
    assert await wrapped_to(live, before.share) == {old.public}
    await introduce(live.world, "xa", name)
    after = await released(live.world)
    (new,) = [key for key in keys_of(live.world, "xa") if fingerprint(key) == name]
    assert new.status is Status.NEXT
    assert await wrapped_to(live, after.share) == {old.public, new.public}


async def test_a_key_made_active_without_proof_is_not_wrapped_to(live: Running) -> None:
    (old,) = keys_of(live.world, "xa")
    name = offer_key(live.world, "xa")
    key_ceremony.change(live.world.directory, name, Step.ACTIVATE)
    key_ceremony.change(live.world.directory, fingerprint(old), Step.RETIRE)
    await put_into_force(live)
    with pytest.raises(ForbiddenError, match="no pq key in force"):
        await proposed(live.world)


async def test_one_person_does_not_introduce_a_key_by_confirming_twice(live: Running) -> None:
    name = offer_key(live.world, "xa")
    await put_into_force(live)
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        await key_ceremony.challenge(officer, name)
        with pytest.raises(ConflictError, match="has not proved"):
            await key_ceremony.confirm(officer, name, HOW)
        await key_ceremony.prove(endpoint)
        assert (await key_ceremony.confirm(officer, name, HOW))["missing"] == 1
        with pytest.raises(ConflictError, match="another person has to"):
            await key_ceremony.confirm(officer, name, HOW + " again")
        listed: Any = (await officer.get("/v1/keys")).json()["keys"]
        (mine,) = [one for one in listed if one["key"] == name]
        assert (mine["introduced"], len(mine["confirmed_by"])) == (None, 1)
    made = await released(live.world)
    assert len(await wrapped_to(live, made.share)) == 1


async def test_a_challenge_answered_with_another_secret_proves_nothing(live: Running) -> None:
    name = offer_key(live.world, "xa")
    await put_into_force(live)
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        asked = str((await key_ceremony.challenge(officer, name))["challenge"])
        folder = endpoint.folder
        forged = KeyProof(
            1, new_id("prf"), asked, name, b64url(bytes(32)), folder.profile.actor,
            spell(live.now()),
        )  # fmt: skip
        body = sign_proof(forged, folder.message_signer())
        with pytest.raises(VerificationError, match="does not answer"):
            await endpoint.request("POST", f"/v1/key-challenges/{asked}/proof", body)


async def test_a_challenge_is_neither_seen_nor_answered_by_another_authority(live: Running) -> None:
    name = offer_key(live.world, "xa")
    await put_into_force(live)
    async with session(live.world, "officer") as officer, session(live.world, "xb") as other:
        asked = str((await key_ceremony.challenge(officer, name))["challenge"])
        assert (await other.get("/v1/key-challenges")).json() == {"challenges": []}
        folder = other.folder
        forged = KeyProof(
            1, new_id("prf"), asked, name, b64url(bytes(32)), folder.profile.actor,
            spell(live.now()),
        )  # fmt: skip
        body = sign_proof(forged, folder.message_signer())
        with pytest.raises(NotFoundError):
            await other.request("POST", f"/v1/key-challenges/{asked}/proof", body)


async def test_a_confirmation_of_another_key_or_answer_is_refused(live: Running) -> None:
    name = offer_key(live.world, "xa")
    await put_into_force(live)
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        asked = str((await key_ceremony.challenge(officer, name))["challenge"])
        await key_ceremony.prove(endpoint)
        act = ConfirmKey(new_id("kcf"), asked, name, "0" * 64, HOW)
        with pytest.raises(VerificationError, match="another key or answer"):
            await officer.act(f"/v1/key-challenges/{asked}/confirmations", act)


async def test_a_sharer_neither_challenges_nor_confirms(live: Running) -> None:
    name = offer_key(live.world, "xa")
    await put_into_force(live)
    async with session(live.world, "sharer") as sharer:
        with pytest.raises(ForbiddenError, match="needs the role"):
            await sharer.act("/v1/key-challenges", ChallengeKey(new_id("chl"), name))


async def test_an_introduction_is_four_entries_and_names_the_persons(live: Running) -> None:
    name = await rotate(live, "xa")
    async with session(live.world, "auditor") as auditor:
        said: Any = [
            e for e in await audit.entries(auditor, 0) if str(e["kind"]).startswith("key.")
        ]
    assert [entry["kind"] for entry in said] == [
        "key.challenged", "key.proved", "key.confirmed", "key.confirmed",
    ]  # fmt: skip
    assert [entry["outcome"] for entry in said[2:]] == ["confirmed", "introduced"]
    assert {entry["content"]["key"] for entry in said} == {name}
    assert len({entry["actor"] for entry in said[2:]}) == 2
    assert reconcile.check(live.gateway)["key.confirmed"] == 2


async def test_a_revoked_key_is_not_brought_back_by_a_later_set(live: Running) -> None:
    (old,) = keys_of(live.world, "xa")
    before = (live.world.directory / "parties" / "xa-prosecutor.json").read_text()
    await step(live, fingerprint(old), Step.REVOKE)
    (live.world.directory / "parties" / "xa-prosecutor.json").write_text(before)
    live.world.sign(days=3000)
    (refused,) = live.reload()
    assert "was revoked and cannot become active" in refused
    owner = live.gateway.sets.directory.actor(old.kid)
    assert owner is not None
    assert owner.key.status is Status.REVOKED
