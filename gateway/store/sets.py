"""Directory sets in force, by number."""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from gateway.kernel.errors import ConflictError
from gateway.store.tables import directory_sets


def latest_directory(conn: Connection) -> tuple[int, bytes] | None:
    """Return number and data of the directory set in force."""
    query = select(directory_sets).order_by(directory_sets.c.number.desc()).limit(1)
    row = conn.execute(query).first()
    return (row.number, row.data) if row else None


def latest_number(conn: Connection) -> int | None:
    """Return the number of the directory set in force, if there is one."""
    number: int | None = conn.execute(select(func.max(directory_sets.c.number))).scalar()
    return number


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


def directory_numbered(conn: Connection, number: int) -> bytes | None:
    """Return the data of a directory set by its number."""
    query = select(directory_sets.c.data).where(directory_sets.c.number == number)
    data: bytes | None = conn.execute(query).scalar()
    return data
