"""Release and recall: a person's order, logged before anything comes of it."""

from contextlib import suppress

from sqlalchemy import Connection

from gateway.exchange.acts import (
    Recall,
    Release,
)
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.messages import About
from gateway.exchange.shares import State, Step
from gateway.kernel.errors import (
    ForbiddenError,
    LockedError,
    MalformedError,
    VerificationError,
)
from gateway.policy import Outcome
from gateway.store import orders, releases, shares, uploads
from gateway.store.shares import Share
from gateway.store.writer import Transaction
from gateway.workflows import withheld, withhold
from gateway.workflows.decide import check_suite
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    check_fresh,
    perform,
    read_act,
)
from gateway.workflows.introduced import usable
from gateway.workflows.post import tell
from gateway.workflows.prepare import finish
from gateway.workflows.proofs import keep_informed
from gateway.workflows.standing import (
    STEP,
    answer_about,
    authority,
    decide_again,
    entry_about,
    release_items,
)


def release(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Release one share on a person's order, and carry it through until it is available."""
    act = read_act(signed)
    if not isinstance(act, Release) or act.share != share_id:
        raise MalformedError("expected a release of this share", field="/act")
    now = gateway.now()
    check_fresh(gateway, now)

    def work(tx: Transaction) -> Answer:
        share, package, ruling = decide_again(gateway, tx.conn, act.share, now)
        if _released_before(tx.conn, share, signed):
            return {**answer_about(tx.conn, share.id, ruling), "outcome": Outcome.PERMIT.value}
        if act.recipient != share.recipient or act.items != release_items(tx.conn, package):
            raise VerificationError("the release names other items or another recipient")
        recipient = authority(gateway, share.recipient)
        check_suite(uploads.deposited(tx.conn, package.items), usable(tx.conn, recipient), now)
        digest = shares.keep_decision(
            tx.conn, share.id, "release", ruling.json(), [*ruling.facts], now
        )
        permitted = ruling.outcome is Outcome.PERMIT
        made = (
            Step.RELEASE if permitted or share.state is not State.PROPOSED else STEP[ruling.outcome]
        )
        kind = Kind.SHARE_RELEASED if permitted else Kind.SHARE_DECIDED
        entry = tx.record(entry_about(kind, signed, now, share.id, package, digest, ruling))
        shares.step(
            tx.conn,
            share.id,
            made,
            actor=signed.actor.id,
            entry=entry,
            order=signed.order.digest,
            at=now,
        )
        if permitted:
            case = package.basis.case
            releases.keep(tx.conn, share.id, share.recipient, case, ruling.given)
        withhold.denied(gateway, tx, share, package, ruling, entry, signed, now)
        return answer_about(tx.conn, share.id, ruling)

    answer = perform(gateway, signed, work)
    if answer.get("outcome") != Outcome.PERMIT.value:
        raise ForbiddenError(f"the share is not permitted any more; it is {answer.get('state')}")
    with suppress(LockedError):  # it is released; what waits for the keyholder is finished later
        finish(gateway, act.share)
    with gateway.engine.connect() as conn:
        share = shares.get(conn, act.share)
        at = withhold.occasion(conn, shares.package(conn, share.package), share.recipient)
        waiting = withheld.unreviewed(conn, at)
        return {**answer, "state": share.state.value, "withheld_unreviewed": waiting}


def _released_before(conn: Connection, share: Share, signed: Signed) -> bool:
    """Tell whether this is the repetition of the very order that released the share.

    Only a release that came about is answered again: one that was refused or held may succeed later.
    """
    for event in shares.events(conn, share.id):
        if event.state is State.RELEASED and event.order and event.actor == signed.actor.id:
            return orders.get(conn, event.order).order.body == signed.order.body
    return False


def recall(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Recall a share: pulls stop at once, the authority is asked and never told why.

    Of one that has expired after it was offered the authority may hold copies: it is asked as well, and
    the share stays expired.
    """
    act = read_act(signed)
    if not isinstance(act, Recall) or act.share != share_id:
        raise MalformedError("expected a recall of this share", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        share = shares.get(tx.conn, act.share)
        entry = tx.record(
            Entry(
                kind=Kind.SHARE_RECALLED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=share.id,
                recipient=share.recipient,
                outcome=act.ask.value,
            )
        )
        offered = any(e.state is State.AVAILABLE for e in shares.events(tx.conn, share.id))
        state = share.state
        if not (offered and state is State.EXPIRED):
            state = shares.step(
                tx.conn,
                share.id,
                Step.RECALL,
                actor=signed.actor.id,
                entry=entry,
                order=signed.order.digest,
                at=now,
            )
        if offered:
            tell(
                gateway,
                tx,
                share.recipient,
                About.SHARE_RECALLED,
                now,
                share=share.id,
                ask=act.ask.value,
            )
        return {"share": share.id, "state": state.value, "entry": entry}

    answer = perform(gateway, signed, work, creates="rca_" + act.share[4:])
    gateway.stopped.add(act.share)
    keep_informed(gateway)
    return answer
