"""Uploads, their parts, and what completing them made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Row, func, insert, select, update

from gateway.exchange.acts import Complete, OpenUpload, Particulars
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import Json, canonical_json, parse_json
from gateway.kernel.errors import NotFoundError
from gateway.store.tables import body_parts, items, parts, sealed, uploads


class State(StrEnum):
    """What became of an upload. A *spoiled* one must begin again under a new key."""

    OPEN = "open"
    SPOILED = "spoiled"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload; *secrets* are file key and nonce, sealed, and gone once it is complete."""

    id: str
    actor: str
    size: int
    suite: str
    state: State
    secrets: bytes | None


@dataclass(frozen=True, slots=True)
class Part:
    """One part: recorded by its digest first, sealed as *blob* afterwards."""

    n: int
    start: int
    size: int
    digest: str
    blob: str | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """What an upload became: an item, once its depositor has vouched for it.

    *epoch* is the vault epoch that it is sealed to, as it is made.
    *body_parts* are the digests of the parts of the body, where they were just taken.
    """

    item: str
    upload: str
    particulars: Particulars
    facts: Mapping[str, Json]
    handling: str
    suite: str
    size: int
    body_size: int
    body: str
    vault_header: bytes
    vault_digest: str
    epoch: str = ""
    body_parts: tuple[str, ...] = ()


def open_one(conn: Connection, act: OpenUpload, actor: str, secrets: bytes, at: datetime) -> None:
    """Begin an upload."""
    values = {"id": act.id, "actor": actor, "size": act.size, "suite": act.suite}
    conn.execute(
        insert(uploads), {**values, "state": State.OPEN.value, "secrets": secrets, "at": at}
    )


def get(conn: Connection, upload: str, actor: str) -> Upload:
    """Return an actor's own upload. Raises NotFoundError."""
    query = select(uploads).where(uploads.c.id == upload, uploads.c.actor == actor)
    row = conn.execute(query).first()
    if row is None:
        raise NotFoundError("no such upload")
    return Upload(row.id, row.actor, row.size, row.suite, State(row.state), row.secrets)


def open_of(conn: Connection, actor: str) -> tuple[int, int]:
    """Return how many uploads an actor has open, and the bytes that they are to have in all."""
    query = select(func.count(), func.coalesce(func.sum(uploads.c.size), 0)).where(
        uploads.c.actor == actor, uploads.c.state == State.OPEN.value
    )
    number, size = conn.execute(query).one()
    return int(number), int(size)


def open_since(conn: Connection, before: datetime, limit: int) -> list[str]:
    """Return uploads that are open and were begun before a moment, the oldest first."""
    query = select(uploads.c.id).where(uploads.c.state == State.OPEN.value, uploads.c.at < before)
    return [row.id for row in conn.execute(query.order_by(uploads.c.at).limit(limit))]


def is_open(conn: Connection, upload: str) -> bool:
    """Tell whether an upload is neither complete nor spoiled."""
    query = select(uploads.c.state).where(uploads.c.id == upload)
    return conn.execute(query).scalar() == State.OPEN.value


def drop(conn: Connection, upload: str) -> list[str]:
    """Give up an upload that is not complete: erase its key, forget its blobs, and return their names."""
    spoil(conn, upload)
    named = parts.c.upload == upload, parts.c.blob.is_not(None)
    names = [str(row.blob) for row in conn.execute(select(parts.c.blob).where(*named))]
    conn.execute(update(parts).where(*named).values(blob=None))
    return names


def parts_of(conn: Connection, upload: str) -> list[Part]:
    """Return the parts of an upload in order."""
    query = select(parts).where(parts.c.upload == upload).order_by(parts.c.n)
    return [Part(r.n, r.start, r.size, r.digest, r.blob) for r in conn.execute(query)]


def offset(found: list[Part]) -> int:
    """Return how many bytes are sealed and durable."""
    return sum(part.size for part in found if part.blob is not None)


def record_part(conn: Connection, upload: str, part: Part) -> None:
    """Record a part by its digest, before it is sealed."""
    conn.execute(
        insert(parts),
        {
            "upload": upload,
            "n": part.n,
            "start": part.start,
            "size": part.size,
            "digest": part.digest,
            "blob": None,
        },
    )


def part_sealed(conn: Connection, upload: str, n: int, blob: str) -> None:
    """Name the blob of a recorded part."""
    conn.execute(update(parts).where(parts.c.upload == upload, parts.c.n == n).values(blob=blob))


def set_state(conn: Connection, upload: str, state: State) -> None:
    """Close an upload; its file key is erased with the same statement."""
    change = update(uploads).where(uploads.c.id == upload)
    conn.execute(change.values(state=state.value, secrets=None))


def spoil(conn: Connection, upload: str) -> None:
    """Mark an upload as one that must begin again."""
    set_state(conn, upload, State.SPOILED)


def seal(conn: Connection, made: Sealed, act: Complete, order: str, at: datetime) -> None:
    """Keep a sealed upload."""
    conn.execute(
        insert(sealed),
        {
            "item": made.item,
            "upload": made.upload,
            "particulars": canonical_json(plain(act.particulars)),
            "facts": canonical_json(act.facts),
            "handling": act.handling,
            "suite": made.suite,
            "size": made.size,
            "body_size": made.body_size,
            "body": made.body,
            "vault_header": made.vault_header,
            "vault_digest": made.vault_digest,
            "order_digest": order,
            "at": at,
        },
    )


def sealed_item(conn: Connection, item: str) -> Sealed:
    """Return a sealed upload by the item it may become. Raises NotFoundError."""
    row = conn.execute(select(sealed).where(sealed.c.item == item)).first()
    if row is None:
        raise NotFoundError("no such item")
    return _sealed(row)


def keep_body_parts(conn: Connection, item: str, digests: tuple[str, ...]) -> None:
    """Keep the digests of the parts of a sealed body; one part has the digest of the whole."""
    if len(digests) > 1:
        conn.execute(insert(body_parts), {"item": item, "digests": bytes.fromhex("".join(digests))})


def body_parts_of(conn: Connection, item: str) -> tuple[str, ...]:
    """Return the digests of the parts of a body; none if it has one part, or was sealed without."""
    joined = conn.execute(select(body_parts.c.digests).where(body_parts.c.item == item)).scalar()
    data = bytes(joined or b"")
    return tuple(data[at : at + 32].hex() for at in range(0, len(data), 32))


# The shape of a Row is known to the query alone.
def _sealed(row: Row) -> Sealed:  # type: ignore[type-arg]
    facts = parse_json(row.facts)
    return Sealed(
        item=row.item,
        upload=row.upload,
        particulars=decode(row.particulars, Particulars),
        facts=facts if isinstance(facts, dict) else {},
        handling=row.handling,
        suite=row.suite,
        size=row.size,
        body_size=row.body_size,
        body=row.body,
        vault_header=row.vault_header,
        vault_digest=row.vault_digest,
    )


def deposit(conn: Connection, item: str, actor: str, order: str, at: datetime) -> None:
    """Make the item of a deposit record."""
    conn.execute(insert(items), {"id": item, "actor": actor, "order_digest": order, "at": at})


def deposit_order(conn: Connection, item: str) -> str:
    """Return the digest of the deposit record's order. Raises NotFoundError."""
    found: str | None = conn.execute(
        select(items.c.order_digest).where(items.c.id == item)
    ).scalar()
    if found is None:
        raise NotFoundError("no such item")
    return found


def deposited(conn: Connection, names: tuple[str, ...]) -> list[Sealed]:
    """Return deposited items in the order asked for. Raises NotFoundError if one is not there."""
    query = select(sealed).join(items, items.c.id == sealed.c.item).where(items.c.id.in_(names))
    found = {row.item: _sealed(row) for row in conn.execute(query)}
    if len(found) != len(set(names)):
        raise NotFoundError("no such item")
    return [found[name] for name in names]


def blobs_in_use(conn: Connection) -> set[str]:
    """Return the names of every blob that a row names."""
    rows = conn.execute(select(parts.c.blob).where(parts.c.blob.is_not(None)))
    return {row.blob for row in rows}
