"""History from before the gateway: declared by a named person, entered as such, never taken for signed."""

from gateway.exchange.acts import Declare
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import plain
from gateway.exchange.parties import Kind as PartyKind
from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.store import declared
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Answer, Gateway, Signed, perform, read_act

_KIND = {
    "rfa": Kind.DECLARED_RFA,
    "share": Kind.DECLARED_SHARE,
    "holder": Kind.DECLARED_HOLDER,
}


def declare(gateway: Gateway, signed: Signed) -> Answer:
    """Keep up to 500 rows of history, an entry for each; what was declared before is passed over."""
    act = read_act(signed)
    if not isinstance(act, Declare):
        raise MalformedError("expected a declaration", field="/act/type")
    rows = [_row(gateway, plain(row), n) for n, row in enumerate(act.rows)]
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        known = declared.known(tx.conn, [declared.key_of(row) for row in rows])
        kept = 0
        for n, row in enumerate(rows):
            key = declared.key_of(row)
            if key in known:
                continue
            known.add(key)
            entry = tx.record(
                Entry(
                    kind=_KIND[str(row["type"])],
                    at=now,
                    actor=signed.actor.id,
                    order=signed.order.digest,
                    subject=act.id,
                    content={**row, "file": act.file},
                )
            )
            declared.keep(tx.conn, act.id, n, row, entry, signed.order.digest, now)
            kept += 1
        return {"declaration": act.id, "declared": kept, "known": len(rows) - kept}

    return perform(gateway, signed, work, creates=act.id)


def _row(gateway: Gateway, row: dict[str, Json], n: int) -> dict[str, Json]:
    """Return a row with its authority's id and jurisdiction, so that a later change of names hurts nothing."""
    try:
        party = gateway.sets.directory.party(str(row["authority"]))
    except NotFoundError:
        party = None
    if party is None or party.kind is not PartyKind.AUTHORITY:
        message = f"row {n}: no authority {row['authority']} in the directory"
        raise MalformedError(message, field=f"/act/rows/{n}/authority")
    return {**row, "authority": party.id, "jurisdiction": party.jurisdiction}


def listed(gateway: Gateway) -> Answer:
    """Return all declared rows, each marked as such."""
    with gateway.engine.connect() as conn:
        found: list[Json] = [
            {**row.data, "origin": "declared", "entry": row.entry, "order": row.order}
            for row in declared.listed(conn)
        ]
    return {"declared": found}
