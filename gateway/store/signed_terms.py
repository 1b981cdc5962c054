"""Terms as officers of recipients signed them: at most one signature for a share, kept for ever."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from gateway.exchange.terms import SignedTerms
from gateway.kernel.encoding import hex_sha256
from gateway.store.tables import signed_terms


@dataclass(frozen=True, slots=True)
class Kept:
    """Who signed the terms of a share, and when."""

    id: str
    actor: str
    at: datetime


def keep(conn: Connection, said: SignedTerms, actor: str, container: bytes, at: datetime) -> None:
    """Keep the signature of *actor* under the terms of a share."""
    values = {"share": said.share, "id": said.id, "terms": said.terms, "actor": actor}
    kept = {"container": container, "digest": hex_sha256(container), "at": at}
    conn.execute(insert(signed_terms), {**values, **kept})


def of_share(conn: Connection, share: str) -> Kept | None:
    """Return who signed the terms of a share; None while nobody has."""
    query = select(signed_terms.c.id, signed_terms.c.actor, signed_terms.c.at)
    row = conn.execute(query.where(signed_terms.c.share == share)).first()
    return Kept(row.id, row.actor, row.at) if row is not None else None
