"""Connecting: durable by our own setting, and the schema brought up to date."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from gateway.kernel.errors import GatewayError, UnavailableError
from gateway.store.postgres import MAKE_DURABLE

_SINGLES = 8  # connections kept; in a burst there is one for each thread that works for requests
_OPTIONS = {
    "client_encoding": "utf8",
    "connect_timeout": "5",  # seconds
    # A connection whose other end is gone without a word is given up after 25 s.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",  # milliseconds
}


def connect(url: str, *, writer: bool = False) -> Engine:
    """Return an engine for *url*; the *writer*'s has one connection and takes the write lock first."""
    connections, more = (1, 0) if writer else (16, 16)
    if url.startswith("sqlite"):
        engine = create_engine(url, poolclass=QueuePool, pool_size=connections, max_overflow=more)
        _sqlite(engine, writer=writer)
        return engine
    engine = create_engine(
        url,
        # A reader sees one snapshot, as on SQLite: a proof is made of several queries.
        isolation_level="READ COMMITTED" if writer else "REPEATABLE READ",
        pool_size=connections,
        max_overflow=more,
        # After a restart of the database every pooled connection is dead: find out before the work.
        pool_pre_ping=True,
        connect_args=_options(make_url(url)),
    )
    event.listen(engine, "connect", _postgresql)
    return engine


def _options(url: URL) -> dict[str, str]:
    return {name: value for name, value in _OPTIONS.items() if name not in url.query}


def connect_single(url: URL) -> Engine:
    """Return an engine whose statements stand alone: each is committed, and sees all that was before."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=QueuePool, pool_size=_SINGLES, max_overflow=24)
        _sqlite_settings(engine)
        return engine
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=_SINGLES,
        max_overflow=24,
        # No ping before each read: after a restart of the database one read fails, and is repeated.
        connect_args=_options(url),
    )
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
        cursor.execute(MAKE_DURABLE)
    raw.commit()


def _scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def schema_state(conn: Connection) -> str:
    """Tell how the schema stands to this program: absent, older, current or newer."""
    scripts = ScriptDirectory.from_config(_scripts())
    found = MigrationContext.configure(conn).get_current_heads()
    if not found:
        return "absent"
    if found == (scripts.get_current_head(),):
        return "current"
    known = {script.revision for script in scripts.walk_revisions()}
    return "older" if set(found) <= known else "newer"


def upgrade(engine: Engine) -> bool:
    """Bring the schema up to date, on an empty or an older database; tell whether that was needed.

    A schema that is current asks for no right to change it. Raises UnavailableError if it is newer
    than this program.
    """
    config = _scripts()
    with engine.begin() as conn:
        state = schema_state(conn)
        if state == "newer":
            raise UnavailableError(
                "the schema is newer than this program: install the newer program"
            )
        if state != "current":
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    return state != "current"


def reachable(engine: Engine) -> bool:
    """Tell whether the database answers."""
    try:
        with engine.connect() as conn:
            return conn.execute(text("SELECT 1")).scalar() == 1
    except (DBAPIError, GatewayError):
        return False
