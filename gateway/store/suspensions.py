"""Which released shares are suspended, since when and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from gateway.kernel.encoding import Json, canonical_json, parse_json
from gateway.store.tables import suspensions


@dataclass(frozen=True, slots=True)
class Suspension:
    """A share that is suspended now."""

    share: str
    why: Json
    entry: str
    since: datetime


def keep(
    conn: Connection,
    share: str,
    why: Mapping[str, Json],
    entry: str,
    at: datetime,
    *,
    suspended: bool,
) -> None:
    """Keep that a share was suspended, or that it returned."""
    count = select(func.count()).select_from(suspensions).where(suspensions.c.share == share)
    values = {"share": share, "n": conn.execute(count).scalar() or 0, "suspended": suspended}
    values |= {"why": canonical_json(dict(why)), "entry": entry, "at": at}
    conn.execute(insert(suspensions), values)


def current(conn: Connection, share: str | None = None) -> dict[str, Suspension]:
    """Return the shares that are suspended now, or the one asked for if it is."""
    newest = select(suspensions.c.share, func.max(suspensions.c.n).label("n"))
    if share is not None:
        newest = newest.where(suspensions.c.share == share)
    last = newest.group_by(suspensions.c.share).subquery()
    query = (
        select(suspensions)
        .join(last, (last.c.share == suspensions.c.share) & (last.c.n == suspensions.c.n))
        .where(suspensions.c.suspended)
        .order_by(suspensions.c.at)
    )
    return {
        row.share: Suspension(row.share, parse_json(row.why), row.entry, row.at)
        for row in conn.execute(query)
    }
