"""Clearances of a held share: approvals of distinct persons, and consultations with their evidence.

Each is a signed order bound to item digests, recipient, obligation and the basis on which that obligation
is asked for; it is void when any of them changes.
"""

from collections.abc import Mapping
from datetime import datetime

from gateway.exchange.acts import Approve, Consult, MakePackage
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.shares import State
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    MalformedError,
    VerificationError,
)
from gateway.policy import Clearance, Decision, Outcome, missing
from gateway.store import shares
from gateway.store.shares import Share
from gateway.store.writer import Transaction
from gateway.workflows import withhold
from gateway.workflows.gateway import Answer, Gateway, Signed, perform, read_act
from gateway.workflows.standing import (
    STEP,
    answer_about,
    decide_again,
    entry_about,
    release_items,
)


def clear(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Give one clearance to a held share, and decide again with it."""
    act = read_act(signed)
    if not isinstance(act, Approve | Consult) or act.share != share_id:
        raise MalformedError("expected an approval or consultation for this share", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        share, package = _check(gateway, tx, signed, act, now)
        shares.clear(tx.conn, act, signed.actor.id, signed.order.digest, now)
        approval = isinstance(act, Approve)
        tx.record(
            Entry(
                kind=Kind.SHARE_APPROVED if approval else Kind.SHARE_CONSULTED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=share.id,
                items=package.items,
                outcome=shares.obligation(act),
                content=None if isinstance(act, Approve) else {"evidence": act.evidence},
            )
        )
        return _redecide(gateway, tx, signed, share, package, now)

    return perform(gateway, signed, work, creates=act.id)


def _check(
    gateway: Gateway, tx: Transaction, signed: Signed, act: Approve | Consult, now: datetime
) -> tuple[Share, MakePackage]:
    """Check that a clearance is of what is held now, by one who may give it."""
    share, package, ruling = decide_again(gateway, tx.conn, act.share, now)
    if share.state is not State.HELD:
        raise ConflictError(f"the share is {share.state.value}; only a held one is cleared")
    if signed.actor.id == share.proposer:
        raise ForbiddenError("who proposed a share does not clear it")
    if act.recipient != share.recipient or act.items != release_items(tx.conn, package):
        raise VerificationError("the clearance is of other items or another recipient")
    made = Clearance(signed.actor.id, shares.obligation(act), act.basis)
    asked_on = ruling.decision.bases.get(made.obligation)
    if asked_on is None:  # whatever seat it might free: nobody asked for it
        raise _not_lacking(made, ruling.lacking)
    if made.basis != asked_on:
        raise ConflictError("the facts or rules have changed: read the share and clear it anew")
    given = shares.clearances_of(tx.conn, share.id)
    if made in given:
        raise ConflictError("you have given this clearance already; another person must give hers")
    if made.obligation not in ruling.lacking and not _helps(ruling.decision, given, made, share):
        raise _not_lacking(made, ruling.lacking)
    return share, package


def _not_lacking(made: Clearance, lacking: Mapping[str, int]) -> ConflictError:
    lacks = ", ".join(lacking) or "nothing"
    return ConflictError(f"the share does not lack {made.obligation}; it lacks {lacks}")


def _helps(decision: Decision, given: list[Clearance], made: Clearance, share: Share) -> bool:
    """Tell whether a clearance frees a person for another seat, though its own seat is filled."""
    before = missing(decision, given, share.proposer)
    return missing(decision, [*given, made], share.proposer) != before


def _redecide(
    gateway: Gateway,
    tx: Transaction,
    signed: Signed,
    share: Share,
    package: MakePackage,
    now: datetime,
) -> Answer:
    _, _, ruling = decide_again(gateway, tx.conn, share.id, now)
    digest = shares.keep_decision(tx.conn, share.id, "approve", ruling.json(), [*ruling.facts], now)
    if ruling.outcome is not Outcome.HOLD:
        entry = tx.record(
            entry_about(Kind.SHARE_DECIDED, signed, now, share.id, package, digest, ruling)
        )
        shares.step(
            tx.conn,
            share.id,
            STEP[ruling.outcome],
            actor=signed.actor.id,
            entry=entry,
            order=signed.order.digest,
            at=now,
        )
        withhold.denied(gateway, tx, share, package, ruling, entry, signed, now)
    return answer_about(tx.conn, share.id, ruling)
