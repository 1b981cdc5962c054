"""Before a release: a package is made, proposed to one authority, decided, approved."""

from datetime import datetime

from gateway.exchange.acts import (
    Approve,
    MakePackage,
    Propose,
    can_stand_together,
)
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.shares import State, Step
from gateway.kernel.encoding import Json, canonical_json, hex_sha256
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    MalformedError,
    VerificationError,
)
from gateway.kernel.time import spell
from gateway.policy import Outcome
from gateway.store import shares, uploads
from gateway.store.shares import Share
from gateway.store.writer import Transaction
from gateway.workflows.decide import check_suite, rule
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    perform,
    read_act,
)
from gateway.workflows.standing import (
    answer_about,
    authority,
    decide_again,
    entry_about,
    release_items,
)

STEP = {Outcome.PERMIT: Step.PERMIT, Outcome.HOLD: Step.HOLD, Outcome.DENY: Step.DENY}


def make_package(gateway: Gateway, signed: Signed) -> Answer:
    """Put deposited items together under one basis."""
    act = read_act(signed)
    if not isinstance(act, MakePackage):
        raise MalformedError("expected a package", field="/act/type")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        items = uploads.deposited(tx.conn, act.items)
        if not can_stand_together(item.particulars.name for item in items):
            raise ConflictError("two items of the package have the same name, or one is a folder's")
        shares.make_package(tx.conn, act, signed.actor.id, signed.order.digest, now)
        entry = tx.record(
            Entry(
                kind=Kind.PACKAGE_MADE,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=act.id,
                items=act.items,
            )
        )
        return {"package": act.id, "entry": entry}

    return perform(gateway, signed, work, creates=act.id)


def propose(gateway: Gateway, signed: Signed) -> Answer:
    """Propose a package to one authority, and decide. Every outcome is recorded, a refusal too."""
    act = read_act(signed)
    if not isinstance(act, Propose):
        raise MalformedError("expected a proposal", field="/act/type")
    recipient = authority(gateway, act.recipient)
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        package = shares.package(tx.conn, act.package)
        check_suite(uploads.deposited(tx.conn, package.items), recipient, now)
        ruling = rule(gateway, tx.conn, package, recipient, now, requester=signed.actor.id)
        digest = hex_sha256(canonical_json(ruling.json()))
        entry = tx.record(
            entry_about(Kind.SHARE_PROPOSED, signed, now, act.share, package, digest, ruling)
        )
        shares.propose(
            tx.conn, act, signed.actor.id, signed.order.digest, STEP[ruling.outcome], entry, now
        )
        shares.keep_decision(tx.conn, act.share, "propose", ruling.json(), [*ruling.facts], now)
        return answer_about(tx.conn, act.share, ruling)

    return perform(gateway, signed, work, creates=act.share)


def approve(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Give one clearance to a held share, and decide again with it."""
    act = read_act(signed)
    if not isinstance(act, Approve) or act.share != share_id:
        raise MalformedError("expected an approval of this share", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        share, package, ruling = decide_again(gateway, tx.conn, act.share, now)
        if share.state is not State.HELD:
            raise ConflictError(f"the share is {share.state.value}; only a held one is approved")
        if signed.actor.id == share.proposer:
            raise ForbiddenError("who proposed a share does not approve it")
        if act.recipient != share.recipient or act.items != release_items(tx.conn, package):
            raise VerificationError("the approval is of other items or another recipient")
        if act.basis != ruling.decision.basis_digest:
            raise ConflictError("the facts or rules have changed: read the share and approve anew")
        shares.approve(tx.conn, act, signed.actor.id, signed.order.digest, now)
        tx.record(
            Entry(
                kind=Kind.SHARE_APPROVED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=share.id,
                items=package.items,
                outcome=act.role.value,
            )
        )
        return _redecide(gateway, tx, signed, share, package, now)

    return perform(gateway, signed, work, creates=act.id)


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
    return answer_about(tx.conn, share.id, ruling)


def show(gateway: Gateway, share_id: str) -> Answer:
    """Return a share with its life and latest decision, for the mechanism."""
    now = gateway.now()
    with gateway.engine.connect() as conn:
        share, _, ruling = decide_again(gateway, conn, share_id, now)
        life: list[Json] = [
            {"state": e.state.value, "actor": e.actor, "entry": e.entry, "at": spell(e.at)}
            for e in shares.events(conn, share_id)
        ]
        kept: list[Json] = [
            {"id": r.id, "rung": r.rung, "actor": r.actor, "at": spell(r.at)}
            for r in shares.receipts_of(conn, share_id)
        ]
        return {**answer_about(conn, share.id, ruling), "life": life, "receipts": kept}


def listed(gateway: Gateway) -> Answer:
    """Return every share with its state, for the mechanism."""
    with gateway.engine.connect() as conn:
        found: list[Json] = [
            {"share": s.id, "recipient": s.recipient, "package": s.package, "state": s.state.value}
            for s in shares.in_states(conn, State)
        ]
    return {"shares": found}
