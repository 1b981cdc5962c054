"""Introducing an envelope key: a challenge sealed to it, its owner's answer, the word of two persons.

The directory says which keys there are and what becomes of them; this record is asked for besides, and
the gateway wraps to no key without it (`introduced`).
"""

import secrets
from hmac import compare_digest

from gateway.envelope import parse_recipient, seal_bytes
from gateway.exchange.acts import ChallengeKey, ConfirmKey
from gateway.exchange.directory import Actor, Directory
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.key_acts import (
    CONFIRMATIONS,
    challenge_digest,
    challenge_text,
    open_proof,
)
from gateway.exchange.key_life import advice, fingerprint
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Status, Use
from gateway.kernel.encoding import Json, b64url, un_b64url
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    VerificationError,
)
from gateway.kernel.time import spell
from gateway.store import challenges, envelope_keys
from gateway.store.challenges import Challenge
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Answer, Gateway, Signed, perform, read_act

_SECRET = 32  # bytes


def challenge(gateway: Gateway, signed: Signed) -> Answer:
    """Seal a challenge to an envelope key of the directory, on a person's order."""
    act = read_act(signed)
    if not isinstance(act, ChallengeKey):
        raise MalformedError("expected a challenge to a key", field="/act/type")
    now, secret = gateway.now(), secrets.token_bytes(_SECRET)
    owner = _owner(gateway.sets.directory, act.key)
    sealed = seal_bytes(challenge_text(act.id, secret), [parse_recipient(owner.key.public)])

    def work(tx: Transaction) -> Answer:
        _check_open(_owner(gateway.follow(tx.conn), act.key))
        if envelope_keys.introduced(tx.conn, [act.key]):
            raise ConflictError("the key is introduced already: it can be used")
        entry = tx.record(
            Entry(
                kind=Kind.KEY_CHALLENGED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=act.id,
                content={"key": act.key, "party": owner.party.id},
            )
        )
        challenges.keep(
            tx.conn,
            act,
            owner.party.id,
            owner.member.id,
            challenge_digest(act.id, secret),
            sealed,
            signed.actor.id,
            signed.order.digest,
            now,
        )
        return {"challenge": act.id, "key": act.key, "party": owner.party.id, "entry": entry}

    return perform(gateway, signed, work, creates=act.id)


def _owner(directory: Directory, key: str) -> Actor:
    """Return whose envelope key has this fingerprint. Raises NotFoundError."""
    for owner in directory.actors().values():
        if owner.key.use is Use.ENVELOPE and fingerprint(owner.key) == key:
            return owner
    raise NotFoundError("no envelope key with this fingerprint in the directory in force")


def _check_open(owner: Actor) -> None:
    if owner.key.status not in (Status.NEXT, Status.ACTIVE):
        raise ConflictError(f"the key is {owner.key.status.value}: enter a new one")


def to_answer(gateway: Gateway, signed: Signed) -> Answer:
    """Return the unanswered challenges to keys of the caller's party, sealed."""
    with gateway.engine.connect() as conn:
        found: list[Json] = [
            {
                "challenge": one.id,
                "key": one.key,
                "member": one.member,
                "sealed": b64url(one.sealed),
                "at": spell(one.at),
            }
            for one in challenges.of_party(conn, signed.actor.party.id)
        ]
    return {"challenges": found}


def prove(gateway: Gateway, signed: Signed, name: str) -> Answer:
    """Take the owner's signed answer to a challenge: possession of the key is proved."""
    now = gateway.now()
    proof = open_proof(signed.order.body, signed.actor, now)
    if proof.challenge != name:
        raise MalformedError("the proof is of another challenge", field="/challenge")

    def work(tx: Transaction) -> Answer:
        asked = challenges.get(tx.conn, name, signed.actor.party.id)
        _check_open(_owner(gateway.follow(tx.conn), asked.key))
        if asked.member != signed.actor.id:
            raise ForbiddenError("a challenge is answered by the owner of the key")
        if challenges.proof_of(tx.conn, name) is not None:
            raise ConflictError("the challenge is answered already")
        answer = challenge_digest(name, un_b64url(proof.answer))
        if proof.key != asked.key or not compare_digest(answer, asked.digest):
            raise VerificationError("this does not answer the challenge")
        entry = tx.record(
            Entry(
                kind=Kind.KEY_PROVED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=name,
                content={"key": asked.key},
            )
        )
        challenges.prove(tx.conn, proof, signed.order.body, signed.actor.id, now)
        return {"challenge": name, "key": asked.key, "entry": entry}

    return perform(gateway, signed, work, creates=proof.id)


def confirm(gateway: Gateway, signed: Signed, name: str) -> Answer:
    """Keep a person's word that a proved key is its owner's. With the second person's it can be used."""
    act = read_act(signed)
    if not isinstance(act, ConfirmKey) or act.challenge != name:
        raise MalformedError("expected a confirmation of this challenge", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        asked = challenges.get(tx.conn, name)
        owner = _owner(gateway.follow(tx.conn), asked.key)
        _check_open(owner)
        before = challenges.confirmed_by(tx.conn, name)
        _check_confirmable(tx, act, asked, owner, signed.actor.id in before)
        used = bool(envelope_keys.introduced(tx.conn, [asked.key]))
        done = len(before) + 1 >= CONFIRMATIONS and not used
        entry = tx.record(
            Entry(
                kind=Kind.KEY_CONFIRMED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=name,
                outcome="introduced" if done else "confirmed",
                content={"key": asked.key, "party": asked.party, "proof": act.proof},
            )
        )
        order = signed.order.digest
        challenges.confirm(tx.conn, act, signed.actor.id, entry, order, now)
        if done:
            how = envelope_keys.CONFIRMED
            envelope_keys.introduce(tx.conn, owner.key.kid, asked.party, how, now)
        missing = max(CONFIRMATIONS - len(before) - 1, 0)
        return {
            "challenge": name,
            "key": asked.key,
            "introduced": used or done,
            "missing": missing,
            "entry": entry,
        }

    return perform(gateway, signed, work, creates=act.id)


def _check_confirmable(
    tx: Transaction, act: ConfirmKey, asked: Challenge, owner: Actor, again: bool
) -> None:
    if owner.party.id != asked.party or owner.member.id != asked.member:
        raise ConflictError("the key has another owner than was challenged: challenge it anew")
    proof = challenges.proof_of(tx.conn, asked.id)
    if proof is None:
        raise ConflictError("its owner has not answered the challenge yet: gateway keys prove")
    if (act.key, act.proof) != (asked.key, proof.digest):
        raise VerificationError("the confirmation is of another key or answer")
    if again:
        raise ConflictError("you have confirmed this key: another person has to")


def listed(gateway: Gateway) -> Answer:
    """Return every envelope key of the directory in force, how it was introduced, and what to do next."""
    with gateway.engine.connect() as conn:
        directory = gateway.follow(conn)
        known = {one.key: one for one in envelope_keys.every(conn)}
        found: list[Json] = []
        for owner in directory.actors().values():
            if owner.key.use is not Use.ENVELOPE:
                continue
            name = fingerprint(owner.key)
            asked = challenges.latest(conn, name)
            proof = challenges.proof_of(conn, asked.id) if asked else None
            persons: list[Json] = [*challenges.confirmed_by(conn, asked.id)] if asked else []
            used = known.get(name)
            found.append(
                {
                    "key": name,
                    "party": owner.party.id,
                    "short": owner.party.short,
                    "member": owner.member.id,
                    "alg": owner.key.alg,
                    "status": owner.key.status.value,
                    "not_after": owner.key.not_after,
                    "introduced": used.how if used else None,
                    "challenge": asked.id if asked else None,
                    "proof": proof.digest if proof else None,
                    "confirmed_by": persons,
                    "next": advice(
                        owner.member, owner.key, gateway.now(), introduced=used is not None
                    ),
                }
            )
    return {"keys": found, "directory": directory.number}


def check_party(signed: Signed) -> None:
    """Raise ForbiddenError unless the caller is of the mechanism or of an authority."""
    if signed.actor.party.kind is PartyKind.SOURCE:
        raise ForbiddenError("a source has no envelope keys")
