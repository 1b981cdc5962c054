"""Declared history: rows that somebody vouches for, kept apart from everything that was signed here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from gateway.kernel.encoding import Json, canonical_json, digest_of, parse_json
from gateway.store.tables import declared


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared row."""

    kind: str
    data: dict[str, Json]
    entry: str
    order: str
    at: datetime


def key_of(data: dict[str, Json]) -> str:
    """Return what makes a row the same row: importing a file twice declares nothing twice."""
    return digest_of(data)


def known(conn: Connection, keys: list[str]) -> set[str]:
    """Return those of *keys* that were declared before."""
    rows = conn.execute(select(declared.c.key).where(declared.c.key.in_(keys)))
    return {row.key for row in rows}


def keep(
    conn: Connection,
    declaration: str,
    n: int,
    data: dict[str, Json],
    entry: str,
    order: str,
    at: datetime,
) -> None:
    """Keep one row."""
    sha256 = data.get("sha256")
    conn.execute(
        insert(declared),
        {
            "declaration": declaration,
            "n": n,
            "kind": str(data["type"]),
            "key": key_of(data),
            "item": sha256 if isinstance(sha256, str) else None,
            "data": canonical_json(data),
            "entry": entry,
            "order_digest": order,
            "at": at,
        },
    )


def listed(conn: Connection, kind: str | None = None, sha256: str | None = None) -> list[Declared]:
    """Return declared rows: of one kind, about one plaintext digest, or all."""
    query = select(declared).order_by(declared.c.at, declared.c.declaration, declared.c.n)
    if kind is not None:
        query = query.where(declared.c.kind == kind)
    if sha256 is not None:
        query = query.where(declared.c.item == sha256)
    found = []
    for row in conn.execute(query):
        data = parse_json(row.data)
        if isinstance(data, dict):
            found.append(Declared(row.kind, data, row.entry, row.order_digest, row.at))
    return found
