"""Inboxes: per recipient an ordered sequence of messages, kept for ever."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from gateway.exchange.messages import Message
from gateway.kernel.time import instant
from gateway.store.tables import messages


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it was signed."""

    seq: int
    container: bytes


def next_seq(conn: Connection, recipient: str) -> int:
    """Return the number of the next message to *recipient*; the writer alone asks, so none is lost."""
    query = select(func.max(messages.c.seq)).where(messages.c.recipient == recipient)
    return (conn.execute(query).scalar() or 0) + 1


def put(conn: Connection, message: Message, container: bytes) -> None:
    """Put a signed message into its recipient's inbox."""
    conn.execute(
        insert(messages),
        {
            "recipient": message.to,
            "seq": message.seq,
            "id": message.id,
            "share": message.share,
            "container": container,
            "at": instant(message.at),
        },
    )


def after(conn: Connection, recipient: str, cursor: int, limit: int) -> list[Kept]:
    """Return up to *limit* messages numbered above *cursor*."""
    query = (
        select(messages.c.seq, messages.c.container)
        .where(messages.c.recipient == recipient, messages.c.seq > cursor)
        .order_by(messages.c.seq)
        .limit(limit)
    )
    return [Kept(row.seq, row.container) for row in conn.execute(query)]
