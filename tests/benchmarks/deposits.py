"""Deposit of one large file, in this process and over HTTP, beside stock tools that seal and hash it.

The peer seals with `age` and hashes the same file with `openssl dgst -sha256`, one after the other, and
syncs nothing. In process, what is timed is what a server does with parts that have arrived: both digests,
those of the parts of the body, sealing, durable blobs and rows. The hash that binds each part to its
token is taken before; over HTTP it is in the time, on both sides.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.client import push
from gateway.envelope import Suite, generate_identity
from gateway.exchange.acts import Complete, Deposit, OpenUpload, Particulars
from gateway.exchange.parse import build
from gateway.kernel.ids import new_id
from gateway.workflows import deposit
from gateway.workflows.deposit import MAX_PART
from tests.benchmarks import stock
from tests.benchmarks.figures import Absent, Figure, Plan, median, wall
from tests.stateful.driver import Driver
from tests.world import PLAIN, ROOT, Process, World, build_world, serving, session, source

MB = 1_000_000
_TICK = os.sysconf("SC_CLK_TCK")


def fill(path: Path, size: int) -> None:
    """Write *size* bytes, no two MiB alike."""
    block = os.urandom(1 << 20)
    with path.open("wb") as handle:
        for n in range(size >> 20):
            handle.write(n.to_bytes(8, "big") + block[8:])


def in_process(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Megabytes (10^6) a second of wall time, in turns with the peer."""
    name = "deposit in process, durable, both digests"
    if stock.AGE is None or shutil.which("openssl") is None:
        yield Absent(name, "age or openssl is not installed")
        return
    plain = folder / "plain"
    fill(plain, plan.deposited)
    ours, theirs, busy, theirs_busy = [], [], [], []
    with _OpenDriver(folder) as driver:
        for _ in range(plan.deposits):
            taken, spent = _deposit(driver, plain)
            ours.append(taken)
            busy.append(spent)
            before = stock.spent()
            theirs.append(_peer(plain, folder / "sealed"))
            theirs_busy.append(stock.spent() - before)
    peer = "age, then openssl dgst"
    yield Figure(name, _rate(plan, ours), "MB/s", peer, _rate(plan, theirs))
    yield Figure("  by CPU time", _rate(plan, busy), "MB/CPU s", peer, _rate(plan, theirs_busy))


def over_http(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """The same by the public client and a server in a process of its own; and where the time goes."""
    name = "deposit over HTTP"
    if stock.AGE is None or shutil.which("openssl") is None:
        yield Absent(name, "age or openssl is not installed")
        return
    plain, world = folder / "plain", build_world(folder / "world", ())
    fill(plain, plan.deposited)
    whole, digests, mine, server, theirs, summed = [], [], [], [], [], []
    with serving(world) as process:
        for _ in range(plan.deposits):
            busy, at = time.process_time(), _cpu_of(process)
            whole.append(wall(lambda: asyncio.run(_push(world, plain))))
            mine.append(time.process_time() - busy)
            server.append(_cpu_of(process) - at)
            digests.append(wall(lambda: push.digest_file(plain)))
            theirs.append(_peer(plain, folder / "sealed"))
            summed.append(wall(lambda: _run("sha256sum", str(plain))))
    rate, peer = _rate(plan, whole), _rate(plan, theirs)
    yield Figure(name, rate, "MB/s", "age, then openssl dgst", peer)
    yield Figure(name, rate, "MB/s", "sha256sum", _rate(plan, summed))
    total = median(whole)
    yield Figure("  digests before sending", median(digests), "s", "the whole deposit", total)
    yield Figure(
        "  sending and completing", total - median(digests), "s", "the whole deposit", total
    )
    yield Figure("  CPU of the client", median(mine), "s", "the whole deposit", total)
    yield Figure("  CPU of the server", median(server), "s", "the whole deposit", total)


def flat(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Peak memory of sealing and of opening a stream, of a large one beside one of a GiB."""
    large, small = (_peaks(size) for size in (plan.streamed, min(1 << 30, plan.streamed)))
    for step, ours, theirs in zip(("seal", "open"), large, small, strict=True):
        name = f"peak memory, {step} {plan.streamed / (1 << 30):.3g} GiB"
        yield Figure(name, ours, "MB", "the same, 1 GiB", theirs)


def _peaks(size: int) -> tuple[float, float]:
    """Seal zeros into a pipe and open what comes out of it; return the peak megabytes of both."""
    command = [sys.executable, "-m", "tests.benchmarks.stream"]
    seal = subprocess.Popen(
        [*command, "seal", str(size)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    opened = subprocess.run([*command, "open"], stdin=seal.stdout, stderr=subprocess.PIPE, cwd=ROOT)
    _, said = seal.communicate()
    return int(said) / 1000, int(opened.stderr) / 1000


class _OpenDriver(Driver):
    """A driver that is open for a block."""

    def __init__(self, folder: Path) -> None:
        super().__init__(build_world(folder / "world", ()))

    def __enter__(self) -> Driver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _deposit(driver: Driver, plain: Path) -> tuple[float, float]:
    """Return the seconds that a deposit took, and the CPU seconds."""
    upload, size = new_id("upl"), plain.stat().st_size
    driver.act("sharer", "/v1/uploads", OpenUpload(upload, size, "pq"), deposit.open_upload)
    target, orders, whole = f"/v1/uploads/{upload}", [], hashlib.sha256()
    with plain.open("rb") as handle:
        while data := handle.read(MAX_PART):
            whole.update(data)
            signed = driver.signed("sharer", "PATCH", target, data)
            orders.append(replace(signed, order=replace(signed.order, body=b"")))  # as the web does
    sha256, digests = whole.hexdigest(), tuple(o.order.body_digest.hex() for o in orders)
    stated = Particulars("big", "application/octet-stream", "E-1", size, sha256)
    act = Complete(upload, stated, PLAIN, "standard", digests)
    begun, busy = time.perf_counter(), time.process_time()
    with plain.open("rb") as handle:
        for n, order in enumerate(orders):
            data = handle.read(MAX_PART)
            deposit.put_part(driver.gateway, order, upload, n * MAX_PART, data)
    made = driver.act("sharer", f"{target}/complete", act, deposit.complete, upload)
    driver.act("sharer", "/v1/items", build({"type": "deposit", **made}, Deposit), deposit.deposit)
    return time.perf_counter() - begun, time.process_time() - busy


async def _push(world: World, plain: Path) -> None:
    async with session(world, "sharer") as sharer:
        await push.deposit(sharer, source(plain), lambda _: None)


def _peer(plain: Path, sealed: Path) -> float:
    recipient = str(generate_identity(Suite.CLASSIC).recipient)

    def work() -> None:
        _run("age", "-r", recipient, "-o", str(sealed), str(plain))
        _run("openssl", "dgst", "-sha256", str(plain))

    taken = wall(work)
    sealed.unlink()
    return taken


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _cpu_of(process: Process) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK  # utime, stime: proc(5)


def _rate(plan: Plan, seconds: list[float]) -> float:
    return plan.deposited / MB / median(seconds)
