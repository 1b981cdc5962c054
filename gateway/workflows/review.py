"""Reading the ledger and the directory: anyone holds leaves and proofs, openings go by audience."""

from gateway.envelope import parse_recipient, seal_bytes
from gateway.exchange.directory import view_of
from gateway.exchange.parse import plain
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Role
from gateway.exchange.shares import State
from gateway.kernel.encoding import Json, b64url
from gateway.kernel.errors import ConflictError, ForbiddenError, NotFoundError, VerificationError
from gateway.keyholder.judge import envelope_keys
from gateway.ledger import encode_openings, open_checkpoint
from gateway.store import ledger, share_rewraps, shares
from gateway.store.writer import MECHANISM
from gateway.workflows.gateway import Answer, Gateway, Signed
from gateway.workflows.introduced import usable
from gateway.workflows.pull import visible

PAGE = 500  # entries


def checkpoint(gateway: Gateway) -> bytes:
    """Return the newest signed checkpoint. Raises NotFoundError before the first entry."""
    with gateway.engine.connect() as conn:
        note = ledger.checkpoint(conn)
    if note is None:
        raise NotFoundError("the ledger has no entries yet")
    return note


def consistency(gateway: Gateway, old: int, new: int) -> Answer:
    """Return the proof that the first *old* entries begin the first *new*."""
    with gateway.engine.connect() as conn:
        size, _ = ledger.head(conn)
        if not 0 < old <= new <= size:
            raise NotFoundError(f"the ledger has {size} entries")
        path: list[Json] = [b64url(node) for node in ledger.consistency(conn, old, new)]
    return {"old": old, "new": new, "path": path}


def entries(gateway: Gateway, signed: Signed, start: int) -> Answer:
    """Return a page of leaves; with their openings for the mechanism's compliance officers."""
    actor = signed.actor
    opens = actor.party.kind is PartyKind.MECHANISM and Role.COMPLIANCE in actor.member.roles
    found: list[Json] = []
    with gateway.engine.connect() as conn:
        rows = ledger.page(conn, start, PAGE)
        names = [row.eid for row in rows] if opens else []
        openings = ledger.open_entries(conn, names, MECHANISM, gateway.log.audience_key)
        for row in rows:
            entry: dict[str, Json] = {"index": row.index, "id": row.eid, "leaf": b64url(row.leaf)}
            if opens:
                opening = openings.get(row.eid)
                entry["openings"] = b64url(encode_openings(opening)) if opening else None
            found.append(entry)
    return {"entries": found}


def proof(gateway: Gateway, index: int) -> str:
    """Return the tlog-proof of an entry under the newest checkpoint."""
    with gateway.engine.connect() as conn:
        note = ledger.checkpoint(conn)
        if note is None:
            raise NotFoundError("the ledger has no entries yet")
        size = open_checkpoint(note, gateway.verifier).size
        if index >= size:
            raise NotFoundError(f"the ledger has {size} entries")
        return ledger.prove(conn, index, size, note).render()


def share_evidence(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Return the ledger's evidence of a share for its recipient.

    The leaf and proof of the entry that names its manifest (which made it available, or wrapped it
    anew), and what the recipient may open of it, sealed to his envelope keys.
    """
    now = gateway.now()
    with gateway.engine.connect() as conn:
        share = visible(conn, signed, share_id)
        event = shares.event_in(conn, share.id, State.AVAILABLE)
        row = ledger.entry(conn, share_rewraps.newest(conn, share.id) or event.entry)
        note = ledger.checkpoint(conn)
        if note is None:
            raise VerificationError("the ledger has no checkpoint")
        size = open_checkpoint(note, gateway.verifier).size
        text = ledger.prove(conn, row.index, size, note).render()
        opening = ledger.open_entry(conn, row.eid, share.recipient, gateway.log.audience_key)
        party = usable(conn, gateway.follow(conn).party(signed.actor.party.id))
    keys = envelope_keys(party, "pq", now) or envelope_keys(party, "classic", now)
    if not keys:
        raise ConflictError("your party has no envelope key in force: have one entered")
    sealed = seal_bytes(encode_openings(opening or {}), [parse_recipient(key) for key in keys])
    return {"leaf": b64url(row.leaf), "proof": text, "openings": b64url(sealed)}


def directory(gateway: Gateway, signed: Signed) -> Answer:
    """Return the directory as this party may see it: the mechanism and itself; all for the mechanism."""
    sets = gateway.sets
    party = signed.actor.party
    if party.kind is PartyKind.SOURCE:
        raise ForbiddenError("a source has no view of the directory")
    own = {party.id, sets.directory.mechanism().id}
    if party.kind is PartyKind.MECHANISM:
        own = {p.id for p in sets.directory.parties}
    return plain(view_of(sets.directory_data, own))
