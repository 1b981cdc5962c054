"""Derivatives: a person attests which item was made from which, what was taken out, and for whom it is marked.

The gateway sees neither in clear. It checks that the attestation is of exactly the deposited bytes, in the
words of the policy set in force, and decides again whatever rests on it.
"""

from sqlalchemy import Connection

from gateway.exchange.acts import Derive, relation_to
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import plain
from gateway.exchange.parties import Kind as PartyKind
from gateway.kernel.encoding import Json, digest_of
from gateway.kernel.errors import (
    ConflictError,
    MalformedError,
    UnavailableError,
    VerificationError,
)
from gateway.kernel.time import spell
from gateway.policy import REDACT, WATERMARK
from gateway.store import derivatives, uploads
from gateway.store.derivatives import Derivative
from gateway.store.writer import Transaction
from gateway.workflows import suspend
from gateway.workflows.gateway import Answer, Gateway, Signed, perform, read_act


def attest(gateway: Gateway, signed: Signed, item: str) -> Answer:
    """Keep that a person attests a derivation, and decide again whatever it concerns."""
    act = read_act(signed)
    if not isinstance(act, Derive) or act.item != item:
        raise MalformedError("expected the derivation of this item", field="/act")
    _check_words(gateway, act)
    _check_recipient(gateway, act)
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        _check_items(tx.conn, act)
        _check_chain(tx.conn, act)
        derivatives.keep(tx.conn, act, signed.actor.id, signed.order.digest, now)
        entry = tx.record(
            Entry(
                kind=Kind.ITEM_DERIVED,  # never with its recipient, who would learn of it
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=act.item,
                items=(act.item, act.original),
                content={"original": act.original, "attestation": digest_of(plain(act))},
            )
        )
        return {"item": act.item, "derivation": act.id, "entry": entry}

    answer = perform(gateway, signed, work, creates=act.id)
    with gateway.engine.connect() as conn:
        concerned = derivatives.descended(conn, item)
    for one in sorted(concerned):
        suspend.sweep(gateway, item=one)
    return answer


def _check_words(gateway: Gateway, act: Derive) -> None:
    """Check what was done in the words of the set in force. Raises MalformedError naming them."""
    policy = gateway.sets.policy
    if policy is None:
        raise UnavailableError("no policy set is in force: it names what can be removed")
    marks = () if act.mark == "none" else (act.mark,)
    for kind, said, field in ((REDACT, act.removed, "removed"), (WATERMARK, marks, "mark")):
        if said and kind not in policy.kinds:
            message = f"the policy set in force has no obligation {kind}"
            raise MalformedError(message, field=f"/act/{field}")
        known = policy.kinds[kind].values if said else ()
        unknown = [word for word in said if word not in known]
        if unknown:
            message = f"{unknown[0]!r} is not a value of {kind}; possible: {', '.join(known)}"
            raise MalformedError(message, field=f"/act/{field}")


def _check_recipient(gateway: Gateway, act: Derive) -> None:
    if act.recipient is not None:
        party = gateway.sets.directory.party(act.recipient)
        if party.kind is not PartyKind.AUTHORITY:
            raise MalformedError("a mark is for an authority", field="/act/recipient")


def _check_items(conn: Connection, act: Derive) -> None:
    """Check that both are deposited, with these bytes and this relation."""
    item, original = uploads.deposited(conn, (act.item, act.original))
    if item.particulars.sha256 != act.item_sha256:
        raise VerificationError("item_sha256 is not the digest of the deposited derivative")
    if original.particulars.sha256 != act.original_sha256:
        raise VerificationError("original_sha256 is not the digest of the deposited original")
    wanted = relation_to(act.original, act.removed)
    if item.particulars.relation != wanted:
        raise VerificationError(
            f"the derivative was not deposited as {wanted.kind.value} of this original: deposit it anew"
        )


def _check_chain(conn: Connection, act: Derive) -> None:
    found = derivatives.chains(conn, (act.item, act.original))
    if found[act.item]:
        raise ConflictError("a derivation of this item was attested before: deposit another one")
    for one in found[act.original]:
        if act.recipient is not None and one.act.recipient not in (None, act.recipient):
            raise ConflictError(
                "the original is marked for another recipient: make the copy of what it was made from"
            )


def told(conn: Connection, item: str) -> dict[str, Json]:
    """Return of an item how it was derived, all that was removed, and what was made from it."""
    chain = derivatives.chains(conn, (item,))[item]
    removed = {word for one in chain for word in one.act.removed}
    made: list[Json] = [_told(one) for one in derivatives.made_from(conn, item)]
    own = _told(chain[0]) if chain else None
    return {"derivation": own, "removed": [*sorted(removed)], "derivatives": made}


def _told(one: Derivative) -> dict[str, Json]:
    said = plain(one.act)
    said["derivation"] = said.pop("id")
    del said["type"]
    return {**said, "actor": one.actor, "at": spell(one.at)}
