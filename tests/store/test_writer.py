"""The one writer: all of a job or nothing of it, and never a forked tree."""

import threading
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import select, text

from gateway.kernel.errors import ConflictError, UnavailableError
from gateway.store import tables
from gateway.store import writer as module
from gateway.store.writer import Transaction, Writer
from tests.store.tools import Store, entry, failing_commit


def _hold(store: Store) -> tuple[threading.Event, "Future[Any]"]:
    """Keep the writer busy until the event is set."""
    begun, go = threading.Event(), threading.Event()

    def job(tx: Transaction) -> None:
        begun.set()
        assert go.wait(10)

    held = store.writer.submit(job)
    assert begun.wait(10)
    return go, held


def test_entries_that_wait_together_share_a_transaction(store: Store) -> None:
    commits: list[int] = []
    store.writer.on_commit(lambda: commits.append(store.size()))
    go, _ = _hold(store)
    waiting = [store.writer.submit(entry, entries_only=True) for _ in range(10)]
    last = store.writer.submit(entry)
    after = store.writer.submit(entry, entries_only=True)
    go.set()
    names = [future.result(10) for future in (*waiting, last, after)]
    assert len(set(names)) == 12
    store.writer.run(lambda tx: None)
    assert commits[:4] == [0, 10, 11, 12]
    store.check()


def test_a_job_that_raises_rolls_back_everything(store: Store) -> None:
    store.add(3)

    def job(tx: Transaction) -> None:
        entry(tx)
        tx.conn.execute(text("INSERT INTO setting VALUES ('half', 'x')"))
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        store.writer.run(job)
    with store.reading.connect() as conn:
        assert conn.execute(select(tables.setting)).first() is None
    assert store.size() == 3
    store.add()
    assert len(store.check()) == 5


@pytest.mark.parametrize("after", [False, True])
def test_a_failed_commit_never_forks_the_tree(store: Store, after: bool) -> None:
    store.add(300)
    mend = failing_commit(store.writing, after=after)
    with pytest.raises(UnavailableError, match="the database failed"):
        store.add(5)
    mend()
    assert store.size() == 300 + 5 * after
    store.add(300)
    assert len(store.check()) == 601 + 5 * after


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257])
def test_a_new_writer_goes_on_from_any_edge(store: Store, size: int) -> None:
    if size:
        store.add(size)
    other = Store(store.writing, store.reading, store.log, Writer(store.writing, store.log))
    other.writer.start()
    other.add(2)
    other.writer.stop()
    assert len(store.check()) == size + 3


def test_another_writers_entries_are_never_forked(store: Store) -> None:
    store.add(3)
    other = Store(store.writing, store.reading, store.log, Writer(store.writing, store.log))
    other.writer.start()
    other.add(2)
    other.writer.stop()
    with pytest.raises(UnavailableError):
        store.add()
    assert store.size() == 5
    store.add()
    assert len(store.check()) == 7


def test_a_moved_head_is_refused(store: Store) -> None:
    store.add(3)
    with store.writing.begin() as conn:
        conn.execute(text("UPDATE heads SET size = 4"))
    with pytest.raises(UnavailableError, match="grew past 3 under another writer"):
        store.add()
    with store.reading.connect() as conn:
        assert len(list(conn.execute(select(tables.entries.c.idx)))) == 3


def test_a_full_queue_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_QUEUE", 2)
    small = Store(store.writing, store.reading, store.log, Writer(store.writing, store.log))
    small.writer.start()
    go, _ = _hold(small)
    waiting = [small.writer.submit(entry) for _ in range(2)]
    with pytest.raises(UnavailableError, match="too much is waiting"):
        small.writer.submit(entry)
    go.set()
    assert len({future.result(10) for future in waiting}) == 2
    small.writer.stop()
    assert len(store.check()) == 3


def test_what_is_queued_is_finished_at_the_end(store: Store) -> None:
    go, _ = _hold(store)
    waiting = [store.writer.submit(entry, entries_only=bool(n % 2)) for n in range(9)]
    go.set()
    store.writer.stop()
    assert all(future.done() for future in waiting)
    assert store.size() == 9
    store.writer = Writer(store.writing, store.log)
    store.writer.start()
