"""Before a release: a package is made, proposed to one authority, decided."""

from datetime import datetime

from sqlalchemy import Connection

from gateway.exchange.acts import (
    MakePackage,
    Propose,
    can_stand_together,
)
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.rfas import ANSWERABLE
from gateway.exchange.shares import State
from gateway.exchange.withheld_acts import Cause
from gateway.kernel.encoding import Json, canonical_json, hex_sha256
from gateway.kernel.errors import (
    ConflictError,
    MalformedError,
)
from gateway.kernel.time import spell
from gateway.store import rfas, servings, shares, signed_terms, uploads
from gateway.store.offers import Occasion
from gateway.store.writer import Transaction
from gateway.workflows import withhold
from gateway.workflows.decide import check_suite, rule
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    perform,
    read_act,
)
from gateway.workflows.introduced import usable
from gateway.workflows.standing import (
    STEP,
    answer_about,
    authority,
    decide_again,
    entry_about,
)
from gateway.workflows.terms import given


def make_package(gateway: Gateway, signed: Signed) -> Answer:
    """Put deposited items together under one basis."""
    act = read_act(signed)
    if not isinstance(act, MakePackage):
        raise MalformedError("expected a package", field="/act/type")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        items = uploads.deposited(tx.conn, act.items)
        _check_rfa(tx.conn, act)
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
        if act.basis.rfa is not None:
            at = withhold.of_rfa(rfas.get(tx.conn, act.basis.rfa))
            withhold.omitted(gateway, tx, _left_out(at, signed, entry, now), act.items)
        return {"package": act.id, "entry": entry}

    return perform(gateway, signed, work, creates=act.id)


def _left_out(at: Occasion, signed: Signed, entry: str, now: datetime) -> withhold.Origin:
    return withhold.Origin(at, Cause.OMITTED, signed.actor.id, entry, signed, now)


def _check_rfa(conn: Connection, act: MakePackage) -> None:
    """Check that the RFA which a package answers can be answered, for what was attested of it."""
    if act.basis.rfa is None:
        return
    rfa = rfas.get(conn, act.basis.rfa)
    if rfa.state not in ANSWERABLE:
        states = ", ".join(sorted(ANSWERABLE))
        raise ConflictError(f"the RFA is {rfa.state.value}; packages answer one that is {states}")
    if (act.basis.purpose, act.basis.case) != (rfa.purpose, rfa.reference):
        raise ConflictError(
            f"the RFA was registered for purpose {rfa.purpose} and case {rfa.reference}: say these"
        )


def propose(gateway: Gateway, signed: Signed) -> Answer:
    """Propose a package to one authority, and decide. Every outcome is recorded, a refusal too."""
    act = read_act(signed)
    if not isinstance(act, Propose):
        raise MalformedError("expected a proposal", field="/act/type")
    recipient = authority(gateway, act.recipient)
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        package = shares.package(tx.conn, act.package)
        check_suite(uploads.deposited(tx.conn, package.items), usable(tx.conn, recipient), now)
        ruling = rule(gateway, tx.conn, package, recipient, now, requester=signed.actor.id)
        digest = hex_sha256(canonical_json(ruling.json()))
        entry = tx.record(
            entry_about(Kind.SHARE_PROPOSED, signed, now, act.share, package, digest, ruling)
        )
        share = shares.propose(
            tx.conn, act, signed.actor.id, signed.order.digest, STEP[ruling.outcome], entry, now
        )
        shares.keep_decision(tx.conn, act.share, "propose", ruling.json(), [*ruling.facts], now)
        withhold.denied(gateway, tx, share, package, ruling, entry, signed, now)
        if package.basis.rfa is None:
            at = Occasion(share.recipient, package.basis.case, None)
            withhold.omitted(gateway, tx, _left_out(at, signed, entry, now), package.items)
        return answer_about(tx.conn, act.share, ruling)

    return perform(gateway, signed, work, creates=act.share)


def show(gateway: Gateway, share_id: str) -> Answer:
    """Return a share with its life and latest decision, for the mechanism."""
    now = gateway.now()
    with gateway.engine.connect() as conn:
        share, _, ruling = decide_again(gateway, conn, share_id, now)
        events = shares.events(conn, share_id)
        life: list[Json] = [
            {"state": e.state.value, "actor": e.actor, "entry": e.entry, "at": spell(e.at)}
            for e in events
        ]
        kept: list[Json] = [
            {"id": r.id, "rung": r.rung, "actor": r.actor, "at": spell(r.at)}
            for r in servings.receipts_of(conn, share_id)
        ]
        offered = any(e.state is State.AVAILABLE for e in events)
        by = signed_terms.of_share(conn, share_id)
        return {
            **answer_about(conn, share.id, ruling),
            "life": life,
            "receipts": kept,
            "expires": given(conn, share).expires if offered else None,
            "terms_signed": {"id": by.id, "actor": by.actor, "at": spell(by.at)} if by else None,
        }


def listed(gateway: Gateway) -> Answer:
    """Return every share with its state, for the mechanism."""
    with gateway.engine.connect() as conn:
        found: list[Json] = [
            {"share": s.id, "recipient": s.recipient, "package": s.package, "state": s.state.value}
            for s in shares.in_states(conn, State)
        ]
    return {"shares": found}
