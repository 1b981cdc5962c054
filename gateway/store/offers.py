"""What each recipient was offered, item by item, and what packages before had for the same occasion."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, and_, exists, select

from gateway.exchange.shares import RELEASED, State
from gateway.store import derivatives, suspensions
from gateway.store.tables import (
    headers,
    orders,
    package_items,
    packages,
    servings,
    share_events,
    shares,
)

_AT_ONCE = 1000  # items in one question


@dataclass(frozen=True, slots=True)
class Occasion:
    """For what an item was to be given: an authority's RFA, or its case of this *reference*, unasked."""

    recipient: str
    reference: str
    rfa: str | None


def offered(conn: Connection, recipient: str, items: Collection[str]) -> set[str]:
    """Return those *items* that a recipient has or could have pulled, as they are or in an attested form.

    That form is a derivative, or what the item was made from. A share counts while it goes out and is
    not suspended, and after its term; one that is recalled or suspended only for what was served of it.
    """
    found: set[str] = set()
    for some in _batches(sorted(items)):
        kin = derivatives.kin(conn, some)
        had = _reached(conn, recipient, set().union(*kin.values()))
        found |= {item for item in some if kin[item] & had}
    return found


def _batches(items: list[str]) -> Iterator[list[str]]:
    yield from (items[n : n + _AT_ONCE] for n in range(0, len(items), _AT_ONCE))


def _reached(conn: Connection, recipient: str, items: Collection[str]) -> set[str]:
    was_available = exists().where(
        share_events.c.share == shares.c.id, share_events.c.state == State.AVAILABLE.value
    )
    of_item = and_(headers.c.share == shares.c.id, headers.c.item == package_items.c.item)
    served = exists().where(
        of_item, servings.c.share == headers.c.share, servings.c.n == headers.c.n
    )
    query = (
        select(package_items.c.item, shares.c.id, shares.c.state, was_available.label("available"))
        .add_columns(served.label("served"))
        .select_from(shares.join(package_items, package_items.c.package == shares.c.package))
        .where(shares.c.recipient == recipient, package_items.c.item.in_(items))
    )
    stopped = suspensions.current(conn)
    return {
        row.item
        for row in conn.execute(query)
        if row.served
        or (State(row.state) in RELEASED and row.id not in stopped)
        or (row.state == State.EXPIRED and row.available)
    }


def proposed(conn: Connection, recipient: str, items: Collection[str]) -> set[str]:
    """Return those *items* that stand in an open proposal to a recipient, in any attested form."""
    if not items:
        return set()
    kin = derivatives.kin(conn, items)
    query = (
        select(package_items.c.item)
        .join(shares, shares.c.package == package_items.c.package)
        .where(shares.c.recipient == recipient)
        .where(shares.c.state.in_([State.PROPOSED.value, State.HELD.value]))
        .where(package_items.c.item.in_(set().union(*kin.values())))
    )
    standing = {row.item for row in conn.execute(query)}
    return {item for item in items if kin[item] & standing}


def packed(conn: Connection, at: Occasion) -> set[str]:
    """Return the items of all packages that were made for an RFA, or shared unasked on a case.

    A package that nobody asked for is of no recipient until it is proposed to one.
    """
    return {
        row.item
        for row in conn.execute(
            select(package_items.c.item)
            .where(package_items.c.package.in_(_packages(conn, at)))
            .distinct()
        )
    }


def _packages(conn: Connection, at: Occasion) -> set[str]:
    if at.rfa is not None:
        made = select(packages.c.id).where(packages.c.rfa == at.rfa)
        return {row.id for row in conn.execute(made)}
    query = (
        select(packages.c.id, orders.c.body)
        .join(shares, shares.c.package == packages.c.id)
        .join(orders, orders.c.digest == packages.c.order_digest)
        .where(shares.c.recipient == at.recipient, packages.c.rfa.is_(None))
        .distinct()
    )
    return {row.id for row in conn.execute(query) if _case(row.body) == at.reference}


def involved(conn: Connection, at: Occasion, items: Collection[str]) -> dict[str, set[str]]:
    """Return of each item who made packages with it for an occasion, or proposed them to its recipient."""
    made = package_items.c.package.in_(_packages(conn, at))
    makers = select(package_items.c.item, packages.c.actor).join(
        packages, packages.c.id == package_items.c.package
    )
    proposers = select(package_items.c.item, shares.c.proposer.label("actor")).join(
        shares,
        and_(shares.c.package == package_items.c.package, shares.c.recipient == at.recipient),
    )
    found: dict[str, set[str]] = {item: set() for item in items}
    for query in (makers, proposers):
        for row in conn.execute(query.where(made).distinct()):
            if row.item in found:
                found[row.item].add(row.actor)
    return found


class _Basis(msgspec.Struct):
    case: str


class _Act(msgspec.Struct):
    basis: _Basis


class _Body(msgspec.Struct):
    """As much of a package's order as says of which case it is; it was checked when it was taken."""

    act: _Act


def _case(body: bytes) -> str:
    return msgspec.json.decode(body, type=_Body).act.basis.case
