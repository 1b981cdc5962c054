"""Shares that were wrapped anew: how often, on whose order, and which are wrapped to which keys now."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, func, insert, select

from gateway.store import orders
from gateway.store.tables import share_rewraps, shares, wrappings


def keep(
    conn: Connection, share: str, seq: int, entry: str, actor: str, order: str, at: datetime
) -> None:
    """Keep that a share was wrapped anew for the *seq*th time."""
    values = {"share": share, "seq": seq, "entry": entry, "actor": actor, "order_digest": order}
    conn.execute(insert(share_rewraps), {**values, "at": at})


def by_order_of(conn: Connection, name: str, actor: str, body_digest: str) -> bool:
    """Tell whether this very request was done before.

    Raises ConflictError if its id was used by another actor or for another body.
    """
    return orders.answered(conn, name, actor, body_digest) is not None


def newest(conn: Connection, share: str) -> str | None:
    """Return the entry of a share's latest re-wrap, if there was one."""
    query = select(share_rewraps.c.entry).where(share_rewraps.c.share == share)
    entry: str | None = conn.execute(query.order_by(share_rewraps.c.seq.desc()).limit(1)).scalar()
    return entry


def wrapped_to(conn: Connection, authority: str, states: Sequence[str]) -> dict[str, set[str]]:
    """Return for each share of an authority in *states* the keys (digests) of its newest wrapping."""
    last = (
        select(wrappings.c.share, func.max(wrappings.c.seq).label("seq"))
        .join(shares, shares.c.id == wrappings.c.share)
        .where(shares.c.recipient == authority, shares.c.state.in_(states))
        .group_by(wrappings.c.share)
        .subquery()
    )
    query = select(wrappings.c.share, wrappings.c.key).join(
        last, and_(last.c.share == wrappings.c.share, last.c.seq == wrappings.c.seq)
    )
    found: dict[str, set[str]] = {}
    for row in conn.execute(query):
        found.setdefault(row.share, set()).add(row.key)
    return found
