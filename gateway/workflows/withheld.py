"""What is kept back: the list for the mechanism's officers, its review, and what may not end without it."""

from collections.abc import Iterable

from sqlalchemy import Connection

from gateway.exchange.acts import ReviewWithheld
from gateway.exchange.directory import Actor
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parties import Role
from gateway.kernel.encoding import Json
from gateway.kernel.errors import ConflictError, ForbiddenError, MalformedError
from gateway.kernel.time import spell
from gateway.store import rfas, uploads, withheld
from gateway.store.offers import Occasion
from gateway.store.withheld import Withheld
from gateway.store.writer import Transaction
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    mechanism_only,
    perform,
    read_act,
)
from gateway.workflows.withhold import barred, reviewers

READERS = frozenset(
    {Role.RFA_OFFICER, Role.DISCLOSURE_REVIEWER, Role.LEGAL_ADVISER, Role.COMPLIANCE}
)
"""The roles that may read what is kept back."""

_NAMED = 20  # ids in one message


def check_reader(actor: Actor) -> None:
    """Raise ForbiddenError unless the actor may read what is kept back."""
    mechanism_only(actor)
    if not READERS & set(actor.member.roles):
        names = ", ".join(sorted(role.value for role in READERS))
        raise ForbiddenError(f"what is kept back is for the roles {names}")


def review(gateway: Gateway, signed: Signed, name: str) -> Answer:
    """Keep what a reviewer finds of an item that is kept back."""
    act = read_act(signed)
    if not isinstance(act, ReviewWithheld) or act.withheld != name:
        raise MalformedError("expected the review of this item kept back", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        one = withheld.get(tx.conn, name)
        if signed.actor.id in barred(tx.conn, one.at, one.proposer, [one.item])[one.item]:
            raise ForbiddenError(
                "who packed or proposed an item, or left it out, does not review that"
            )
        entry = tx.record(
            Entry(
                kind=Kind.WITHHELD_REVIEWED,  # as little the authority's as the record itself
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=name,
                items=(one.item,),
                outcome=act.finding.value,
                cause=one.entry,
                content={"review": act.id, "reason": act.reason},
            )
        )
        withheld.review(tx.conn, act, signed.actor.id, entry, signed.order.digest, now)
        return {"withheld": name, "review": act.id, "finding": act.finding.value, "entry": entry}

    return perform(gateway, signed, work, creates=act.id)


def check_settled(conn: Connection, rfa: str) -> None:
    """Refuse to end an RFA whose authority lacks exculpatory material that nobody has reviewed.

    Or that a reviewer wants disclosed. Raises ConflictError that says what to do.
    """
    found = [one for one in withheld.of_rfa(conn, rfa) if one.pending]
    to_do = []
    for what, ids in (
        ("have reviewed", [one.id for one in found if one.due]),
        ("offer, in some form,", [one.id for one in found if one.to_disclose]),
    ):
        if ids:
            more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
            to_do.append(f"{what} {', '.join(ids[:_NAMED])}{more}")
    if to_do:
        raise ConflictError(f"exculpatory material is kept back: first {'; '.join(to_do)}")


def unreviewed(conn: Connection, at: Occasion) -> list[Json]:
    """Return the ids of what waits for its review on an occasion."""
    return [one.id for one in withheld.on(conn, at) if one.due]


def of_rfa(gateway: Gateway, signed: Signed, rfa: str) -> Answer:
    """Return what is kept back from an RFA's authority. Raises NotFoundError."""
    check_reader(signed.actor)
    with gateway.engine.connect() as conn:
        rfas.get(conn, rfa)
        return {"rfa": rfa, "withheld": _told(conn, withheld.of_rfa(conn, rfa))}


def listed(gateway: Gateway, signed: Signed, *, pending: bool) -> Answer:
    """Return everything that is kept back; or what of it waits for somebody."""
    check_reader(signed.actor)
    with gateway.engine.connect() as conn:
        found = withheld.pending(conn) if pending else withheld.every(conn)
        return {"withheld": _told(conn, found)}


def waiting(gateway: Gateway, conn: Connection) -> list[Json]:
    """Return what waits for a review, or must be offered, and for whom it waits."""
    able = set(reviewers(gateway))
    found: list[Json] = []
    for one in withheld.pending(conn):
        free = able - barred(conn, one.at, one.proposer, [one.item])[one.item]
        found.append(
            {
                "withheld": one.id,
                "item": one.item,
                "rfa": one.at.rfa,
                "recipient": one.at.recipient,
                "reviewer": one.reviewer,
                "since": spell(one.since),
                "waits_for": _waits_for(one, free),
            }
        )
    return found


def _waits_for(one: Withheld, free: set[str]) -> str:
    if one.to_disclose:
        return "sharer: offer it, in some form"
    if not free:
        return "nobody: enrol a disclosure_reviewer"
    return "disclosure_reviewer: review"


def reviewable(conn: Connection, actor: Actor) -> list[Json]:
    """Return what an actor may review; *yours* if it was given to her."""
    member = actor.member
    if not member.is_person or Role.DISCLOSURE_REVIEWER not in member.roles:
        return []
    return [
        {
            "withheld": one.id,
            "item": one.item,
            "rfa": one.at.rfa,
            "recipient": one.at.recipient,
            "cause": one.cause.value,
            "since": spell(one.since),
            "yours": one.reviewer == actor.id,
        }
        for one in withheld.pending(conn)
        if one.due and actor.id not in barred(conn, one.at, one.proposer, [one.item])[one.item]
    ]


def _told(conn: Connection, found: Iterable[Withheld]) -> list[Json]:
    records = list(found)
    items = tuple({one.item for one in records})
    numbers = {
        item.item: item.particulars.evidence_number for item in uploads.deposited(conn, items)
    }
    return [_one(one, numbers[one.item]) for one in records]


def _one(one: Withheld, evidence_number: str) -> dict[str, Json]:
    review_ = one.review
    return {
        "withheld": one.id,
        "item": one.item,
        "evidence_number": evidence_number,
        "rfa": one.at.rfa,
        "recipient": one.at.recipient,
        "case": one.at.reference,
        "share": one.share,
        "proposer": one.proposer,
        "cause": one.cause.value,
        "why": one.reasons,
        "exculpatory": one.exculpatory,
        "reviewer": one.reviewer,
        "review": {
            "id": review_.id,
            "finding": review_.finding.value,
            "reason": review_.reason,
            "actor": review_.actor,
            "entry": review_.entry,
            "at": spell(review_.at),
        }
        if review_ is not None
        else None,
        "offered": one.offered,
        "due": one.due,
        "to_disclose": one.to_disclose,
        "entry": one.entry,
        "at": spell(one.since),
    }
