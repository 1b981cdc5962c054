"""Durable ledger entries per second, beside what the disk's own sync allows."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.exchange.entries import Entry, Kind
from gateway.kernel.ids import new_id
from gateway.kernel.signing import KeySigner
from gateway.store.engine import connect, upgrade
from gateway.store.writer import Log, Writer
from tests.benchmarks.figures import Absent, Figure, Plan, median, sync_seconds, wall
from tests.world import POSTGRES, database

WRITERS = (1, 16, 256)


def _entry() -> Entry:
    return Entry(
        kind=Kind.RANGE_AUTHORISED,
        at=datetime.now(UTC),
        actor=new_id("svc"),
        order=secrets.token_hex(32),
        subject=new_id("shr"),
        recipient=new_id("pty"),
        decision=secrets.token_hex(32),
        content={"n": 0, "first": 0, "end": 1 << 20},
    )


@contextmanager
def _writer(url: str) -> Iterator[Writer]:
    engine = connect(url, writer=True)
    try:
        upgrade(engine)
        key = KeySigner.generate()
        writer = Writer(engine, Log("bench.example/ledger", key, secrets.token_bytes(32)))
        writer.start()
        yield writer
        writer.stop()
    finally:
        engine.dispose()


def _rate(writer: Writer, writers: int, count: int) -> float:
    """Return entries per second of *writers* threads, each waiting until its entry is durable."""

    def one(_: int) -> None:
        for _ in range(max(1, count // writers)):
            entry = _entry()
            writer.submit(lambda tx: tx.record(entry), entries_only=True).result()

    with ThreadPoolExecutor(writers) as pool:
        seconds = wall(lambda: list(pool.map(one, range(writers))))
    return max(1, count // writers) * writers / seconds


def ledger(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Entries per second on each database there is."""
    yield from _on("sqlite", f"sqlite:///{folder / 'bench.db'}", plan, folder)
    if not POSTGRES:
        yield Absent("ledger entries, postgresql", "GATEWAY_POSTGRES is not set")
        return
    with database("postgresql") as url:
        yield from _on("postgresql", str(url), plan, folder)


def _on(kind: str, url: str, plan: Plan, folder: Path) -> Iterator[Figure]:
    synced: list[float] = []
    rates: dict[int, list[float]] = {writers: [] for writers in WRITERS}
    with _writer(url) as writer:
        for _ in range(plan.repeat):
            synced.append(sync_seconds(folder, 50))
            for writers, found in rates.items():
                found.append(_rate(writer, writers, plan.entries))
    for writers, found in rates.items():
        name = f"ledger entries, {kind}, {writers} at once"
        yield Figure(name, median(found), "entries/s", "append 4 KiB + fsync", 1 / median(synced))
