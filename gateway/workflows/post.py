"""Telling an authority something: a signed, numbered message in its inbox, in the transaction of its cause."""

from datetime import datetime

from gateway.exchange.messages import About, Message, sign_message
from gateway.kernel.ids import new_id
from gateway.kernel.time import spell
from gateway.store import inbox
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Gateway


def tell(
    gateway: Gateway, tx: Transaction, to: str, about: About, now: datetime, **members: str | None
) -> tuple[Message, bytes]:
    """Put a message with these *members* into the inbox of the party *to*; return it with its container."""
    message = Message(
        v=1,
        id=new_id("msg"),
        to=to,
        seq=inbox.next_seq(tx.conn, to),
        at=spell(now),
        about=about,
        **members,
    )
    container = sign_message(message, gateway.manifest_signer)
    inbox.put(tx.conn, message, container)
    return message, container
