"""Items that are kept back from an authority, and the reviews of that. Nothing of it is the authority's."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select

from gateway.exchange.acts import ReviewWithheld
from gateway.exchange.withheld_acts import Cause, Finding
from gateway.kernel.encoding import Json, canonical_json, parse_json
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.store import offers
from gateway.store.offers import Occasion
from gateway.store.tables import withheld, withheld_reviews


@dataclass(frozen=True, slots=True)
class Review:
    """What a person found of an item that is kept back."""

    id: str
    finding: Finding
    reason: str
    actor: str
    entry: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Withheld:
    """An item that was kept back: on which occasion, whose doing it was, why, and who reviews it.

    *proposer* proposed the share, made the package or ended the RFA. *exculpatory* is what was stated of
    the item then; None if nothing was. *offered* tells whether its recipient was offered it by now.
    """

    id: str
    item: str
    at: Occasion
    share: str | None
    proposer: str
    cause: Cause
    reasons: Json
    exculpatory: bool | None
    reviewer: str | None
    entry: str
    since: datetime
    review: Review | None = None
    offered: bool = False

    @property
    def due(self) -> bool:
        """Tell whether it waits for its review: it may speak for a suspect, and nobody has looked yet."""
        return self.exculpatory is True and self.review is None and not self.offered

    @property
    def to_disclose(self) -> bool:
        """Tell whether a reviewer found that it must be offered, and it was not yet."""
        return (
            self.review is not None and self.review.finding is Finding.DISCLOSE and not self.offered
        )

    @property
    def pending(self) -> bool:
        """Tell whether somebody has yet to do something about it."""
        return self.due or self.to_disclose


def keep(conn: Connection, one: Withheld) -> None:
    """Keep that an item is kept back."""
    conn.execute(
        insert(withheld),
        {
            "id": one.id,
            "item": one.item,
            "rfa": one.at.rfa,
            "recipient": one.at.recipient,
            "reference": one.at.reference,
            "share": one.share,
            "proposer": one.proposer,
            "cause": one.cause.value,
            "reasons": canonical_json(one.reasons),
            "exculpatory": one.exculpatory,
            "reviewer": one.reviewer,
            "entry": one.entry,
            "at": one.since,
        },
    )


def review(
    conn: Connection, act: ReviewWithheld, actor: str, entry: str, order: str, at: datetime
) -> None:
    """Keep a review. Raises ConflictError if there is one already."""
    query = select(withheld_reviews.c.id).where(withheld_reviews.c.withheld == act.withheld)
    if conn.execute(query).first() is not None:
        raise ConflictError("this was reviewed already: a review is not taken back")
    values: dict[str, object] = {
        "withheld": act.withheld,
        "id": act.id,
        "finding": act.finding.value,
    }
    values |= {"reason": act.reason.encode(), "actor": actor, "entry": entry}
    conn.execute(insert(withheld_reviews), {**values, "order_digest": order, "at": at})


def get(conn: Connection, name: str) -> Withheld:
    """Return one record. Raises NotFoundError."""
    found = _read(conn, withheld.c.id == name)
    if not found:
        raise NotFoundError("no such item kept back")
    return found[0]


def every(conn: Connection) -> list[Withheld]:
    """Return every record, oldest first."""
    return _read(conn)


def pending(conn: Connection) -> list[Withheld]:
    """Return what waits for its review, or must be offered and was not yet, oldest first."""
    unreviewed = withheld.c.exculpatory.is_(True) & withheld_reviews.c.id.is_(None)
    disclose = withheld_reviews.c.finding == Finding.DISCLOSE.value
    return [one for one in _read(conn, unreviewed | disclose) if one.pending]


def of_rfa(conn: Connection, rfa: str) -> list[Withheld]:
    """Return what is kept back from an RFA's authority, on that RFA, oldest first."""
    return _read(conn, withheld.c.rfa == rfa)


def of_item(conn: Connection, item: str) -> list[Withheld]:
    """Return the records of an item, oldest first."""
    return _read(conn, withheld.c.item == item)


def on(conn: Connection, at: Occasion) -> list[Withheld]:
    """Return what is kept back on an occasion, oldest first."""
    if at.rfa is not None:
        return [one for one in of_rfa(conn, at.rfa) if one.at.recipient == at.recipient]
    same = (withheld.c.recipient == at.recipient) & (withheld.c.reference == at.reference)
    return _read(conn, same & withheld.c.rfa.is_(None))


def load(conn: Connection) -> Counter[str]:
    """Return how many reviews each person still owes, by id."""
    return Counter(one.reviewer for one in pending(conn) if one.due and one.reviewer is not None)


# What a condition is made of is the library's to know.
def _read(conn: Connection, *conditions: object) -> list[Withheld]:
    joined = withheld.outerjoin(withheld_reviews, withheld_reviews.c.withheld == withheld.c.id)
    told = (
        withheld_reviews.c.id.label("review"),
        withheld_reviews.c.finding,
        withheld_reviews.c.reason,
        withheld_reviews.c.actor.label("reviewed_by"),
        withheld_reviews.c.entry.label("review_entry"),
        withheld_reviews.c.at.label("reviewed_at"),
    )
    query = select(withheld, *told).select_from(joined).order_by(withheld.c.at, withheld.c.id)
    for condition in conditions:
        query = query.where(condition)  # type: ignore[arg-type]
    rows = list(conn.execute(query))
    given = _offered(conn, rows)
    return [_record(row, offered=row.item in given[row.recipient]) for row in rows]


# The shape of a Row is known to the query alone.
def _offered(conn: Connection, rows: Iterable[Row]) -> dict[str, set[str]]:  # type: ignore[type-arg]
    items: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        items[row.recipient].add(row.item)
    return {to: offers.offered(conn, to, these) for to, these in items.items()}


# As above.
def _record(row: Row, *, offered: bool) -> Withheld:  # type: ignore[type-arg]
    return Withheld(
        id=row.id,
        item=row.item,
        at=Occasion(row.recipient, row.reference, row.rfa),
        share=row.share,
        proposer=row.proposer,
        cause=Cause(row.cause),
        reasons=parse_json(row.reasons),
        exculpatory=row.exculpatory,
        reviewer=row.reviewer,
        entry=row.entry,
        since=row.at,
        review=_review(row) if row.review is not None else None,
        offered=offered,
    )


# As above.
def _review(row: Row) -> Review:  # type: ignore[type-arg]
    return Review(
        row.review,
        Finding(row.finding),
        row.reason.decode(),
        row.reviewed_by,
        row.review_entry,
        row.reviewed_at,
    )
