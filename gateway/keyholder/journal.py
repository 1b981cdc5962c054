"""What the keyholder remembers: used orders and what they were answered, recalls, directories, its ledger.

SQLite in the keyholder's own folder, every commit synced: an answer leaves only after it is remembered, so
that a crash neither loses a release nor has one answered twice in different words.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.kernel.errors import UnavailableError
from gateway.kernel.time import exact, exact_instant
from gateway.keyholder.judge import Accepted

FILE = "journal.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), note BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS directories (
  number INTEGER PRIMARY KEY, data BLOB NOT NULL, idx INTEGER NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS releases (share TEXT PRIMARY KEY, release TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wraps (
  share TEXT NOT NULL, item TEXT NOT NULL, n INTEGER NOT NULL, vault_header TEXT NOT NULL,
  recipient TEXT NOT NULL, suite TEXT NOT NULL, header BLOB NOT NULL, keys TEXT NOT NULL,
  at TEXT NOT NULL, PRIMARY KEY (share, item, n)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recalls (share TEXT PRIMARY KEY, idx INTEGER NOT NULL) WITHOUT ROWID;
"""
_APPEND_ONLY = ("directories", "releases", "wraps", "recalls")
_WRAP = "share, item, n, vault_header, recipient, suite, header, keys, at"


@dataclass(frozen=True, slots=True)
class Wrap:
    """One wrap that was answered, the *n*th of its item and share; *keys* are what it was wrapped to."""

    share: str
    item: str
    n: int
    vault_header: str
    recipient: str
    suite: str
    header: bytes
    keys: tuple[str, ...]
    at: datetime


class Journal:
    """The keyholder's memory. Not for several threads at once: its holder has a lock."""

    def __init__(self, folder: Path) -> None:
        # One connection for all threads, of which the holder lets in one at a time.
        self._conn = sqlite3.connect(
            folder / FILE, isolation_level=None, check_same_thread=False, timeout=5
        )
        (folder / FILE).chmod(0o600)
        self._conn.execute("PRAGMA journal_mode = WAL")
        self._conn.execute("PRAGMA synchronous = FULL")
        self._conn.executescript(_SCHEMA + "".join(_guard(table) for table in _APPEND_ONLY))

    def close(self) -> None:
        """Close the file."""
        self._conn.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make what is kept inside durable as one, or nothing of it. Raises UnavailableError."""
        try:
            self._conn.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            raise UnavailableError("the keyholder's journal cannot be written") from None
        try:
            yield
            self._conn.execute("COMMIT")
        except BaseException as error:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                message = "the keyholder's journal cannot be written"
                raise UnavailableError(message) from None
            raise

    def checkpoint(self) -> bytes | None:
        """Return the last checkpoint seen, as the note that was shown."""
        row = self._conn.execute("SELECT note FROM checkpoint").fetchone()
        return row[0] if row else None

    def see(self, note: bytes) -> None:
        """Remember a checkpoint instead of the last one."""
        self._conn.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?)", (note,))

    def directories(self) -> tuple[Accepted, ...]:
        """Return the directory sets accepted, oldest first, without their data."""
        rows = self._conn.execute("SELECT number, idx, at FROM directories ORDER BY number")
        return tuple(Accepted(number, idx, exact_instant(at)) for number, idx, at in rows)

    def directory(self, number: int) -> bytes:
        """Return the data of an accepted set. Raises LookupError."""
        query = "SELECT data FROM directories WHERE number = ?"
        row = self._conn.execute(query, (number,)).fetchone()
        if row is None:
            raise LookupError(number)
        return bytes(row[0])

    def accept(self, one: Accepted, data: bytes) -> None:
        """Keep a directory set."""
        row = (one.number, data, one.index, exact(one.at))
        self._conn.execute("INSERT INTO directories VALUES (?, ?, ?, ?)", row)

    def recalled(self, share: str) -> bool:
        """Tell whether a recall of this share was shown."""
        query = "SELECT 1 FROM recalls WHERE share = ?"
        return self._conn.execute(query, (share,)).fetchone() is not None

    def recall(self, share: str, index: int) -> None:
        """Keep that a share was recalled, for ever."""
        self._conn.execute("INSERT OR IGNORE INTO recalls VALUES (?, ?)", (share, index))

    def last_recall(self) -> int:
        """Return the highest place in the ledger of a recall shown, or -1."""
        return int(self._conn.execute("SELECT coalesce(max(idx), -1) FROM recalls").fetchone()[0])

    def released_by(self, share: str) -> str | None:
        """Return the digest of the order by which a share's items were wrapped, if any were."""
        query = "SELECT release FROM releases WHERE share = ?"
        row = self._conn.execute(query, (share,)).fetchone()
        return row[0] if row else None

    def release(self, share: str, digest: str) -> None:
        """Keep by which order a share is wrapped."""
        self._conn.execute("INSERT OR IGNORE INTO releases VALUES (?, ?)", (share, digest))

    def wrapped(self, share: str, item: str, *, first: bool = False) -> Wrap | None:
        """Return the newest wrap of an item for a share, or the *first*; None if it never was."""
        order = "ASC" if first else "DESC"
        query = f"SELECT {_WRAP} FROM wraps WHERE share = ? AND item = ? ORDER BY n {order} LIMIT 1"  # noqa: S608 - of our own words alone
        row = self._conn.execute(query, (share, item)).fetchone()
        if row is None:
            return None
        _, _, n, vault_header, recipient, suite, header, keys, at = row
        return Wrap(
            share,
            item,
            n,
            vault_header,
            recipient,
            suite,
            header,
            tuple(keys.split()),
            exact_instant(at),
        )

    def keep(self, made: Iterable[Wrap]) -> None:
        """Keep wraps before they are answered."""
        rows = (
            (
                one.share,
                one.item,
                one.n,
                one.vault_header,
                one.recipient,
                one.suite,
                one.header,
                " ".join(one.keys),
                exact(one.at),
            )
            for one in made
        )
        self._conn.executemany("INSERT INTO wraps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _guard(table: str) -> str:
    return "".join(
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
        for verb in ("UPDATE", "DELETE")
    )
