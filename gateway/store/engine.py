"""Connecting: durable by our own setting, one server per database, schema brought up to date."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from gateway.kernel.errors import UnavailableError

_SINGLES = 8  # connections kept; in a burst there is one for each thread that works for requests
_LOCK = 0x65766964  # "evid": the advisory lock of the server that integrates the ledger


def connect(url: str, *, writer: bool = False) -> Engine:
    """Return an engine for *url*; the *writer*'s has one connection and takes the write lock first."""
    connections, more = (1, 0) if writer else (16, 16)
    if url.startswith("sqlite"):
        engine = create_engine(url, poolclass=QueuePool, pool_size=connections, max_overflow=more)
        _sqlite(engine, writer=writer)
        return engine
    # A reader sees one snapshot, as on SQLite: a proof is made of several queries.
    level = "READ COMMITTED" if writer else "REPEATABLE READ"
    engine = create_engine(url, isolation_level=level, pool_size=connections, max_overflow=more)
    event.listen(engine, "connect", _postgresql)
    return engine


def connect_single(url: URL) -> Engine:
    """Return an engine whose statements stand alone: each is committed, and sees all that was before."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=QueuePool, pool_size=_SINGLES, max_overflow=24)
        _sqlite_settings(engine)
        return engine
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=_SINGLES, max_overflow=24)
    event.listen(engine, "connect", _postgresql)
    return engine


def _sqlite(engine: Engine, *, writer: bool) -> None:
    _sqlite_settings(engine)

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _sqlite_settings(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # the driver's own implicit BEGIN would hide ours
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # WAL's usual NORMAL loses commits at power loss
            "foreign_keys=ON",
            "busy_timeout=10000",
            "secure_delete=ON",
            "recursive_triggers=ON",  # else INSERT OR REPLACE deletes past the guards
        ):
            raw.execute(f"PRAGMA {pragma}")


def _postgresql(raw: Any, _record: object) -> None:
    with raw.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    raw.commit()


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date, on an empty or an older database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def check_durable(engine: Engine) -> None:
    """Raise UnavailableError if the PostgreSQL server would lose what it acknowledged."""
    if engine.dialect.name == "sqlite":
        return
    with engine.connect() as conn:
        for name in ("fsync", "full_page_writes"):
            if conn.execute(text(f"SHOW {name}")).scalar() != "on":
                raise UnavailableError(f"the database runs with {name}=off: switch it on first")


@contextmanager
def only_server(engine: Engine) -> Iterator[None]:
    """Hold the one place of the server on this database. Raises UnavailableError if it is taken."""
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database) + ".lock")
        with path.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise _taken() from None
            yield
        return
    # A connection of its own: a pooled one could be recycled, and the lock silently lost with it.
    lone = create_engine(engine.url, isolation_level="AUTOCOMMIT")
    try:
        with lone.connect() as conn:
            if not conn.execute(text(f"SELECT pg_try_advisory_lock({_LOCK})")).scalar():
                raise _taken()
            yield
    finally:
        lone.dispose()


def _taken() -> UnavailableError:
    return UnavailableError("another gateway server already runs on this database: stop it first")


def reachable(engine: Engine) -> bool:
    """Tell whether the database answers."""
    try:
        with engine.connect() as conn:
            return conn.execute(text("SELECT 1")).scalar() == 1
    except OperationalError:
        return False
