"""Envelope keys: which may be used, what was wrapped to them, and which headers were deleted since."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, exists, func, insert, select, tuple_

from gateway.exchange.directory import Directory
from gateway.exchange.key_life import kid_digest
from gateway.exchange.parties import Use
from gateway.kernel.errors import NotFoundError
from gateway.store.tables import (
    header_deletions,
    headers,
    introduced_keys,
    servings,
    shares,
    wrappings,
)

FOUNDING, CONFIRMED = "founding", "confirmed"


@dataclass(frozen=True, slots=True)
class Introduced:
    """A key that may be used: whose, since when, and how it came to that."""

    key: str
    kid: str
    party: str
    how: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Wrapping:
    """Header *n* of a share, made for a key: of which item, in the *seq*th wrapping."""

    share: str
    n: int
    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Exposed:
    """What a key could open: a header of an item, whether it was fetched and when first, and deleted when."""

    share: str
    n: int
    seq: int
    item: str
    recipient: str
    state: str
    made: datetime
    fetched: datetime | None
    deleted: datetime | None


def introduce(conn: Connection, kid: str, party: str, how: str, at: datetime) -> None:
    """Keep that a key may be used from now on."""
    values = {"key": kid_digest(kid), "kid": kid, "party": party, "how": how, "at": at}
    conn.execute(insert(introduced_keys), values)


def introduce_founding(conn: Connection, directory: Directory, at: datetime) -> None:
    """Take the envelope keys of the first directory as introduced by the ceremony that signed it."""
    for kid, owner in directory.actors().items():
        if owner.key.use is Use.ENVELOPE:
            introduce(conn, kid, owner.party.id, FOUNDING, at)


def introduced(conn: Connection, keys: Iterable[str]) -> set[str]:
    """Return which of *keys* (digests) may be used."""
    query = select(introduced_keys.c.key).where(introduced_keys.c.key.in_([*keys]))
    return {row.key for row in conn.execute(query)}


def find(conn: Connection, key: str) -> Introduced:
    """Return an introduced key by its digest. Raises NotFoundError."""
    row = conn.execute(select(introduced_keys).where(introduced_keys.c.key == key)).first()
    if row is None:
        raise NotFoundError("no such key was ever used: gateway keys list shows fingerprints")
    return Introduced(row.key, row.kid, row.party, row.how, row.at)


def every(conn: Connection) -> list[Introduced]:
    """Return every key that may be used or might once, oldest first."""
    rows = conn.execute(select(introduced_keys).order_by(introduced_keys.c.at))
    return [Introduced(r.key, r.kid, r.party, r.how, r.at) for r in rows]


_OF_HEADER = and_(
    headers.c.share == wrappings.c.share,
    headers.c.n == wrappings.c.n,
    headers.c.seq == wrappings.c.seq,
)
_SERVED = exists().where(
    servings.c.share == wrappings.c.share,
    servings.c.n == wrappings.c.n,
    servings.c.seq == wrappings.c.seq,
)


def unfetched(conn: Connection, key: str, limit: int) -> list[Wrapping]:
    """Return headers wrapped to a key of which not a byte was ever sent, at most *limit*."""
    query = (
        select(wrappings.c.share, wrappings.c.n, wrappings.c.seq, headers.c.digest)
        .join(headers, _OF_HEADER)
        .where(wrappings.c.key == key, ~_SERVED)
        .order_by(wrappings.c.share, wrappings.c.n, wrappings.c.seq)
    )
    return [Wrapping(r.share, r.n, r.seq, r.digest) for r in conn.execute(query.limit(limit))]


def delete_header(conn: Connection, made: Wrapping, key: str, entry: str, at: datetime) -> None:
    """Delete a header, and keep that it was, by which entry and for which key's sake."""
    values = {"share": made.share, "n": made.n, "seq": made.seq}
    gone = (headers.c[name] == value for name, value in values.items())
    conn.execute(delete(headers).where(*gone))
    kept = {**values, "key": key, "digest": made.digest, "entry": entry, "at": at}
    conn.execute(insert(header_deletions), kept)


def was_deleted(conn: Connection, share: str, n: int, seq: int) -> bool:
    """Tell whether this header of a share was deleted."""
    query = select(header_deletions.c.entry).where(
        header_deletions.c.share == share, header_deletions.c.n == n, header_deletions.c.seq == seq
    )
    return conn.execute(query).first() is not None


def count(conn: Connection, key: str) -> tuple[int, int]:
    """Return how many headers were ever wrapped to a key, and how many of them were deleted unfetched."""
    made = select(func.count()).select_from(wrappings).where(wrappings.c.key == key)
    gone = select(func.count()).select_from(header_deletions).where(header_deletions.c.key == key)
    return conn.execute(made).scalar() or 0, conn.execute(gone).scalar() or 0


def exposed(
    conn: Connection, key: str, after: tuple[str, int, int] | None, limit: int
) -> list[Exposed]:
    """Return what a key could open, in the order of share, item and wrapping, from *after* on."""
    return [_exposed(row) for row in conn.execute(exposure_query(key, after, limit))]


def exposure_query(
    key: str, after: tuple[str, int, int] | None, limit: int
) -> Select[tuple[Any, ...]]:
    """Return the query of `exposed`. It walks the primary key of *wrappings*, and looks up the rest by index."""
    place = (wrappings.c.share, wrappings.c.n, wrappings.c.seq)
    page = select(wrappings).where(wrappings.c.key == key)
    if after is not None:
        page = page.where(tuple_(*place) > tuple_(*after))
    found = page.order_by(*place).limit(limit).subquery()
    fetched = (
        select(func.min(servings.c.at))
        .where(
            servings.c.share == found.c.share,
            servings.c.n == found.c.n,
            servings.c.seq == found.c.seq,
        )
        .scalar_subquery()
    )
    gone = (
        select(header_deletions.c.at)
        .where(
            header_deletions.c.share == found.c.share,
            header_deletions.c.n == found.c.n,
            header_deletions.c.seq == found.c.seq,
        )
        .scalar_subquery()
    )
    return (
        select(
            found,
            shares.c.recipient,
            shares.c.state,
            fetched.label("fetched"),
            gone.label("deleted"),
        )
        .join(shares, shares.c.id == found.c.share)
        .order_by(found.c.share, found.c.n, found.c.seq)
    )


def _exposed(r: Row[Any]) -> Exposed:
    return Exposed(r.share, r.n, r.seq, r.item, r.recipient, r.state, r.at, r.fetched, r.deleted)
