"""Policy sets as they came into force, what was signed off, and the decisions that were recorded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, select

from gateway.exchange.acts import SignOffPolicy
from gateway.kernel.encoding import Json, canonical_json, hex_sha256, parse_json
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.store.tables import (
    decisions,
    policy_bundles,
    policy_sets,
    policy_signoffs,
    shares,
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A set that came into force, with all it was made of. *signed* is the manifest's container."""

    number: int
    digest: str
    manifest_digest: str
    signed: bytes
    files: Mapping[str, bytes]
    directory: int
    actor: str | None
    order: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it was recorded, with the facts of each item."""

    share: str
    recipient: str
    n: int
    stage: str
    data: Mapping[str, Json]
    facts: tuple[Mapping[str, Json], ...]
    digest: str
    at: datetime


def highest(conn: Connection) -> int:
    """Return the highest number of any policy set that came into force; 0 for none."""
    return conn.execute(select(func.max(policy_sets.c.number))).scalar() or 0


def accept(conn: Connection, bundle: Bundle) -> None:
    """Keep that a set came into force. Raises ConflictError unless its number is a higher one."""
    latest = highest(conn)
    if bundle.number <= latest:
        raise ConflictError(f"policy set {latest} is in force: a new one has a higher number")
    values = {"number": bundle.number, "digest": bundle.manifest_digest, "at": bundle.at}
    conn.execute(insert(policy_sets), values)
    texts: Json = {name: data.decode("utf-8") for name, data in bundle.files.items()}
    conn.execute(
        insert(policy_bundles),
        {
            "number": bundle.number,
            "digest": bundle.digest,
            "manifest_digest": bundle.manifest_digest,
            "manifest": bundle.signed,
            "files": canonical_json(texts),
            "directory": bundle.directory,
            "actor": bundle.actor,
            "order_digest": bundle.order,
            "at": bundle.at,
        },
    )


def latest(conn: Connection) -> Bundle | None:
    """Return the set that came into force last."""
    query = select(policy_bundles).order_by(policy_bundles.c.number.desc()).limit(1)
    row = conn.execute(query).first()
    return _bundle(row) if row is not None else None


def numbered(conn: Connection, number: int) -> Bundle:
    """Return a set by its number. Raises NotFoundError."""
    row = conn.execute(select(policy_bundles).where(policy_bundles.c.number == number)).first()
    if row is None:
        raise NotFoundError("no policy set of this number is kept with its files")
    return _bundle(row)


def with_digest(conn: Connection, policy: str) -> Bundle | None:
    """Return the newest set whose rules have this digest."""
    query = select(policy_bundles).where(policy_bundles.c.digest == policy)
    row = conn.execute(query.order_by(policy_bundles.c.number.desc()).limit(1)).first()
    return _bundle(row) if row is not None else None


def every(conn: Connection) -> list[Bundle]:
    """Return all sets, oldest first."""
    query = select(policy_bundles).order_by(policy_bundles.c.number)
    return [_bundle(row) for row in conn.execute(query)]


def _bundle(row: Row[tuple[object, ...]]) -> Bundle:
    texts = parse_json(row.files)
    files = texts if isinstance(texts, dict) else {}
    return Bundle(
        number=row.number,
        digest=row.digest,
        manifest_digest=row.manifest_digest,
        signed=row.manifest,
        files={name: str(text).encode() for name, text in files.items()},
        directory=row.directory,
        actor=row.actor,
        order=row.order_digest,
        at=row.at,
    )


def sign_off(conn: Connection, act: SignOffPolicy, person: str, order: str, at: datetime) -> None:
    """Keep a sign-off."""
    values = {"id": act.id, "manifest_digest": act.manifest, "flips": act.flips}
    conn.execute(
        insert(policy_signoffs), {**values, "person": person, "order_digest": order, "at": at}
    )


def signed_off(conn: Connection, manifest: str) -> list[tuple[str, str]]:
    """Return digest of the flips and person of every sign-off of a manifest."""
    query = select(policy_signoffs).where(policy_signoffs.c.manifest_digest == manifest)
    return [(row.flips, row.person) for row in conn.execute(query.order_by(policy_signoffs.c.at))]


def recorded(conn: Connection, share: str | None = None) -> Iterator[Recorded]:
    """Yield every recorded decision, or those of a share, oldest first, without holding them all."""
    query = select(decisions, shares.c.recipient).join(shares, shares.c.id == decisions.c.share)
    if share is not None:
        query = query.where(decisions.c.share == share)
    query = query.order_by(decisions.c.at, decisions.c.share, decisions.c.n)
    for row in conn.execute(query.execution_options(yield_per=500)):
        yield _recorded(row)


def decision(conn: Connection, digest: str) -> Recorded:
    """Return a recorded decision by its digest. Raises NotFoundError.

    The same one may be recorded more than once; the first is returned.
    """
    query = select(decisions, shares.c.recipient).join(shares, shares.c.id == decisions.c.share)
    row = conn.execute(
        query.where(decisions.c.digest == digest).order_by(decisions.c.at).limit(1)
    ).first()
    if row is None or hex_sha256(row.data) != digest:
        raise NotFoundError("no such decision")
    return _recorded(row)


def _recorded(row: Row[tuple[object, ...]]) -> Recorded:
    data, facts = parse_json(row.data), parse_json(row.facts)
    return Recorded(
        share=row.share,
        recipient=row.recipient,
        n=row.n,
        stage=row.stage,
        data=data if isinstance(data, dict) else {},
        facts=tuple(one for one in facts if isinstance(one, dict))
        if isinstance(facts, list)
        else (),
        digest=row.digest,
        at=row.at,
    )
