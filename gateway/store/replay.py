"""Tokens spent by reads: a small store without full syncs, which knows when it may have forgotten.

On SQLite a second file, synchronous=NORMAL: a crash of the program loses nothing, one of the machine
may. It holds the kernel's boot id; when that differs or the file is new, tokens issued before the
recovery (plus leeway) are refused. On PostgreSQL an UNLOGGED table with a generation row: the row is
gone exactly when the server has forgotten. A migration makes both, since the server's role may be one
that makes no tables.
"""

import itertools
import sqlite3
import threading
from pathlib import Path
from typing import Protocol

from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, Table, Text, text

from gateway.exchange.tokens import LEEWAY
from gateway.kernel.errors import UnavailableError

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PURGE_EVERY = 1000  # tokens

unlogged = MetaData()
"""The tables of PostgreSQL alone that a crash of the server empties."""

Table("read_boot", unlogged, Column("recovered", BigInteger), prefixes=["UNLOGGED"])
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
                self._db.execute("DELETE FROM jti WHERE exp < ?", (now - LEEWAY,))
            sql = "INSERT INTO jti VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            return self._db.execute(sql, (actor, token_id, expires)).rowcount == 1

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
            early = _early(issued, recovered, now)
            if early is None:
                if next(self._spent) % _PURGE_EVERY == 0:
                    gone = {"before": now - LEEWAY}
                    conn.execute(text("DELETE FROM read_jti WHERE exp < :before"), gone)
                values = {"actor": actor, "jti": token_id, "exp": expires}
                return conn.execute(text(_SPEND), values).first() is not None
        raise early  # after the commit, or each refusal would undo and put off the recovery

    def close(self) -> None:
        """Nothing to close."""


_SPEND = "INSERT INTO read_jti VALUES (:actor, :jti, :exp) ON CONFLICT DO NOTHING RETURNING 1"


def _recovered(conn: Connection, now: int) -> int:
    """Return since when nothing was forgotten: since now, if the server crashed under us."""
    recovered = conn.execute(text("SELECT max(recovered) FROM read_boot")).scalar()
    if recovered is None:
        conn.execute(text("INSERT INTO read_boot VALUES (:now)"), {"now": now})
        return now
    return int(recovered)
