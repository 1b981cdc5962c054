"""How many items each recipient has for each case: counted as shares are released."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, exists, func, insert, or_, select

from gateway.exchange.shares import RELEASED, State
from gateway.store.tables import package_items, releases, servings, shares


def keep(conn: Connection, share: str, recipient: str, reference: str, given: int) -> None:
    """Keep that a share is released, as which its recipient has *given* items for the case."""
    values = {"share": share, "recipient": recipient, "reference": reference, "given": given}
    conn.execute(insert(releases), values)


def given(conn: Connection, share: str) -> int | None:
    """Return how many items the recipient had for the case with this share, or None before its release.

    The number stands: what is released or recalled later makes no difference to what went before.
    """
    return conn.execute(select(releases.c.given).where(releases.c.share == share)).scalar()


def with_these(conn: Connection, recipient: str, reference: str, items: Sequence[str]) -> int:
    """Return how many different items a recipient would have for a case with *items* besides.

    What was recalled before any byte of it was served does not count; what was served does for ever.
    Asked in the transaction of a release, it counts every release before: one is written after another.
    """
    served = exists().where(servings.c.share == shares.c.id)
    out = shares.c.state.in_([state.value for state in RELEASED])
    had = or_(out, and_(shares.c.state == State.RECALLED.value, served))
    query = (
        select(func.count(package_items.c.item.distinct()))
        .select_from(releases)
        .join(shares, shares.c.id == releases.c.share)
        .join(package_items, package_items.c.package == shares.c.package)
        .where(releases.c.recipient == recipient, releases.c.reference == reference, had)
        .where(package_items.c.item.not_in(items))
    )
    return (conn.execute(query).scalar() or 0) + len(set(items))
