"""What was served of a share, range by range, and the receipts that vouch for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from gateway.kernel.encoding import hex_sha256
from gateway.store.tables import receipts, servings


@dataclass(frozen=True, slots=True)
class Serving:
    """One range of an item being sent: bytes [first, end) of header ‖ body; none after the day *until*.

    *seq* says which header it is of: how often the share had been wrapped anew.
    """

    id: str
    share: str
    n: int
    kid: str
    first: int
    end: int
    entry: str
    until: str | None = None
    seq: int = 0


def begin_serving(conn: Connection, made: Serving, at: datetime) -> None:
    """Keep that a range was authorised."""
    values = {"id": made.id, "share": made.share, "n": made.n, "kid": made.kid}
    conn.execute(
        insert(servings),
        {
            **values,
            "first": made.first,
            "end": made.end,
            "state": "open",
            "entry": made.entry,
            "at": at,
            "seq": made.seq,
        },
    )


def end_serving(conn: Connection, name: str, state: str, sent: int | None) -> bool:
    """Keep how an open range ended and how many bytes were handed to the network; False if it had."""
    change = update(servings).where(servings.c.id == name, servings.c.state == "open")
    return conn.execute(change.values(state=state, sent=sent)).rowcount == 1


def open_servings(conn: Connection) -> list[Serving]:
    """Return the ranges that a crash left open."""
    rows = conn.execute(select(servings).where(servings.c.state == "open"))
    return [Serving(r.id, r.share, r.n, r.kid, r.first, r.end, r.entry, seq=r.seq) for r in rows]


def served(conn: Connection, name: str, n: int, seq: int, sizes: Mapping[int, int]) -> int:
    """Return how many bytes from 0 on may have been received of item *n*, without a gap.

    Of the header only what was served with the *seq*th re-wrap counts, of the body whatever was: *sizes*
    are the sizes of the item's headers, by re-wrap. A range that a crash cut off counts whole: its bytes
    were authorised, and a recipient whose signed receipt says that they arrived must not be told that
    they were not sent.
    """
    query = select(servings.c.first, servings.c.end, servings.c.sent, servings.c.seq).where(
        servings.c.share == name, servings.c.n == n, servings.c.state != "open"
    )
    reach = 0
    ranges = (
        (r.first, r.end if r.sent is None else r.first + r.sent, sizes[seq] - sizes[r.seq], r.seq)
        for r in conn.execute(query)
    )
    for first, end in sorted(
        (first, end) if of == seq else (max(first, sizes[of]) + shift, end + shift)
        for first, end, shift, of in ranges
    ):
        if first > reach:
            break
        reach = max(reach, end)
    return reach


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt as it was kept."""

    id: str
    rung: str
    actor: str
    container: bytes
    digest: str
    at: datetime


def keep_receipt(
    conn: Connection,
    name: str,
    receipt_id: str,
    rung: str,
    actor: str,
    container: bytes,
    at: datetime,
) -> None:
    """Keep a signed receipt."""
    conn.execute(
        insert(receipts),
        {
            "id": receipt_id,
            "share": name,
            "rung": rung,
            "actor": actor,
            "container": container,
            "digest": hex_sha256(container),
            "at": at,
        },
    )


def receipts_of(conn: Connection, name: str) -> list[KeptReceipt]:
    """Return the receipts of a share, oldest first."""
    query = select(receipts).where(receipts.c.share == name).order_by(receipts.c.at)
    return [
        KeptReceipt(r.id, r.rung, r.actor, r.container, r.digest, r.at) for r in conn.execute(query)
    ]
