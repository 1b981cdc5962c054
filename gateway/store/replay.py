"""Tokens spent by reads: a small store without full syncs, which knows when it may have forgotten.

On SQLite a second file, synchronous=NORMAL: a crash of the program loses nothing, one of the machine
may. It holds the kernel's boot id; when that differs or the file is new, tokens issued before the
recovery (plus leeway) are refused. On PostgreSQL an UNLOGGED table with a generation row: the row is
gone exactly when the server has forgotten. A migration makes them, since the server's role may be one
that makes no tables.

Expired tokens are forgotten on purpose, and how late the latest of them held is kept: should the clock be
set back, they would pass for fresh ones, and are refused by that.
"""

import itertools
import sqlite3
import threading
from pathlib import Path
from typing import Protocol

from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, Text, text

from gateway.exchange.tokens import LEEWAY
from gateway.kernel.errors import UnavailableError

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PURGE_EVERY = 1000  # tokens
_WAL_PAGES = (
    4000  # 16 MiB: the syncs when the log is folded in are what a spent token waits for most
)

unlogged = MetaData()
"""The tables of PostgreSQL alone that a crash of the server empties."""

Table("read_boot", unlogged, Column("recovered", BigInteger), prefixes=["UNLOGGED"])
Table("read_forgotten", unlogged, Column("exp", BigInteger), prefixes=["UNLOGGED"])
Table(
    "read_jti",
    unlogged,
    Column("actor", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("exp", BigInteger),
    prefixes=["UNLOGGED"],
)


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
        self._db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
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
    """The UNLOGGED tables of a PostgreSQL database, through an engine whose statements stand alone.

    Under a snapshot, a token that another request spends meanwhile would be an error, not a no.
    """

    def __init__(self, single: Engine, now: int) -> None:
        self._engine = single
        self._spent = itertools.count(1)
        with single.connect() as conn:
            if conn.execute(text("SELECT recovered FROM read_boot")).first() is None:
                conn.execute(_RECOVERED, {"now": now})

    def first_start(self) -> None:
        """Say that no token can have been spent before: the gateway is new."""
        with self._engine.connect() as conn:
            conn.execute(text("UPDATE read_boot SET recovered = 0"))

    def spend(self, actor: str, token_id: str, *, issued: int, expires: int, now: int) -> bool:
        """Spend a token."""
        values = {"actor": actor, "jti": token_id, "exp": expires, "safe": issued - LEEWAY}
        with self._engine.connect() as conn:
            if next(self._spent) % _PURGE_EVERY == 0:
                conn.execute(_PURGE, {"before": now - LEEWAY})
            recovered, forgotten, fresh = conn.execute(_SPEND, values).one()
            if recovered is None:  # the server crashed under us: since now nothing was forgotten
                conn.execute(_RECOVERED, {"now": now})
                recovered = now
        refusal = _early(issued, recovered, now) or _set_back(expires, forgotten)
        if refusal is not None:
            raise refusal
        return bool(fresh)

    def close(self) -> None:
        """Nothing to close."""


_RECOVERED = text("INSERT INTO read_boot VALUES (:now)")
_PURGE = text(
    "WITH gone AS (DELETE FROM read_jti WHERE exp < :before RETURNING exp) "
    "INSERT INTO read_forgotten SELECT max(exp) FROM gone HAVING max(exp) IS NOT NULL"
)
# One statement, and so one answer: what was spent counts only while the generation row is there.
_SPEND = text(
    "WITH boot AS (SELECT max(recovered) AS at FROM read_boot), "
    "old AS (SELECT coalesce(max(exp), 0) AS exp FROM read_forgotten), "
    "spent AS (INSERT INTO read_jti SELECT :actor, :jti, CAST(:exp AS BIGINT) FROM boot, old "
    "WHERE boot.at <= :safe AND CAST(:exp AS BIGINT) > old.exp ON CONFLICT DO NOTHING RETURNING 1) "
    "SELECT boot.at, old.exp, EXISTS (SELECT FROM spent) FROM boot, old"
)
