"""Sealing and opening beside stock age; one recipient beside many."""

import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.envelope import (
    Body,
    Identity,
    Recipient,
    Suite,
    generate_identity,
    new_file_key,
    new_nonce,
    seal_body,
    seal_stream,
    unseal_stream,
    wrap,
)
from gateway.workflows.deposit import MAX_PART
from tests.benchmarks import stock
from tests.benchmarks.figures import Absent, Figure, Plan, cpu, median, wall

MB = 1_000_000
NOWHERE = Path(os.devnull)


def _fill(path: Path, size: int) -> None:
    block = os.urandom(MB)
    with path.open("wb") as handle:
        for _ in range(size // MB):
            handle.write(block)


def _seal_stream(source: Path, recipient: Recipient, target: Path) -> None:
    with source.open("rb") as handle, target.open("wb") as out:
        seal_stream(handle, out, [recipient])


def _seal_parts(source: Path) -> None:
    """Seal as an upload does: part by part."""
    body = Body(new_file_key(), new_nonce(), source.stat().st_size)
    at = 0
    with source.open("rb") as handle, NOWHERE.open("wb") as out:
        while data := handle.read(MAX_PART):
            out.write(body.seal_part(at, data))
            at += len(data)


def _open(source: Path, identity: Identity) -> None:
    with source.open("rb") as handle, NOWHERE.open("wb") as out:
        for data in unseal_stream(handle, [identity]):
            out.write(data)


def sealing(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Megabytes (10^6) per CPU second of one file, the contestants taking turns."""
    identity = generate_identity(Suite.CLASSIC)
    plain, sealed = folder / "plain", folder / "sealed"
    _fill(plain, plan.sealed)
    _seal_stream(plain, identity.recipient, sealed)
    if stock.AGE is None:
        yield Absent("seal and open", stock.WHY)
        return
    streamed, parts, opened, age_sealed, age_opened = [], [], [], [], []
    for _ in range(plan.repeat):
        streamed.append(cpu(lambda: _seal_stream(plain, identity.recipient, NOWHERE)))
        age_sealed.append(stock.seal([identity.recipient], plain, NOWHERE))
        parts.append(cpu(lambda: _seal_parts(plain)))
        opened.append(cpu(lambda: _open(sealed, identity)))
        age_opened.append(stock.unseal(identity, sealed, folder))
    for name, ours, peer, theirs in (
        ("seal a stream", streamed, "age -r", age_sealed),
        ("seal by parts", parts, "age -r", age_sealed),
        ("open", opened, "age -d", age_opened),
    ):
        yield Figure(name, _rate(plan, ours), "MB/CPU s", peer, _rate(plan, theirs))


def _rate(plan: Plan, seconds: Sequence[float]) -> float:
    return plan.sealed / MB / median(seconds)


def in_memory(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Megabytes per CPU second from memory to a sink that keeps nothing; the peer reads its file."""
    identity = generate_identity(Suite.CLASSIC)
    plain, sealed = folder / "plain", folder / "sealed"
    _fill(plain, plan.sealed)
    _seal_stream(plain, identity.recipient, sealed)
    if stock.AGE is None:
        yield Absent("seal and open in memory", stock.WHY)
        return
    text, made = plain.read_bytes(), sealed.read_bytes()
    ours: dict[str, list[float]] = {"seal": [], "open": []}
    theirs: dict[str, list[float]] = {"seal": [], "open": []}
    for _ in range(plan.repeat):
        ours["seal"].append(cpu(lambda: _to_nowhere(text, identity.recipient)))
        theirs["seal"].append(stock.seal([identity.recipient], plain, NOWHERE))
        ours["open"].append(cpu(lambda: deque(unseal_stream(io.BytesIO(made), [identity]), 0)))
        theirs["open"].append(stock.unseal(identity, sealed, folder))
    for step, peer in (("seal", "age -r"), ("open", "age -d")):
        name = f"{step}, memory to sink"
        yield Figure(name, _rate(plan, ours[step]), "MB/CPU s", peer, _rate(plan, theirs[step]))


def _to_nowhere(text: bytes, recipient: Recipient) -> None:
    with NOWHERE.open("wb") as out:
        seal_stream(io.BytesIO(text), out, [recipient])


def fan_out(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """One file key to one recipient and to many: headers only, the body is sealed once."""
    many = {
        suite: [generate_identity(suite).recipient for _ in range(plan.recipients)]
        for suite in Suite
    }
    key = new_file_key()
    each = {
        suite: median([wall(lambda r=r: wrap(key, [r])) for r in recipients])  # type: ignore[misc]
        for suite, recipients in many.items()
    }
    micro = 1_000_000
    yield Figure(
        "wrap for one recipient, pq",
        each[Suite.PQ] * micro,
        "µs",
        "the same, classic",
        each[Suite.CLASSIC] * micro,
    )
    made: list[bytes] = []
    rounds = []
    for _ in range(plan.repeat):
        made.clear()
        rounds.append(cpu(lambda: made.extend(wrap(key, [r]) for r in many[Suite.PQ])))
    taken = median(rounds)
    named = f"headers for {plan.recipients} recipients, pq"
    yield Figure(named, taken * 1000, "CPU ms", "goal, 0.2 ms each", plan.recipients * 0.2)
    size = sum(map(len, made)) / MB
    yield Figure(named, size, "MB", "goal, 1,750 B each", plan.recipients * 1750 / MB)
    plain = folder / "fanned"
    _fill(plain, plan.fanned)
    name = f"cost of {plan.recipients} recipients, of one = 1"
    if stock.AGE is None:
        yield Absent(name, stock.WHY)
        return
    ours, theirs = [], []
    for _ in range(plan.repeat):
        ours.append(_cost(plain, many[Suite.PQ]) / _cost(plain, many[Suite.PQ][:1]))
        age = many[Suite.CLASSIC]
        theirs.append(stock.seal(age, plain, NOWHERE) / stock.seal(age[:1], plain, NOWHERE))
    yield Figure(name, median(ours), "times", "one age file for all, classic", median(theirs))
    yield Figure(name, median(ours), "times", "a file for each", float(plan.recipients))


def _cost(plain: Path, recipients: Sequence[Recipient]) -> float:
    """Return the CPU seconds of sealing one body and wrapping its key for all."""
    key = new_file_key()

    def work() -> None:
        with plain.open("rb") as handle, NOWHERE.open("wb") as out:
            seal_body(key, new_nonce(), handle, out)
        for recipient in recipients:
            wrap(key, [recipient])

    return cpu(work)
