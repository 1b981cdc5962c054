"""One figure beside its peer, and how it is printed."""

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """What was measured, in *unit*, beside *peer*; the ratio is ours over the peer's."""

    name: str
    ours: float
    unit: str
    peer: str
    theirs: float

    @property
    def ratio(self) -> float:
        """Ours over the peer's."""
        return self.ours / self.theirs

    def line(self) -> str:
        """Return the figure as a line of the table."""
        return (
            f"{self.name:<44}{self.ours:>12,.1f} {self.unit:<16}"
            f"{self.peer:<34}{self.theirs:>12,.1f}   ratio {self.ratio:.3g}"
        )


@dataclass(frozen=True)
class Absent:
    """A figure that cannot be had here, and why."""

    name: str
    why: str

    def line(self) -> str:
        """Return a line of the table."""
        return f"{self.name:<44}not measured: {self.why}"


@dataclass(frozen=True)
class Plan:
    """How much is done: a full run, or a quick one that only shows that all of it works."""

    repeat: int
    sealed: int  # bytes of the input that is sealed and opened
    fanned: int  # bytes of the body that goes to many
    recipients: int
    entries: int  # per round and number of writers
    requests: int  # per round
    rounds: int  # of requests
    packages: int  # that are shared with each authority
    authorities: int
    decisions: int  # per round
    deposited: int  # bytes of the file that is deposited
    deposits: int  # times that it is
    streamed: int  # bytes that go through memory


FULL = Plan(
    repeat=5,
    sealed=256_000_000,
    fanned=64_000_000,
    recipients=200,
    entries=1024,
    requests=150,
    rounds=21,
    packages=12,
    authorities=17,
    decisions=1000,
    deposited=4 << 30,
    deposits=2,
    streamed=20 << 30,
)
QUICK = Plan(
    repeat=1,
    sealed=8_000_000,
    fanned=4_000_000,
    recipients=20,
    entries=256,
    requests=40,
    rounds=2,
    packages=1,
    authorities=3,
    decisions=50,
    deposited=24 << 20,
    deposits=1,
    streamed=64 << 20,
)


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that *percent* of a hundred values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def wall(work: Callable[[], object]) -> float:
    """Return the seconds that *work* takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds that this process spends on *work*."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def sync_seconds(folder: Path, times: int) -> float:
    """Return the median time of appending 4 KiB and syncing."""
    block, handle = os.urandom(4096), os.open(folder / "synced", os.O_WRONLY | os.O_CREAT, 0o600)

    def append() -> None:
        os.write(handle, block)
        os.fsync(handle)

    try:
        return median([wall(append) for _ in range(times)])
    finally:
        os.close(handle)
