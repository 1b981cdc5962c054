"""The place of the one server that writes to a database.

On SQLite a file's lock, which dies with the process alone. On PostgreSQL an advisory lock held by the
very session that writes: a write without the lock cannot be, for when the session is lost, the lock
is, and the next session takes it before anything else. A lock on a session of its own would be lost
unseen when the database restarts, while another server took it.
"""

import fcntl
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, event, insert

from gateway.kernel.errors import UnavailableError
from gateway.store.postgres import MAKE_DURABLE, SETTINGS, refuse
from gateway.store.tables import setting

_LOCK = 0x65766964  # "evid"
_NAME = "server"
_BUSY = "55P03"  # lock_not_available


class Place:
    """The place on a PostgreSQL database, for as long as one process lives.

    *displaced* is called once another server has taken it: this one knows nothing of what that did,
    so it never writes again.
    """

    def __init__(self, engine: Engine, displaced: Callable[[], None]) -> None:
        self._engine = engine
        self._displaced = displaced
        self._mark: bytes | None = None

    def claim(self) -> None:
        """Leave a mark in the database by which this process knows whether it was the last to write."""
        mark = secrets.token_bytes(16)
        with self._engine.begin() as conn:
            conn.execute(delete(setting).where(setting.c.name == _NAME))
            conn.execute(insert(setting).values(name=_NAME, value=mark))
        self._mark = mark

    def open(self, dialect: Any, _record: object, args: Any, parameters: Any) -> Any:
        """Open the session that writes, with the lock. Raises UnavailableError if that is held."""
        raw = dialect.connect(*args, **parameters)
        try:
            with raw.cursor() as cursor:
                _lock(cursor, dialect.loaded_dbapi.Error)
                self._check_mark(cursor)
                # The server that came back may be another than the one that went away.
                cursor.execute(MAKE_DURABLE)
                refuse(dict(cursor.execute(SETTINGS).fetchall()))
            raw.commit()
        except BaseException:
            raw.close()
            raise
        return raw

    def _check_mark(self, cursor: Any) -> None:
        if self._mark is None:
            return
        cursor.execute("SELECT value FROM setting WHERE name = %s", (_NAME,))
        row = cursor.fetchone()
        if row is None or bytes(row[0]) != self._mark:
            self._displaced()
            raise UnavailableError(DISPLACED)


DISPLACED = (
    "another gateway server took over the database: this one has stopped, start it anew if it shall"
)


def _lock(cursor: Any, failed: type[Exception]) -> None:
    # The server too gives up a client that is gone without a word, or its lock would outlive it.
    for name, value in (("idle", "10"), ("interval", "5"), ("count", "3")):
        cursor.execute(f"SET tcp_keepalives_{name} = {value}")
    # A process that was killed a moment ago lets go of the lock only when its session has ended.
    cursor.execute("SET lock_timeout = '1s'")
    try:
        cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    except failed as error:
        if getattr(error, "sqlstate", None) != _BUSY:
            raise
        raise _taken() from None
    cursor.execute("RESET lock_timeout")


def _taken() -> UnavailableError:
    return UnavailableError("another gateway server already runs on this database: stop it first")


@contextmanager
def only_server(engine: Engine, displaced: Callable[[], None]) -> Iterator[Place | None]:
    """Hold the one place of the server on the database of the writer's *engine*.

    Raises UnavailableError if it is taken.
    """
    if engine.dialect.name == "sqlite":
        with _file_lock(Path(str(engine.url.database) + ".lock")):
            yield None
        return
    place = Place(engine, displaced)
    engine.dispose()  # a session from before has no lock
    event.listen(engine, "do_connect", place.open)
    try:
        with engine.connect():
            pass
        yield place
    finally:
        event.remove(engine, "do_connect", place.open)
        engine.dispose()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _taken() from None
        yield
