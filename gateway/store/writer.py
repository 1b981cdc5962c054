"""The one writer: a thread that commits jobs from a queue, ledger entries and state in one transaction.

Nobody is answered before COMMIT has returned. On any exception the transaction is rolled back and the
in-memory tree edge thrown away, because an edge ahead of the database is how logs fork. Jobs that
only add entries share a transaction, by draining the queue; a workflow has one of its own.

A new connection may lead to another database than the last one: a standby that was promoted too early,
or a backup. So the tree is then loaded anew, and must still hold what was last acknowledged.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from gateway.exchange.entries import RECIPIENT_SLOTS, SHOWN, Entry
from gateway.kernel.errors import QuarantinedError, UnavailableError
from gateway.kernel.ids import id_bytes, new_id
from gateway.kernel.signing import Signer
from gateway.ledger import Checkpoint, Edge, commit, encode_openings, new_key, only, seal
from gateway.store import ledger, shown

_log = structlog.get_logger()
T = TypeVar("T")
MECHANISM = "mechanism"
"""The audience of the mechanism's own compliance officers."""

_MAX_QUEUE = 4096  # jobs; more are refused rather than buffered
_MAX_BATCH = 1024  # entry-only jobs in one transaction
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Log:
    """The log's identity: origin, checkpoint key, and the key that wraps opening keys at rest."""

    origin: str
    signer: Signer
    audience_key: bytes


class Transaction:
    """One transaction: a connection, and the entries that will be integrated at its end."""

    def __init__(self, conn: Connection, log: Log) -> None:
        self.conn = conn
        self._log = log
        self.leaves: list[tuple[str, bytes]] = []
        self.sealed: list[ledger.SealedOpening] = []

    def record(self, entry: Entry) -> str:
        """Add an entry; return its id. It has its index when the transaction commits."""
        eid = new_id("ent")
        hour = int(entry.at.timestamp()) // _SECONDS_PER_HOUR
        leaf, openings = commit(id_bytes(eid, "ent"), hour, entry.values())
        self.leaves.append((eid, leaf))
        self._seal(eid, MECHANISM, encode_openings(openings))
        if entry.order is not None and entry.kind in SHOWN:
            shown.keep_order(self.conn, entry.order, entry.kind, eid)
        if entry.recipient is not None:
            self._seal(eid, entry.recipient, encode_openings(only(openings, RECIPIENT_SLOTS)))
        return eid

    def _seal(self, eid: str, audience: str, data: bytes) -> None:
        key = new_key()
        wrapped = seal(key, self._log.audience_key)
        self.sealed.append(ledger.SealedOpening(eid, audience, seal(data, key), wrapped))


@dataclass(slots=True)
class _Queued:
    job: Callable[[Transaction], Any]
    future: Future[Any]
    entries_only: bool


class Writer:
    """Runs jobs one after another on a thread of its own."""

    def __init__(self, engine: Engine, log: Log) -> None:
        self._engine = engine
        self._log = log
        self._queue: queue.Queue[_Queued | None] = queue.Queue(_MAX_QUEUE)
        self._edge: Edge | None = None  # the tree as committed, or None: load it
        self._pending: Edge | None = None  # the tree as this transaction would leave it
        self._next: _Queued | None = None
        self.connections = 0
        """How often the database was connected to anew, because it had gone away."""
        self._known: tuple[int, bytes] | None = None  # the last head that was acknowledged
        self._hooks: list[Callable[[], None]] = []
        self._loss_hooks: list[Callable[[str], None]] = []
        event.listen(engine, "connect", self._forget)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end."""
        self._queue.put(None)
        self._thread.join()

    def on_commit(self, hook: Callable[[], None]) -> None:
        """Call *hook* on the writer's thread after each commit: to wake those who wait."""
        self._hooks.append(hook)

    def on_loss(self, hook: Callable[[str], None]) -> None:
        """Call *hook* with the reason if the database turns out to have lost what was acknowledged."""
        self._loss_hooks.append(hook)

    def submit(self, job: Callable[[Transaction], T], *, entries_only: bool = False) -> Future[T]:
        """Queue a job: SQL only, a few milliseconds. Its future has the result once it is durable.

        What a job returns is its answer, a refusal included; what it raises rolls everything back.

        Raises UnavailableError if the queue is full.
        """
        future: Future[T] = Future()
        try:
            self._queue.put_nowait(_Queued(job, future, entries_only))
        except queue.Full:
            raise UnavailableError("too much is waiting to be written; try again") from None
        return future

    def run(self, job: Callable[[Transaction], T], *, entries_only: bool = False) -> T:
        """Queue a job and wait for it. Not for the event loop."""
        return self.submit(job, entries_only=entries_only).result()

    def _run(self) -> None:
        while (first := self._next or self._queue.get()) is not None:
            self._next = None
            self._commit(self._batch(first))

    def _batch(self, first: _Queued) -> list[_Queued]:
        """Take more entry-only jobs along, as long as nothing else stands before them."""
        batch = [first]
        while first.entries_only and len(batch) < _MAX_BATCH:
            try:
                queued = self._queue.get_nowait()
            except queue.Empty:
                break
            if queued is None or not queued.entries_only:
                self._next = queued
                if queued is None:
                    self._queue.put(None)
                break
            batch.append(queued)
        return batch

    def _commit(self, batch: list[_Queued]) -> None:
        try:
            with self._engine.begin() as conn:
                tx = Transaction(conn, self._log)
                self._edge = self._edge or self._load(conn)
                results = [queued.job(tx) for queued in batch]
                self._integrate(tx)
        except BaseException as error:  # whatever it was, its caller must hear of it
            self._edge = self._pending = None
            self._fail(batch, error)
            return
        if self._pending is not None:
            self._edge, self._pending = self._pending, None
            self._known = self._edge.size, self._edge.root()
        for queued, result in zip(batch, results, strict=True):
            queued.future.set_result(result)
        for hook in self._hooks:
            try:
                hook()
            except Exception as error:  # the writer outlives whoever wanted to be woken
                _log.error("hook_failed", defect=type(error).__name__)

    def _fail(self, batch: list[_Queued], error: BaseException) -> None:
        if isinstance(error, DBAPIError):
            error = UnavailableError("the database failed; nothing was done, try again")
        for queued in batch:
            queued.future.set_exception(error)

    def _integrate(self, tx: Transaction) -> None:
        if not tx.leaves:
            return
        # An edge is changed in place, so it is out of reach until COMMIT has returned.
        edge, self._edge = self._edge or self._load(tx.conn), None
        ledger.append(tx.conn, edge, tx.leaves)
        ledger.keep_openings(tx.conn, tx.sealed)
        signed = Checkpoint(self._log.origin, edge.size, edge.root()).sign(self._log.signer)
        ledger.keep_checkpoint(tx.conn, edge.size, signed)
        self._pending = edge

    def _forget(self, _raw: object, _record: object) -> None:
        """Throw the tree away: a new connection is made on the writer's thread, before its work."""
        self._edge = None
        self.connections += 1

    def _load(self, conn: Connection) -> Edge:
        """Load the tree. Raises QuarantinedError if it is not the one that was acknowledged, grown."""
        edge = ledger.load_edge(conn)
        if self._known is not None:
            size, root = self._known
            if edge.size < size or (size and ledger.root_at(conn, size) != root):
                reason = f"the database came back without the {size} entries it had acknowledged"
                for hook in self._loss_hooks:
                    hook(reason)
                raise QuarantinedError(f"read-only quarantine: {reason}")
        self._known = edge.size, edge.root()
        return edge
