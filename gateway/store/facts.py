"""Facts that orders state: attestations about states and cases, and amendments of items."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from gateway.exchange.acts import Attest
from gateway.exchange.parse import plain
from gateway.kernel.encoding import Json, canonical_json, parse_json
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.store.tables import amendments, attestation_ends, attestations


@dataclass(frozen=True, slots=True)
class Attestation:
    """An attestation as it stands. *ended* is the day on which it was ended before its time."""

    id: str
    fact: str
    value: Json
    jurisdiction: str
    authority: str | None
    case: str | None
    evidence: Json
    valid_from: str
    valid_to: str
    actor: str
    at: datetime
    ended: str | None


def attest(conn: Connection, act: Attest, actor: str, order: str, at: datetime) -> None:
    """Keep an attestation."""
    conn.execute(
        insert(attestations),
        {
            "id": act.id,
            "fact": act.fact,
            "value": canonical_json(act.value),
            "jurisdiction": act.jurisdiction,
            "authority": act.authority,
            "case": act.case,
            "evidence": canonical_json(plain(act.evidence)),
            "valid_from": act.valid_from,
            "valid_to": act.valid_to,
            "actor": actor,
            "order_digest": order,
            "at": at,
        },
    )


def attested(conn: Connection, jurisdiction: str | None = None) -> list[Attestation]:
    """Return attestations, oldest first: of one jurisdiction, or all."""
    joined = attestations.outerjoin(
        attestation_ends, attestation_ends.c.attestation == attestations.c.id
    )
    query = select(attestations, attestation_ends.c.ended).select_from(joined)
    if jurisdiction is not None:
        query = query.where(attestations.c.jurisdiction == jurisdiction)
    return [
        Attestation(
            id=r.id,
            fact=r.fact,
            value=parse_json(r.value),
            jurisdiction=r.jurisdiction,
            authority=r.authority,
            case=r.case,
            evidence=parse_json(r.evidence),
            valid_from=r.valid_from,
            valid_to=r.valid_to,
            actor=r.actor,
            at=r.at,
            ended=r.ended,
        )
        for r in conn.execute(query.order_by(attestations.c.at))
    ]


def end(conn: Connection, name: str, day: str, actor: str, order: str, at: datetime) -> str:
    """End an attestation; return its jurisdiction. Raises NotFoundError, ConflictError if it ended."""
    query = select(attestations.c.jurisdiction).where(attestations.c.id == name)
    jurisdiction: str | None = conn.execute(query).scalar()
    if jurisdiction is None:
        raise NotFoundError("no such attestation")
    gone = select(attestation_ends.c.ended).where(attestation_ends.c.attestation == name)
    if conn.execute(gone).first() is not None:
        raise ConflictError("the attestation has been ended already")
    values = {"attestation": name, "ended": day, "actor": actor, "order_digest": order, "at": at}
    conn.execute(insert(attestation_ends), values)
    return jurisdiction


def amend(
    conn: Connection,
    name: str,
    item: str,
    facts: Mapping[str, Json],
    actor: str,
    order: str,
    at: datetime,
) -> None:
    """Keep the facts that an item has from now on."""
    count = select(func.count()).select_from(amendments).where(amendments.c.item == item)
    values = {"id": name, "item": item, "n": conn.execute(count).scalar() or 0}
    values |= {"facts": canonical_json(dict(facts)), "actor": actor}
    conn.execute(insert(amendments), {**values, "order_digest": order, "at": at})


def amended(conn: Connection, items: tuple[str, ...]) -> dict[str, Mapping[str, Json]]:
    """Return the newest facts of those *items* whose facts were ever amended."""
    query = (
        select(amendments.c.item, amendments.c.facts)
        .where(amendments.c.item.in_(items))
        .order_by(amendments.c.n)
    )
    found: dict[str, Mapping[str, Json]] = {}
    for row in conn.execute(query):
        facts = parse_json(row.facts)
        found[row.item] = facts if isinstance(facts, dict) else {}
    return found
