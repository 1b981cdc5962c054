"""Challenges to new envelope keys, the owners' answers, and the persons who confirmed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from gateway.exchange.key_acts import ChallengeKey, ConfirmKey, KeyProof
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import NotFoundError
from gateway.store.tables import key_challenges, key_confirmations, key_proofs


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge to a key, its age file, and what its answer must hash to (`challenge_digest`)."""

    id: str
    key: str
    party: str
    member: str
    digest: str
    sealed: bytes
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proved:
    """A signed answer to a challenge; *digest* is its container's."""

    container: bytes
    digest: str
    actor: str
    at: datetime


def keep(
    conn: Connection,
    act: ChallengeKey,
    party: str,
    member: str,
    digest: str,
    sealed: bytes,
    actor: str,
    order: str,
    at: datetime,
) -> None:
    """Keep a challenge as it was sealed."""
    values: dict[str, Any] = {
        "id": act.id,
        "key": act.key,
        "party": party,
        "member": member,
        "digest": digest,
    }
    values |= {"sealed": sealed, "actor": actor, "order_digest": order}
    conn.execute(insert(key_challenges), {**values, "at": at})


def get(conn: Connection, name: str, party: str | None = None) -> Challenge:
    """Return a challenge; for a *party* only one to its own keys. Raises NotFoundError."""
    query = select(key_challenges).where(key_challenges.c.id == name)
    if party is not None:
        query = query.where(key_challenges.c.party == party)
    row = conn.execute(query).first()
    if row is None:
        raise NotFoundError("no such challenge")
    return Challenge(
        row.id, row.key, row.party, row.member, row.digest, row.sealed, row.actor, row.at
    )


def latest(conn: Connection, key: str) -> Challenge | None:
    """Return the newest challenge to a key."""
    query = select(key_challenges.c.id).where(key_challenges.c.key == key)
    name = conn.execute(query.order_by(key_challenges.c.at.desc()).limit(1)).scalar()
    return get(conn, name) if name is not None else None


def of_party(conn: Connection, party: str) -> list[Challenge]:
    """Return the challenges to keys of a party that nobody has answered, oldest first."""
    answered = select(key_proofs.c.challenge)
    query = (
        select(key_challenges.c.id)
        .where(key_challenges.c.party == party, key_challenges.c.id.not_in(answered))
        .order_by(key_challenges.c.at)
    )
    return [get(conn, row.id) for row in conn.execute(query).all()]


def prove(conn: Connection, proof: KeyProof, container: bytes, actor: str, at: datetime) -> None:
    """Keep a signed answer."""
    values: dict[str, Any] = {"challenge": proof.challenge, "id": proof.id, "container": container}
    values |= {"digest": hex_sha256(container), "actor": actor, "at": at}
    conn.execute(insert(key_proofs), values)


def proof_of(conn: Connection, challenge: str) -> Proved | None:
    """Return the answer to a challenge, if there is one."""
    row = conn.execute(select(key_proofs).where(key_proofs.c.challenge == challenge)).first()
    return Proved(row.container, row.digest, row.actor, row.at) if row is not None else None


def confirm(
    conn: Connection, act: ConfirmKey, person: str, entry: str, order: str, at: datetime
) -> None:
    """Keep that a person confirmed a key."""
    values: dict[str, Any] = {"challenge": act.challenge, "person": person, "id": act.id}
    values |= {"how": act.how.encode(), "entry": entry, "order_digest": order}
    conn.execute(insert(key_confirmations), {**values, "at": at})


def confirmed_by(conn: Connection, challenge: str) -> list[str]:
    """Return the persons who confirmed the key of a challenge."""
    query = select(key_confirmations.c.person).where(key_confirmations.c.challenge == challenge)
    return [row.person for row in conn.execute(query.order_by(key_confirmations.c.at))]
