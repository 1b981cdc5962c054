"""The ledger's rows: entries, tiles, edge, head, checkpoints and openings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from gateway.kernel.errors import NotFoundError, UnavailableError
from gateway.ledger import (
    EMPTY_ROOT,
    HASH,
    WIDTH,
    Edge,
    Opening,
    Proof,
    Slot,
    consistency_path,
    decode_openings,
    inclusion_path,
    leaf_hash,
    root_of,
    unseal,
)
from gateway.store.tables import (
    checkpoints,
    edges,
    entries,
    heads,
    opening_keys,
    openings,
    tiles,
)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it is kept."""

    index: int
    eid: str
    leaf: bytes


@dataclass(frozen=True, slots=True)
class SealedOpening:
    """Openings of one entry for one audience, with the wrapped key that opens them."""

    eid: str
    audience: str
    data: bytes
    wrapped: bytes


def head(conn: Connection) -> tuple[int, bytes]:
    """Return size and root of the log."""
    row = conn.execute(select(heads.c.size, heads.c.root)).first()
    return (row.size, row.root) if row else (0, EMPTY_ROOT)


def load_edge(conn: Connection) -> Edge:
    """Load the right edge. Raises UnavailableError if it does not lead to the stored root."""
    size, root = head(conn)
    levels = {row.level: row.data for row in conn.execute(select(edges))}
    levels[0] = _last_leaves(conn, size)
    split = [
        [levels.get(level, b"")[i : i + HASH] for i in range(0, len(levels.get(level, b"")), HASH)]
        for level in range(max(levels) + 1)
    ]
    edge = Edge(split, size)
    if edge.root() != root:
        raise UnavailableError("the ledger's edge and head do not agree: run gateway ledger verify")
    return edge


def _last_leaves(conn: Connection, size: int) -> bytes:
    first = size - size % WIDTH
    rows = conn.execute(
        select(entries.c.leaf)
        .where(entries.c.idx >= first, entries.c.idx < size)
        .order_by(entries.c.idx)
    )
    return b"".join(leaf_hash(row.leaf) for row in rows)


def append(conn: Connection, edge: Edge, leaves: Sequence[tuple[str, bytes]]) -> None:
    """Integrate *leaves* after *edge*, which is advanced, and swap the head.

    Raises UnavailableError if another writer moved the head: a fork cannot be written.
    """
    base = edge.size
    rows = []
    for i, (eid, leaf) in enumerate(leaves):
        rows.append({"idx": base + i, "eid": eid, "leaf": leaf})
        edge.append(leaf_hash(leaf))
    conn.execute(insert(entries), rows)
    full = edge.take_full()
    if full:
        conn.execute(insert(tiles), [{"level": lv, "n": n, "data": d} for lv, n, d in full])
        conn.execute(delete(edges))
        above = [{"level": i, "data": d} for i, d in enumerate(edge.partial()) if i and d]
        if above:
            conn.execute(insert(edges), above)
    _swap_head(conn, base, edge)


def _swap_head(conn: Connection, base: int, edge: Edge) -> None:
    values = {"size": edge.size, "root": edge.root()}
    if base == 0:
        conn.execute(insert(heads), {"id": 1, **values})
    elif conn.execute(update(heads).where(heads.c.size == base).values(values)).rowcount != 1:
        raise UnavailableError(f"the ledger grew past {base} under another writer")


def keep_checkpoint(conn: Connection, size: int, note: bytes) -> None:
    """Keep the checkpoint signed for this size."""
    conn.execute(insert(checkpoints), {"size": size, "note": note})


def checkpoint(conn: Connection, size: int | None = None) -> bytes | None:
    """Return the signed checkpoint of *size*, or the newest."""
    query = select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
    if size is not None:
        query = query.where(checkpoints.c.size == size)
    note: bytes | None = conn.execute(query).scalar()
    return note


def tile(conn: Connection, level: int, n: int) -> bytes:
    """Return tile (level, n), the rightmost as far as it goes."""
    full = conn.execute(select(tiles.c.data).where(tiles.c.level == level, tiles.c.n == n)).scalar()
    if full is not None:
        return bytes(full)
    if level:
        return bytes(
            conn.execute(select(edges.c.data).where(edges.c.level == level)).scalar() or b""
        )
    return _last_leaves(conn, head(conn)[0])


def inclusion(conn: Connection, index: int, size: int) -> list[bytes]:
    """Return the path of entry *index* in the first *size* entries."""
    return inclusion_path(index, size, lambda level, n: tile(conn, level, n))


def consistency(conn: Connection, old: int, new: int) -> list[bytes]:
    """Return the proof that the first *old* entries begin the first *new*."""
    return consistency_path(old, new, lambda level, n: tile(conn, level, n))


def root_at(conn: Connection, size: int) -> bytes:
    """Return the root of the first *size* entries."""
    return root_of(size, lambda level, n: tile(conn, level, n))


def entry(conn: Connection, eid: str) -> Row:
    """Return an entry by id. Raises NotFoundError."""
    row = conn.execute(select(entries).where(entries.c.eid == eid)).first()
    if row is None:
        raise NotFoundError("no such entry")
    return Row(row.idx, row.eid, row.leaf)


def page(conn: Connection, start: int, count: int) -> list[Row]:
    """Return up to *count* entries from *start* on."""
    query = select(entries).where(entries.c.idx >= start).order_by(entries.c.idx).limit(count)
    return [Row(row.idx, row.eid, row.leaf) for row in conn.execute(query)]


def prove(conn: Connection, index: int, size: int, note: bytes) -> Proof:
    """Return the proof of entry *index* under the checkpoint *note* of *size*."""
    return Proof(index, tuple(inclusion(conn, index, size)), note)


def keep_openings(conn: Connection, sealed: Sequence[SealedOpening]) -> None:
    """Keep sealed openings, their keys in a table of their own that can be shredded."""
    conn.execute(
        insert(openings), [{"eid": s.eid, "audience": s.audience, "data": s.data} for s in sealed]
    )
    conn.execute(
        insert(opening_keys),
        [{"eid": s.eid, "audience": s.audience, "wrapped": s.wrapped} for s in sealed],
    )


def open_entry(
    conn: Connection, eid: str, audience: str, audience_key: bytes
) -> Mapping[Slot, Opening] | None:
    """Return what *audience* may open of an entry, or None if there is nothing or it was erased."""
    return open_entries(conn, [eid], audience, audience_key).get(eid)


def open_entries(
    conn: Connection, eids: Sequence[str], audience: str, audience_key: bytes
) -> dict[str, Mapping[Slot, Opening]]:
    """Return what *audience* may open of some entries; those with nothing, or erased, are left out."""
    query = (
        select(openings.c.eid, openings.c.data, opening_keys.c.wrapped)
        .join(
            opening_keys,
            (opening_keys.c.eid == openings.c.eid)
            & (opening_keys.c.audience == openings.c.audience),
        )
        .where(openings.c.eid.in_(eids), openings.c.audience == audience)
    )
    return {
        row.eid: decode_openings(unseal(row.data, unseal(row.wrapped, audience_key)))
        for row in conn.execute(query)
    }
