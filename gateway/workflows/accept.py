"""Accepting the ledger as it is kept, after its copy elsewhere was lost or says otherwise."""

from gateway.exchange.acts import AcceptHead
from gateway.exchange.entries import Entry, Kind
from gateway.kernel.encoding import b64url
from gateway.kernel.errors import ConflictError, MalformedError, VerificationError
from gateway.store import ledger
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Answer, Gateway, Signed, perform, read_act


def accept_head(gateway: Gateway, signed: Signed) -> Answer:
    """End the quarantine on a custodian's order that names the head as it is kept.

    The order and its reason become an entry. Recipients who saw a longer or another ledger go on
    refusing this one: nothing that is decided here can change what they hold.
    """
    act = read_act(signed)
    if not isinstance(act, AcceptHead):
        raise MalformedError("expected the acceptance of a head", field="/act/type")
    reason, now = gateway.quarantine, gateway.now()
    if reason is None:
        raise ConflictError("the ledger is not in quarantine: there is nothing to accept")

    def work(tx: Transaction) -> Answer:
        size, root = ledger.head(tx.conn)
        if (act.size, act.root) != (size, b64url(root)):
            raise VerificationError(f"the ledger is kept with {size} entries and another root")
        entry = tx.record(
            Entry(
                kind=Kind.HEAD_ACCEPTED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                content={"size": size, "root": act.root, "quarantine": reason},
            )
        )
        return {"size": size, "root": act.root, "entry": entry}

    gateway.quarantine = None
    try:
        return perform(gateway, signed, work)
    except BaseException:
        gateway.quarantine = reason
        raise
