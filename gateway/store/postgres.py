"""What is asked of a PostgreSQL server before it is trusted, and its errors in words that help."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway.kernel.errors import UnavailableError

_OLDEST = 140000  # version 14

MAKE_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
)
"""Makes a session durable, whatever server, database or role say; leaves what is stricter alone."""

SETTINGS = (
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', "
    "'synchronous_commit', 'zero_damaged_pages', 'server_version_num', 'server_encoding') "
    "UNION ALL SELECT 'standby', pg_is_in_recovery()::text"
)
"""Asks a session how durable it is."""

_MUST_BE_ON = ("fsync", "full_page_writes")


def faults(found: Mapping[str, str]) -> list[str]:
    """Return why a server with these settings may not keep evidence, and what to do about each."""
    wrong = [
        f"the database runs with {name}={found[name]}: switch it on and restart the database"
        for name in _MUST_BE_ON
        if found[name] != "on"
    ]
    if found["synchronous_commit"] not in ("on", "remote_apply"):
        wrong.append("synchronous_commit does not stay on: connect without a pooler that resets it")
    if found["zero_damaged_pages"] != "off":
        wrong.append(
            "the database runs with zero_damaged_pages=on: switch it off, it destroys rows"
        )
    if int(found["server_version_num"]) < _OLDEST:
        wrong.append("the database is older than PostgreSQL 14: upgrade it")
    if found["server_encoding"] != "UTF8":
        wrong.append("the database's encoding is not UTF8: create it again with encoding UTF8")
    if found["standby"] == "true":
        wrong.append("the database is a standby: connect to the primary, or promote it")
    return wrong


def settings(conn: Connection) -> dict[str, str]:
    """Return how durable a session is, as `faults` reads it."""
    return {row.name: row.setting for row in conn.exec_driver_sql(SETTINGS)}


def check_server(engine: Engine) -> None:
    """Raise UnavailableError if the PostgreSQL server would lose or alter what it acknowledged."""
    if engine.dialect.name == "sqlite":
        return
    with engine.connect() as conn:
        refuse(settings(conn))


def refuse(found: Mapping[str, str]) -> None:
    """Raise UnavailableError that names every fault of a server with these settings."""
    wrong = faults(found)
    if wrong:
        raise UnavailableError("; ".join(wrong))


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the driver says into an error that says what to do, without hosts, paths or secrets."""
    try:
        yield
    except DBAPIError as error:
        raise explain(error.orig) from None


def explain(error: Any) -> UnavailableError:
    """Return the error for people."""
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return UnavailableError(_BY_STATE.get(state, f"the database failed with SQLSTATE {state}"))
    said = str(error)
    found = (advice for words, advice in _BY_WORDS.items() if words in said)
    return UnavailableError(next(found, _SILENT))


_SILENT = (
    "the database does not answer: see that it runs, and that host and port in its URL are right"
)
_NOT_LET_IN = (
    "the database refused the role: see that its password is in the password file or PGPASSFILE, "
    "and that pg_hba.conf lets it in"
)
_BY_STATE = {
    "42501": "the database's role lacks a right: run gateway database upgrade and grant as the owner",
    "42P01": "the schema is not there: run gateway database upgrade as the owner",
    "42704": "there is no such role: create it first",
    "55P03": "the database is busy: try again",
}
# An error while connecting brings words alone, and the server's may be translated.
_BY_WORDS = {
    "password": _NOT_LET_IN,
    "pg_hba.conf": _NOT_LET_IN,
    'database "': "the database refused: create the one that its URL names, or correct the URL",
    'role "': "the database refused: create the role that its URL names, or correct the URL",
    "certificate": "the database's certificate does not verify: see sslrootcert and sslmode in its URL",
    "SSL": "the database refused the connection's encryption: see sslmode in its URL",
    "invalid connection option": "the database URL has an option that is unknown: correct it",
}
