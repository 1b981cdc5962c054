"""Which entry logged an order, and which put a directory set into force."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from gateway.exchange.entries import Kind
from gateway.kernel.errors import NotFoundError
from gateway.store.tables import (
    clearances,
    directory_entries,
    directory_sets,
    entries,
    items,
    order_entries,
)


def keep_order(conn: Connection, order: str, kind: Kind, entry: str) -> None:
    """Keep which entry of this kind logged an order."""
    values = {"order_digest": order, "kind": kind.value, "entry": entry}
    conn.execute(insert(order_entries), values)


def keep_directory(conn: Connection, number: int, entry: str) -> None:
    """Keep which entry put a directory set into force."""
    conn.execute(insert(directory_entries), {"number": number, "entry": entry})


def of_order(conn: Connection, order: str, kind: Kind) -> str:
    """Return the entry of this kind that logged an order. Raises NotFoundError."""
    c = order_entries.c
    query = select(c.entry).where(c.order_digest == order, c.kind == kind.value)
    found: str | None = conn.execute(query).scalar()
    if found is None:
        raise NotFoundError("no entry of this kind logged the order")
    return found


def approvals(conn: Connection, share: str, most: int) -> list[str]:
    """Return the digests of the newest orders that approved a share, oldest first."""
    query = (
        select(order_entries.c.order_digest)
        .join(clearances, clearances.c.order_digest == order_entries.c.order_digest)
        .where(clearances.c.share == share, order_entries.c.kind == Kind.SHARE_APPROVED.value)
        .order_by(clearances.c.at.desc())
        .limit(most)
    )
    return [row.order_digest for row in conn.execute(query)][::-1]


def recalls_after(conn: Connection, index: int, most: int) -> list[tuple[str, int]]:
    """Return digest and place of orders of recall that were logged after place *index*, oldest first."""
    query = (
        select(order_entries.c.order_digest, entries.c.idx)
        .join(entries, entries.c.eid == order_entries.c.entry)
        .where(order_entries.c.kind == Kind.SHARE_RECALLED.value, entries.c.idx > index)
        .order_by(entries.c.idx)
        .limit(most)
    )
    return [(row.order_digest, row.idx) for row in conn.execute(query)]


def directories_after(conn: Connection, number: int) -> list[tuple[int, bytes, str]]:
    """Return number, data and entry of the directory sets with a higher number, oldest first."""
    query = (
        select(directory_sets.c.number, directory_sets.c.data, directory_entries.c.entry)
        .join(directory_entries, directory_entries.c.number == directory_sets.c.number)
        .where(directory_sets.c.number > number)
        .order_by(directory_sets.c.number)
    )
    return [(row.number, row.data, row.entry) for row in conn.execute(query)]


def incomplete(conn: Connection) -> bool:
    """Tell whether there are items or directory sets from before these tables."""
    counts: Sequence[int] = [
        conn.execute(select(func.count()).select_from(table)).scalar() or 0
        for table in (directory_sets, directory_entries, items)
    ]
    query = select(func.count()).where(order_entries.c.kind == Kind.ITEM_DEPOSITED.value)
    return counts[0] > counts[1] or counts[2] > (conn.execute(query).scalar() or 0)


def find_order(conn: Connection, order: str, kind: Kind, entry: str) -> None:
    """Keep which entry logged an order, unless it is kept already."""
    c = order_entries.c
    known = select(c.entry).where(c.order_digest == order, c.kind == kind.value)
    if conn.execute(known).first() is None:
        keep_order(conn, order, kind, entry)


def find_directory(conn: Connection, number: int, entry: str) -> None:
    """Keep which entry put a directory set into force, unless it is kept already."""
    known = select(directory_entries.c.entry).where(directory_entries.c.number == number)
    if conn.execute(known).first() is None:
        keep_directory(conn, number, entry)
