"""How it is put on record that an item is kept back, in the transaction of whatever keeps it back.

An item that may speak for a suspect gets a named reviewer at once: never who proposed it.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.exchange.acts import MakePackage
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parties import Role, Use
from gateway.exchange.withheld_acts import Cause, Finding
from gateway.kernel.encoding import Json
from gateway.kernel.errors import NotFoundError
from gateway.kernel.ids import new_id
from gateway.policy import Denial, Outcome, denied_alone, denied_together
from gateway.store import derivatives, offers, rfas, withheld
from gateway.store.offers import Occasion
from gateway.store.rfas import Rfa
from gateway.store.shares import Share
from gateway.store.withheld import Withheld
from gateway.store.writer import Transaction
from gateway.workflows.decide import Ruling, item_facts
from gateway.workflows.gateway import Gateway, Signed

EXCULPATORY = "item.exculpatory"


@dataclass(frozen=True, slots=True)
class Origin:
    """What keeps items back: on which occasion, how, whose doing it is, and the entry that records it."""

    at: Occasion
    cause: Cause
    proposer: str
    entry: str
    signed: Signed | None
    now: datetime
    share: str | None = None


def occasion(conn: Connection, package: MakePackage, recipient: str) -> Occasion:
    """Return for what a package would be given to a recipient; another's RFA is none of his."""
    basis = package.basis
    if basis.rfa is not None:
        try:
            if rfas.get(conn, basis.rfa).authority == recipient:
                return Occasion(recipient, basis.case, basis.rfa)
        except NotFoundError:
            pass
    return Occasion(recipient, basis.case, None)


def of_rfa(rfa: Rfa) -> Occasion:
    """Return the occasion that an RFA is."""
    return Occasion(rfa.authority, rfa.reference or rfa.wanted.investigation, rfa.id)


def denied(
    gateway: Gateway,
    tx: Transaction,
    share: Share,
    package: MakePackage,
    ruling: Ruling,
    entry: str,
    signed: Signed | None,
    now: datetime,
) -> None:
    """Record the items that a denied share keeps back.

    They are those that would be denied even alone; if there are none, all of them, since then it is
    their being together that is denied.
    """
    if ruling.outcome is not Outcome.DENY:
        return
    at = occasion(tx.conn, package, share.recipient)
    origin = Origin(at, Cause.DENIED, share.proposer, entry, signed, now, share.id)
    found = denied_alone(ruling.applied)
    if not found:
        together = denied_together(ruling.applied)
        found = dict.fromkeys(range(len(package.items)), together)
    kept = {package.items[n]: _denial(denial) for n, denial in found.items()}
    _withhold(gateway, tx, origin, kept)


def omitted(gateway: Gateway, tx: Transaction, origin: Origin, items: Collection[str]) -> None:
    """Record what earlier packages for the same occasion had and one of *items* leaves out.

    What the recipient was offered otherwise, or would be by an open proposal, is not left out.
    """
    earlier, recipient = offers.packed(tx.conn, origin.at), origin.at.recipient
    gone = earlier.difference(*derivatives.kin(tx.conn, items).values())
    gone -= offers.proposed(tx.conn, recipient, gone)
    _withhold(gateway, tx, origin, dict.fromkeys(gone, _plain(origin.cause)))


def not_offered(gateway: Gateway, tx: Transaction, origin: Origin) -> None:
    """Record what packages for an RFA had and was never offered, unless it is on record already."""
    known = {one.item for one in withheld.on(tx.conn, origin.at) if not one.offered}
    gone = offers.packed(tx.conn, origin.at) - known
    _withhold(gateway, tx, origin, dict.fromkeys(gone, _plain(origin.cause)))


def marked(gateway: Gateway, tx: Transaction, signed: Signed, item: str, entry: str) -> None:
    """Have it reviewed that an item is kept back which turns out to be exculpatory."""
    for one in withheld.of_item(tx.conn, item):
        origin = Origin(one.at, one.cause, one.proposer, entry, signed, gateway.now(), one.share)
        _withhold(gateway, tx, origin, {item: one.reasons})


def _denial(denial: Denial) -> Json:
    unmet: dict[str, Json] = {kind: [*what] for kind, what in denial.unmet.items()}
    return {"rules": [*denial.rules], "reasons": [*denial.reasons], "unmet": unmet}


def _plain(cause: Cause) -> Json:
    return {"rules": [], "reasons": [cause.value], "unmet": {}}


def _withhold(gateway: Gateway, tx: Transaction, origin: Origin, kept: Mapping[str, Json]) -> None:
    """Record items with their reasons, but for those that the recipient has and those on record."""
    if not kept:
        return
    conn, items = tx.conn, tuple(sorted(kept))
    has = offers.offered(conn, origin.at.recipient, items)
    facts = dict(zip(items, item_facts(conn, items), strict=True))
    said = {item: _said(facts[item].get(EXCULPATORY)) for item in items}
    standing = withheld.on(conn, origin.at)
    new = [
        item
        for item in items
        if item not in has
        and not any(_covers(one, origin.cause, item, kept[item], said[item]) for one in standing)
    ]
    reviewers = _assigned(gateway, conn, origin, [item for item in new if said[item]])
    for item in new:
        _record(tx, origin, item, kept[item], said[item], reviewers.get(item))


def _said(fact: Json) -> bool | None:
    return fact if isinstance(fact, bool) else None


def _covers(
    one: Withheld, cause: Cause, item: str, reasons: Json, exculpatory: bool | None
) -> bool:
    """Tell whether a record says already what a new one would.

    Once a reviewer has upheld it, only for the same reasons.
    """
    if (one.item, one.cause) != (item, cause) or one.offered:
        return False
    if exculpatory and not one.exculpatory:
        return False
    return one.review is None or one.review.finding is Finding.DISCLOSE or one.reasons == reasons


def reviewers(gateway: Gateway) -> list[str]:
    """Return the persons who may review what is kept back and can sign, by id."""
    now = gateway.now()
    return sorted(
        member.id
        for member in gateway.sets.directory.mechanism().members
        if member.is_person
        and Role.DISCLOSURE_REVIEWER in member.roles
        and any(key.use is Use.REQUEST and key.in_force(now) for key in member.keys)
    )


def barred(
    conn: Connection, at: Occasion, proposer: str, items: Collection[str]
) -> dict[str, set[str]]:
    """Return of each item who may not review it: whoever packed or proposed it, or left it out."""
    made = offers.involved(conn, at, items)
    return {item: {proposer, *made[item]} for item in items}


def _assigned(
    gateway: Gateway, conn: Connection, origin: Origin, items: list[str]
) -> dict[str, str]:
    """Give each item to the reviewer with the fewest open reviews who had no part in it."""
    if not items:
        return {}
    enrolled, load = reviewers(gateway), Counter(withheld.load(conn))
    not_by = barred(conn, origin.at, origin.proposer, items)
    found: dict[str, str] = {}
    for item in items:
        free = [one for one in enrolled if one not in not_by[item]]
        if free:
            found[item] = min(free, key=lambda one: (load[one], one))
            load[found[item]] += 1
    return found


def _record(
    tx: Transaction,
    origin: Origin,
    item: str,
    reasons: Json,
    exculpatory: bool | None,
    reviewer: str | None,
) -> None:
    name, at, signed = new_id("wth"), origin.at, origin.signed
    entry = tx.record(
        Entry(
            kind=Kind.ITEM_WITHHELD,  # never with its recipient, who would learn of it
            at=origin.now,
            actor=signed.actor.id if signed else None,
            order=signed.order.digest if signed else None,
            subject=item,
            items=(item,),
            outcome=origin.cause.value,
            cause=origin.entry,
            content={
                "withheld": name,
                "rfa": at.rfa,
                "from": at.recipient,
                "case": at.reference,
                "share": origin.share,
                "why": reasons,
                "exculpatory": exculpatory,
                "reviewer": reviewer,
            },
        )
    )
    withheld.keep(
        tx.conn,
        Withheld(
            id=name,
            item=item,
            at=at,
            share=origin.share,
            proposer=origin.proposer,
            cause=origin.cause,
            reasons=reasons,
            exculpatory=exculpatory,
            reviewer=reviewer,
            entry=entry,
            since=origin.now,
        ),
    )
