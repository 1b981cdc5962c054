"""Which vault epoch each item's file key is wrapped to, and the records of wrapping it to another.

An item without a row was sealed before epochs were told apart: to the vault's first one. Today's vault
header is the newest re-wrap's, else the deposit record's; no header means that it was destroyed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, select

from gateway.exchange.rewraps import SignedRewrap
from gateway.exchange.shares import State
from gateway.kernel.errors import NotFoundError
from gateway.store.tables import items, package_items, rewraps, sealed, shares, vault_epochs

_OPEN = (State.PROPOSED, State.HELD, State.RELEASED)
"""States in which a share will need its items' file keys, or may."""


@dataclass(frozen=True, slots=True)
class Current:
    """An item's vault header of today, its digest and epoch, and the chain that leads to it.

    *header* is None once it was destroyed, *epoch* None for the vault's first.
    """

    header: bytes | None
    digest: str
    epoch: str | None
    chain: tuple[SignedRewrap, ...]


def sealed_to(conn: Connection, item: str, epoch: str) -> None:
    """Record to which epoch a sealed upload's file key was wrapped."""
    conn.execute(insert(vault_epochs), {"item": item, "epoch": epoch})


def current(conn: Connection, item: str) -> Current:
    """Return an item's vault header and what leads to it. Raises NotFoundError."""
    first = conn.execute(
        select(sealed.c.vault_header, sealed.c.vault_digest, vault_epochs.c.epoch)
        .outerjoin(vault_epochs, vault_epochs.c.item == sealed.c.item)
        .where(sealed.c.item == item)
    ).first()
    if first is None:
        raise NotFoundError("no such item")
    rows = conn.execute(select(rewraps).where(rewraps.c.item == item).order_by(rewraps.c.n)).all()
    chain = tuple(SignedRewrap(row.record, row.at) for row in rows)
    if rows:
        return Current(rows[-1].header, rows[-1].digest, rows[-1].epoch, chain)
    return Current(first.vault_header, first.vault_digest, first.epoch, chain)


def keep(
    conn: Connection,
    item: str,
    *,
    header: bytes,
    digest: str,
    epoch: str,
    record: bytes,
    entry: str,
    at: datetime,
) -> None:
    """Keep an item's next vault header with the record that leads to it."""
    count = select(func.count()).select_from(rewraps).where(rewraps.c.item == item)
    n = int(conn.execute(count).scalar_one())
    row = {"item": item, "n": n, "header": header, "digest": digest, "epoch": epoch}
    conn.execute(insert(rewraps), {**row, "record": record, "entry": entry, "at": at})


def waiting(
    conn: Connection, epochs: Collection[str], first: str, *, after: str, limit: int
) -> list[str]:
    """Return items that are wrapped to one of *epochs* and still have a vault header, by their ids.

    They come *after* an id. *first* is the epoch of items without a row.
    """
    query = _standing().where(_epoch(first).in_(epochs), _header.is_not(None), items.c.id > after)
    rows = conn.execute(query.order_by(items.c.id).limit(limit))
    return [row.id for row in rows]


def counts(conn: Connection, first: str) -> dict[str, tuple[int, int]]:
    """Return for each epoch how many items are wrapped to it, and how many of these have open work."""
    epoch, working = _epoch(first).label("epoch"), _working().subquery()
    query = (
        _standing()
        .outerjoin(working, working.c.item == items.c.id)
        .where(_header.is_not(None))
        .with_only_columns(epoch, func.count(), func.count(working.c.item))
        .group_by(epoch)
    )
    return {str(name): (int(all_), int(open_)) for name, all_, open_ in conn.execute(query)}


def working(conn: Connection, first: str) -> set[str]:
    """Return the epochs that have open work: an open share has an item that is wrapped to them."""
    query = _standing().where(items.c.id.in_(_working()), _header.is_not(None))
    rows = conn.execute(query.with_only_columns(_epoch(first).label("epoch")).distinct())
    return {str(row.epoch) for row in rows}


def _working() -> Select[tuple[str]]:
    """Select the items of open shares."""
    return (
        select(package_items.c.item)
        .join(shares, shares.c.package == package_items.c.package)
        .where(shares.c.state.in_([state.value for state in _OPEN]))
        .distinct()
    )


_newer = rewraps.alias("newer")
_header = func.coalesce(rewraps.c.header, sealed.c.vault_header)


def _epoch(first: str) -> ColumnElement[str]:
    return func.coalesce(rewraps.c.epoch, vault_epochs.c.epoch, first)


def _standing() -> Select[tuple[str]]:
    """Select items, each with its newest re-wrap, if it has one."""
    beaten = select(_newer.c.n).where(_newer.c.item == rewraps.c.item, _newer.c.n > rewraps.c.n)
    newest = and_(rewraps.c.item == items.c.id, ~beaten.exists())
    return (
        select(items.c.id)
        .join(sealed, sealed.c.item == items.c.id)
        .outerjoin(vault_epochs, vault_epochs.c.item == items.c.id)
        .outerjoin(rewraps, newest)
    )
