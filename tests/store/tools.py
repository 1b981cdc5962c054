"""What tests of the stores share: a ledger with its writer, and the checks that the tree is whole."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from gateway.exchange.entries import Entry, Kind
from gateway.ledger import Edge, Verifier, leaf_hash, open_checkpoint
from gateway.store import ledger
from gateway.store.writer import Log, Transaction, Writer

NOW = datetime(2026, 11, 23, 16, 18, tzinfo=UTC)


@dataclass
class Store:
    """Both engines, the log's identity, and a writer."""

    writing: Engine
    reading: Engine
    log: Log
    writer: Writer

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.log.origin, self.log.signer.public_key)

    def add(self, count: int = 1, recipient: str | None = None) -> list[str]:
        """Write *count* entries in one transaction; return their ids."""
        return self.writer.run(lambda tx: [entry(tx, recipient) for _ in range(count)])

    def size(self) -> int:
        with self.reading.connect() as conn:
            return ledger.head(conn)[0]

    def check(self) -> list[bytes]:
        """Rebuild the tree from the entries; return the root of every size."""
        edge, roots = Edge(), [Edge().root()]
        with self.reading.connect() as conn:
            size, root = ledger.head(conn)
            rows = ledger.page(conn, 0, 1 << 20)
            note = ledger.checkpoint(conn)
        for n, row in enumerate(rows):
            assert row.index == n
            edge.append(leaf_hash(row.leaf))
            roots.append(edge.root())
        assert (edge.size, edge.root()) == (size, root)
        if size:
            assert note is not None
            signed = open_checkpoint(note, self.verifier)
            assert (signed.size, signed.root) == (size, root)
        return roots


def entry(tx: Transaction, recipient: str | None = None) -> str:
    """Record an entry that says little."""
    return tx.record(Entry(kind=Kind.REFUSED, at=NOW, actor="psn_a", recipient=recipient))


def failing_commit(engine: Engine, *, after: bool) -> Callable[[], None]:
    """Let the next COMMIT fail, before it was done or *after*; return what mends it."""
    commit = engine.dialect.do_commit
    error = engine.dialect.loaded_dbapi.OperationalError

    def fail(connection: Any) -> None:
        if after:
            commit(connection)
        raise error("the connection is gone")

    setattr(engine.dialect, "do_commit", fail)
    return lambda: setattr(engine.dialect, "do_commit", commit)
