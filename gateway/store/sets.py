"""Sets in force: directory and policy sets by number, and named values."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from gateway.kernel.errors import ConflictError
from gateway.store.tables import directory_sets, policy_sets


def latest_directory(conn: Connection) -> tuple[int, bytes] | None:
    """Return number and data of the directory set in force."""
    query = select(directory_sets).order_by(directory_sets.c.number.desc()).limit(1)
    row = conn.execute(query).first()
    return (row.number, row.data) if row else None


def directory_at(conn: Connection, moment: datetime) -> bytes | None:
    """Return the data of the directory set that was in force at *moment*."""
    query = select(directory_sets.c.data).where(directory_sets.c.at <= moment)
    data: bytes | None = conn.execute(
        query.order_by(directory_sets.c.number.desc()).limit(1)
    ).scalar()
    return data


def accept_directory(conn: Connection, number: int, data: bytes, digest: str, at: datetime) -> None:
    """Put a directory set into force. Raises ConflictError unless its number is the next higher."""
    latest = latest_directory(conn)
    if latest is not None and number <= latest[0]:
        raise ConflictError(f"directory set {latest[0]} is in force: a new one has a higher number")
    values = {"number": number, "data": data, "digest": digest, "at": at}
    conn.execute(insert(directory_sets), values)


def latest_policy(conn: Connection) -> str | None:
    """Return the digest of the policy set last put into force."""
    query = select(policy_sets.c.digest).order_by(policy_sets.c.number.desc()).limit(1)
    return conn.execute(query).scalar()


def accept_policy(conn: Connection, digest: str, at: datetime) -> None:
    """Keep that a policy set came into force."""
    query = select(policy_sets.c.number).order_by(policy_sets.c.number.desc()).limit(1)
    number = (conn.execute(query).scalar() or 0) + 1
    conn.execute(insert(policy_sets), {"number": number, "digest": digest, "at": at})
