"""Orders, what creating ones were answered, and tokens spent by writes."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.exchange.acts import Order
from gateway.exchange.entitlement import LoggedOrder
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.store.tables import creations, jti, orders


def keep(conn: Connection, order: Order, actor: str, at: datetime) -> None:
    """Keep an order as evidence."""
    conn.execute(
        insert(orders),
        {
            "digest": order.digest,
            "actor": actor,
            "method": order.method,
            "target": order.target,
            "token": order.token,
            "body": order.body,
            "body_digest": order.body_digest.hex(),
            "at": at,
        },
    )


def get(conn: Connection, digest: str) -> LoggedOrder:
    """Return an order with the time it was logged. Raises NotFoundError."""
    row = conn.execute(select(orders).where(orders.c.digest == digest)).first()
    if row is None:
        raise NotFoundError("no such order")
    order = Order(row.token, row.method, row.target, row.body, bytes.fromhex(row.body_digest))
    return LoggedOrder(order, row.at)


def answered(conn: Connection, name: str, actor: str, body_digest: str) -> bytes | None:
    """Return what the same creating request was answered before, or None for a new one.

    Raises ConflictError if the id was used by another actor or for another body.
    """
    row = conn.execute(select(creations).where(creations.c.id == name)).first()
    if row is None:
        return None
    if (row.actor, row.body_digest) != (actor, body_digest):
        raise ConflictError("this id was used for something else: mint a new one")
    answer: bytes = row.answer
    return answer


def keep_answer(conn: Connection, name: str, actor: str, body_digest: str, answer: bytes) -> None:
    """Keep the answer of a creating request, for its repetition."""
    values = {"id": name, "actor": actor, "body_digest": body_digest, "answer": answer}
    conn.execute(insert(creations), values)


def spend(conn: Connection, order: Order, actor: str, token_id: str, expires: int) -> bool:
    """Spend the token of an order; return False if it was spent before.

    Of an order that is kept it was, even if the table of tokens has forgotten it since: were the clock
    set back, it would pass for a fresh one.
    """
    kept = select(orders.c.digest).where(orders.c.digest == order.digest)
    if conn.execute(kept).first() is not None:
        return False
    dialect = sqlite_insert if conn.dialect.name == "sqlite" else pg_insert
    values = {"actor": actor, "jti": token_id, "exp": expires}
    spent = dialect(jti).values(values).on_conflict_do_nothing().returning(jti.c.jti)
    return conn.execute(spent).first() is not None


def purge_spent(conn: Connection, now: int) -> None:
    """Forget tokens that have expired beyond any leeway."""
    conn.execute(delete(jti).where(jti.c.exp < now))
