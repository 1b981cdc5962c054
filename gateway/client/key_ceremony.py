"""The life of envelope keys on both sides: made by their owner, entered, activated, retired, revoked; proved.

The owner's secret never leaves his key folder; what he hands over is a signed offer of the public key.
"""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gateway import keyfiles
from gateway.client.ceremony import KEY_DAYS, public_key, read_parties, write_party
from gateway.client.profile import KeyFolder
from gateway.client.session import Session
from gateway.envelope import Identity, Suite, parse_recipient, unseal_bytes
from gateway.exchange.acts import ChallengeKey, ConfirmKey
from gateway.exchange.directory import Actor
from gateway.exchange.key_acts import (
    KeyOffer,
    KeyProof,
    offered_by,
    open_offer,
    read_challenge,
    sign_offer,
    sign_proof,
)
from gateway.exchange.key_life import Step, advance, fingerprint, kid_digest
from gateway.exchange.parties import Key, Member, Party, Use
from gateway.kernel.encoding import Json, b64url, un_b64url
from gateway.kernel.errors import ConflictError, MalformedError, NotFoundError, VerificationError
from gateway.kernel.ids import new_id
from gateway.kernel.time import spell

_SUITE = {"mlkem768x25519": Suite.PQ, "x25519": Suite.CLASSIC}
_ALG = {suite: alg for alg, suite in _SUITE.items()}


def rotate_envelope(folder: KeyFolder, suite: Suite, now: datetime) -> tuple[bytes, str]:
    """Make the owner's next envelope key in his folder; return the signed offer and the fingerprint.

    The old key stays: what was sealed to it is opened with it.
    """
    path = folder.path / f"envelope-{now:%Y%m%dT%H%M%S}-{suite.value}.key"
    identity = keyfiles.make_identity(path, suite, folder.passphrase)
    public = str(identity.recipient)
    offer = KeyOffer(1, _ALG[suite], public, folder.profile.actor, spell(now))
    return sign_offer(offer, folder.message_signer()), kid_digest(public)


def enter(folder: Path, container: bytes, now: datetime, *, days: int = KEY_DAYS) -> Key:
    """Enter an offered key as its owner's *next* one, good for *days*; the set has to be signed after it.

    Raises VerificationError unless it is signed by the owner's message key in the party's file,
    ConflictError if the key stands there already.
    """
    by = offered_by(container)
    party, member = _member(folder, by)
    owner = Actor(member, party, member.keys[0])
    offer = open_offer(container, owner, now)
    try:
        suite = parse_recipient(offer.public).suite
    except MalformedError:
        raise MalformedError("the offer holds no age recipient") from None
    if offer.alg != _ALG[suite]:
        raise VerificationError("the offered key is not of the algorithm that the offer states")
    made = public_key(Use.ENVELOPE, offer.alg, offer.public, now, days)
    key = replace(made, status=advance(None, Step.ENTER))
    if any(
        key.kid == known.kid for p in read_parties(folder) for m in p.members for known in m.keys
    ):
        raise ConflictError("this key stands in the directory already")
    _write(folder, party, member, (*member.keys, key))
    return key


def _member(folder: Path, member_id: str) -> tuple[Party, Member]:
    for party in read_parties(folder):
        for member in party.members:
            if member.id == member_id:
                return party, member
    raise NotFoundError("the offer is of nobody in the directory's files")


def _write(folder: Path, party: Party, member: Member, keys: tuple[Key, ...]) -> None:
    changed = replace(member, keys=keys)
    members = tuple(changed if one == member else one for one in party.members)
    write_party(folder, replace(party, members=members))


def find(folder: Path, beginning: str) -> tuple[Party, Member, Key]:
    """Return the key whose fingerprint begins so, as `gateway keys list` shows it, or whose text does.

    Raises NotFoundError unless it is exactly one.
    """
    matches = [
        (party, member, key)
        for party in read_parties(folder)
        for member in party.members
        for key in member.keys
        if fingerprint(key).startswith(beginning) or key.kid.startswith(beginning)
    ]
    if len(matches) != 1:
        raise NotFoundError(f"{len(matches)} keys begin with {beginning}: see gateway keys list")
    return matches[0]


def change(folder: Path, beginning: str, step: Step) -> tuple[Member, Key]:
    """Take a key's next step in the party's file; the set has to be signed after it.

    Raises ConflictError if the key's status does not allow the step.
    """
    party, member, key = find(folder, beginning)
    changed = replace(key, status=advance(key.status, step))
    _write(folder, party, member, tuple(changed if k == key else k for k in member.keys))
    return member, changed


async def challenge(session: Session, key: str) -> dict[str, Json]:
    """Have a challenge sealed to the key of this fingerprint."""
    return await session.act_once(
        "/v1/key-challenges", lambda: ChallengeKey(new_id("chl"), key), "challenge", key
    )


async def prove(session: Session) -> list[dict[str, Json]]:
    """Answer every open challenge to a key of the caller's own; return what was answered."""
    folder, done = session.folder, list[dict[str, Json]]()
    asked: Any = (await session.get("/v1/key-challenges")).json()["challenges"]
    for one in asked:
        if one["member"] != folder.profile.actor:
            continue
        name, key = str(one["challenge"]), str(one["key"])
        text = unseal_bytes(un_b64url(str(one["sealed"])), [_identity(folder, key)])
        proof = KeyProof(
            v=1,
            id=new_id("prf"),
            challenge=name,
            key=key,
            answer=b64url(read_challenge(name, text)),
            by=folder.profile.actor,
            at=spell(datetime.now(UTC)),
        )
        body = sign_proof(proof, folder.message_signer())
        target = f"/v1/key-challenges/{name}/proof"
        done.append(await session.send_once(target, partial(bytes, body), name))
    return done


def _identity(folder: KeyFolder, key: str) -> Identity:
    """Return the identity of this fingerprint: to answer with another one would prove nothing."""
    for identity in folder.identities():
        if kid_digest(str(identity.recipient)) == key:
            return identity
    raise NotFoundError(f"the key folder holds no envelope key {key[:16]}: was it moved?")


async def confirm(session: Session, key: str, how: str) -> dict[str, Json]:
    """Confirm that the key of this fingerprint is its owner's, whose answer the gateway has.

    Raises NotFoundError for no such key, ConflictError while it is not proved.
    """
    listed: Any = (await session.get("/v1/keys")).json()["keys"]
    found = next((one for one in listed if one["key"] == key), None)
    if found is None:
        raise NotFoundError("no envelope key with this fingerprint in the directory in force")
    if found["proof"] is None:
        raise ConflictError("its owner has not proved to have it yet: gateway keys prove")

    def make() -> ConfirmKey:
        return ConfirmKey(new_id("kcf"), found["challenge"], key, found["proof"], how)

    target = f"/v1/key-challenges/{found['challenge']}/confirmations"
    return await session.act_once(target, make, "confirm", key, how)
