"""Inboxes: per recipient an ordered sequence of messages, kept for ever."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select

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
    values = {"recipient": recipient, "cursor": cursor, "most": limit}
    return [Kept(seq, container) for seq, container in conn.execute(_AFTER, values)]


# Made once: to build it and work out its name in the cache costs more than the database does.
_AFTER = (
    select(messages.c.seq, messages.c.container)
    .where(messages.c.recipient == bindparam("recipient"), messages.c.seq > bindparam("cursor"))
    .order_by(messages.c.seq)
    .limit(bindparam("most"))
)
