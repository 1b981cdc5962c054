"""What follows from the revocation of an envelope key: unfetched headers go, and what it could open is listed.

Shares that were wrapped to it are suspended by the directory alone, in the same moment; this is what
remains to be done, and goes on where a crash cut it off.
"""

from functools import partial
from itertools import groupby

from gateway.exchange.entries import Entry, Kind
from gateway.exchange.key_life import kid_digest
from gateway.exchange.parties import Status, Use
from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError
from gateway.kernel.ids import check_id
from gateway.kernel.time import spell
from gateway.store import envelope_keys
from gateway.store.envelope_keys import Exposed
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Answer, Gateway

_BATCH = 200  # headers deleted in one transaction: others' commits wait for it
PAGE = 5000
"""Rows of an exposure in one answer."""


def delete_unfetched(gateway: Gateway) -> int:
    """Delete every header that is wrapped to a revoked key and was never sent; return how many.

    A key that is merely missing in the directory deletes nothing: that may be an oversight.
    """
    if gateway.quarantine is not None:
        return 0
    revoked = [
        kid_digest(kid)
        for kid, owner in gateway.sets.directory.actors().items()
        if owner.key.use is Use.ENVELOPE and owner.key.status is Status.REVOKED
    ]
    done = 0
    for key in revoked:
        while made := gateway.writer.run(partial(_delete_some, gateway, key)):
            done += made
    return done


def _delete_some(gateway: Gateway, key: str, tx: Transaction) -> int:
    """Delete a batch, an entry for each share and wrapping; what was sent meanwhile stays."""
    now = gateway.now()
    found = envelope_keys.unfetched(tx.conn, key, _BATCH)
    for (share, seq), group in groupby(sorted(found, key=_of_share), key=_of_share):
        headers = list(group)
        numbers: list[Json] = [header.n for header in headers]
        digests: list[Json] = [header.digest for header in headers]
        entry = tx.record(
            Entry(
                kind=Kind.HEADER_DELETED,
                at=now,
                subject=share,
                content={"key": key, "rewrap": seq, "n": numbers, "headers": digests},
            )
        )
        for header in headers:
            envelope_keys.delete_header(tx.conn, header, key, entry, now)
    return len(found)


def _of_share(made: envelope_keys.Wrapping) -> tuple[str, int]:
    return made.share, made.seq


def exposure(gateway: Gateway, key: str, after: str = "") -> Answer:
    """Return which items a key could open, for the mechanism: `PAGE` headers at a time, and the totals.

    *after* is the cursor that the page before answered as `next`. Raises NotFoundError for a key that
    was never used, MalformedError for what is no cursor.
    """
    place = _place(after) if after else None
    with gateway.engine.connect() as conn:
        found = envelope_keys.find(conn, key)
        total, deleted = envelope_keys.count(conn, key)
        rows = envelope_keys.exposed(conn, key, place, PAGE)
    owner = gateway.sets.directory.actor(found.kid)
    last = rows[-1] if len(rows) == PAGE else None
    told: list[Json] = [_told(row) for row in rows]
    return {
        "key": key,
        "party": found.party,
        "status": owner.key.status.value if owner is not None else None,
        "headers": total,
        "deleted": deleted,
        "opens": told,
        "next": f"{last.share}.{last.n}.{last.seq}" if last is not None else None,
    }


def _place(cursor: str) -> tuple[str, int, int]:
    share, _, numbers = cursor.partition(".")
    n, _, seq = numbers.partition(".")
    check_id(share, "shr", field="after")
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in (n, seq)):
        raise MalformedError("expected the cursor of an earlier answer", field="after")
    return share, int(n), int(seq)


def _told(row: Exposed) -> dict[str, Json]:
    return {
        "item": row.item,
        "share": row.share,
        "n": row.n,
        "rewrap": row.seq,
        "authority": row.recipient,
        "state": row.state,
        "at": spell(row.made),
        "fetched": spell(row.fetched) if row.fetched is not None else None,
        "deleted": spell(row.deleted) if row.deleted is not None else None,
    }
