"""An officer of the recipient signs the terms of a share: from then on its items are served."""

from gateway.exchange.entries import Entry, Kind
from gateway.exchange.terms import open_terms, terms_digest, to_be_signed
from gateway.kernel.errors import ConflictError, MalformedError, VerificationError
from gateway.store import shares, signed_terms
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Answer, Gateway, Signed, perform
from gateway.workflows.pull import check_going, visible
from gateway.workflows.terms import given


def sign_terms(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Accept the signature of a named officer under exactly the terms that the manifest carries."""
    now = gateway.now()
    said = open_terms(signed.order.body, signed.actor, now)
    if said.share != share_id:
        raise MalformedError("the terms are of another share", field="/share")

    def work(tx: Transaction) -> Answer:
        share = visible(tx.conn, signed, share_id)
        check_going(gateway, tx.conn, share)
        terms = given(tx.conn, share).terms
        if said.manifest != shares.manifest(tx.conn, share_id).digest:
            raise VerificationError("the signature is for another manifest")
        if said.terms != terms_digest(terms):
            raise VerificationError("the signature is under other terms")
        if not to_be_signed(terms):
            raise ConflictError("the terms of this share need no signature: pull it")
        if signed_terms.of_share(tx.conn, share_id) is not None:
            raise ConflictError("the terms of this share are signed already: pull it")
        entry = tx.record(
            Entry(
                kind=Kind.SHARE_TERMS_SIGNED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=share_id,
                recipient=share.recipient,
                content={"manifest": said.manifest, "terms": said.terms},
            )
        )
        signed_terms.keep(tx.conn, said, signed.actor.id, signed.order.body, now)
        return {"share": share_id, "state": share.state.value, "entry": entry}

    return perform(gateway, signed, work, creates=said.id)
