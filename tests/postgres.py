"""Private PostgreSQL clusters: made for a test, crashed as it likes, gone afterwards."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.world import free_port

_PROGRAMS = Path("/usr/lib/postgresql")
_USER = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root


def _programs() -> Path:
    found = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found:
        pytest.skip("PostgreSQL: its programs are not installed here")
    return found[-1].parent


@dataclass
class Cluster:
    """A PostgreSQL server of our own. Everyone on this machine is let in as anyone."""

    folder: Path
    programs: Path
    port: int = field(default_factory=free_port)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, role: str = "postgres", database: str = "postgres") -> str:
        return f"postgresql+psycopg://{role}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """Make it; it does not run yet."""
        self._run(
            "initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"
        )

    def start(self, **settings: str) -> None:
        """Start it and wait until it answers, after whatever recovery."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        options += "".join(f" -c {name}={value}" for name, value in settings.items())
        log = str(self.folder / "log")
        self._run(
            "pg_ctl", "-D", str(self.data), "-l", log, "-w", "-t", "60", "-o", options, "start"
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop it; *immediate* is a crash without a checkpoint."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def reload(self) -> None:
        """Let it read its files again."""
        self._run("pg_ctl", "-D", str(self.data), "reload")

    def kill(self) -> None:
        """Kill the postmaster, and with it its children, as a lack of memory or power would."""
        lock = self.data / "postmaster.pid"
        postmaster = int(lock.read_text(encoding="utf-8").splitlines()[0])
        os.kill(postmaster, signal.SIGSTOP)  # it has no more children from here on
        family = [postmaster, *_children(postmaster)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while any(_alive(pid) for pid in family):
            assert time.monotonic() < deadline, "the database outlived its killing"
            time.sleep(0.01)
        # Where nobody buries the dead, as in some containers, it would pass for one that still runs.
        for left in (lock, *self.folder.glob(".s.PGSQL.*")):
            left.unlink()

    def log(self) -> str:
        """Return what it has logged."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def _run(self, *args: str) -> None:
        done = subprocess.run(
            [str(self.programs / args[0]), *args[1:]],
            user=_USER,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # no pipes: the server would inherit and keep them open
            stderr=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{args[0]} failed"


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if path.read_text(encoding="utf-8").rpartition(")")[2].split()[1] == str(pid):
                found.append(int(path.parent.name))
    return found


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """Run a private cluster with these settings, and remove it afterwards whatever happened."""
    programs = _programs()
    # Not among pytest's folders, which nobody but their owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
    made = Cluster(folder, programs)
    try:
        if _USER:
            shutil.chown(folder, _USER)
        made.make()
        made.start(**settings)
        yield made
    finally:
        if (made.data / "postmaster.pid").exists():
            with contextlib.suppress(AssertionError):
                made.stop("immediate")
        shutil.rmtree(folder)
