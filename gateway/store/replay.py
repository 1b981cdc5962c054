"""Tokens spent by reads: a small store without full syncs, which knows when it may have forgotten.

On SQLite a second file, synchronous=NORMAL: a crash of the program loses nothing, one of the machine
may. It holds the kernel's boot id; when that differs or the file is new, tokens issued before the
recovery (plus leeway) are refused. On PostgreSQL an UNLOGGED table with a generation row: the row is
gone exactly when the server has forgotten.

Expired tokens are forgotten on purpose, and how late the latest of them held is kept: should the clock be
set back, they would pass for fresh ones, and are refused by that.
"""

import itertools
import sqlite3
import threading
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text

from gateway.exchange.tokens import LEEWAY
from gateway.kernel.errors import UnavailableError

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PURGE_EVERY = 1000  # tokens


class Replay(Protocol):
    """Spends tokens. Two implementations, for the two databases."""

    def spend(self, actor: str, token_id: str, *, issued: int, expires: int, now: int) -> bool:
        """Spend a token; False if it was spent. Raises UnavailableError for one from before a loss."""
        ...

    def first_start(self) -> None:
        """Say that no token can have been spent before: the gateway is new."""
        ...

    def close(self) -> None:
        """Let go of the file, if there is one."""
        ...


def _early(issued: int, recovered: int, now: int) -> UnavailableError | None:
    safe = recovered + LEEWAY
    if issued >= safe:
        return None
    wait = max(1, safe - now)
    return UnavailableError("the gateway has just recovered; sign a new token", retry_after=wait)


def _set_back(expires: int, forgotten: int) -> UnavailableError | None:
    if expires > forgotten:
        return None
    wait = forgotten - expires + 1
    return UnavailableError("the gateway's clock was set back; sign a new token", retry_after=wait)


class FileReplay:
    """The store beside a SQLite database."""

    def __init__(self, path: Path, now: int, boot_id: str | None = None) -> None:
        boot = boot_id if boot_id is not None else _BOOT.read_text().strip()
        self._lock = threading.Lock()
        self._spent = 0
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS boot (id TEXT, recovered INTEGER)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS jti (actor TEXT, jti TEXT, exp INTEGER, "
            "PRIMARY KEY (actor, jti)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS forgotten (exp INTEGER)")
        self._forgotten = int(
            self._db.execute("SELECT coalesce(max(exp), 0) FROM forgotten").fetchone()[0]
        )
        self.recovered = self._recover(boot, now)

    def _recover(self, boot: str, now: int) -> int:
        row = self._db.execute("SELECT id, recovered FROM boot").fetchone()
        if row is not None and row[0] == boot:
            return int(row[1])
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM boot")
            self._db.execute("INSERT INTO boot VALUES (?, ?)", (boot, now))
            self._db.execute("COMMIT")
        return now

    def first_start(self) -> None:
        """Say that no token can have been spent before: the gateway is new."""
        with self._lock:
            self._db.execute("UPDATE boot SET recovered = 0")
        self.recovered = 0

    def spend(self, actor: str, token_id: str, *, issued: int, expires: int, now: int) -> bool:
        """Spend a token."""
        early = _early(issued, self.recovered, now)
        if early is not None:
            raise early
        with self._lock:
            self._spent += 1
            if self._spent % _PURGE_EVERY == 0:
                self._purge(now - LEEWAY)
            back = _set_back(expires, self._forgotten)
            if back is not None:
                raise back
            sql = "INSERT INTO jti VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            return self._db.execute(sql, (actor, token_id, expires)).rowcount == 1

    def _purge(self, before: int) -> None:
        query = "SELECT max(exp) FROM jti WHERE exp < ?"
        (latest,) = self._db.execute(query, (before,)).fetchone()
        if latest is None:
            return
        self._forgotten = max(self._forgotten, latest)
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM forgotten")
        self._db.execute("INSERT INTO forgotten VALUES (?)", (self._forgotten,))
        self._db.execute("DELETE FROM jti WHERE exp < ?", (before,))
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class PostgresReplay:
    """The UNLOGGED tables of a PostgreSQL database."""

    def __init__(self, engine: Engine, now: int) -> None:
        # Under a snapshot, a token that another request spends meanwhile would be an error, not a no.
        self._engine = engine = engine.execution_options(isolation_level="READ COMMITTED")
        self._spent = itertools.count(1)
        with engine.begin() as conn:
            conn.execute(text("CREATE UNLOGGED TABLE IF NOT EXISTS read_boot (recovered BIGINT)"))
            conn.execute(
                text(
                    "CREATE UNLOGGED TABLE IF NOT EXISTS read_jti "
                    "(actor TEXT, jti TEXT, exp BIGINT, PRIMARY KEY (actor, jti))"
                )
            )
            conn.execute(text("CREATE UNLOGGED TABLE IF NOT EXISTS read_forgotten (exp BIGINT)"))
            if conn.execute(text("SELECT recovered FROM read_boot")).first() is None:
                conn.execute(text("INSERT INTO read_boot VALUES (:now)"), {"now": now})

    def first_start(self) -> None:
        """Say that no token can have been spent before: the gateway is new."""
        with self._engine.begin() as conn:
            conn.execute(text("UPDATE read_boot SET recovered = 0"))

    def spend(self, actor: str, token_id: str, *, issued: int, expires: int, now: int) -> bool:
        """Spend a token."""
        with self._engine.begin() as conn:
            recovered = _recovered(conn, now)
            refusal = _early(issued, recovered, now)
            if refusal is None:
                if next(self._spent) % _PURGE_EVERY == 0:
                    conn.execute(text(_PURGE), {"before": now - LEEWAY})
                refusal = _set_back(expires, conn.execute(text(_FORGOTTEN)).scalar() or 0)
            if refusal is None:
                values = {"actor": actor, "jti": token_id, "exp": expires}
                return conn.execute(text(_SPEND), values).first() is not None
        raise refusal  # after the commit, or each refusal would undo and put off the recovery

    def close(self) -> None:
        """Nothing to close."""


_SPEND = "INSERT INTO read_jti VALUES (:actor, :jti, :exp) ON CONFLICT DO NOTHING RETURNING 1"

_FORGOTTEN = "SELECT max(exp) FROM read_forgotten"
_PURGE = (
    "WITH gone AS (DELETE FROM read_jti WHERE exp < :before RETURNING exp) "
    "INSERT INTO read_forgotten SELECT max(exp) FROM gone HAVING max(exp) IS NOT NULL"
)


def _recovered(conn: Connection, now: int) -> int:
    """Return since when nothing was forgotten: since now, if the server crashed under us."""
    recovered = conn.execute(text("SELECT max(recovered) FROM read_boot")).scalar()
    if recovered is None:
        conn.execute(text("INSERT INTO read_boot VALUES (:now)"), {"now": now})
        return now
    return int(recovered)
