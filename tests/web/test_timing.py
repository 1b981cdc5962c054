"""Not yours and not there take equally long: by medians, and by the ranks of a thousand pairs.

Pairs are asked over one kept connection, interleaved, in turn one and the other first, so that whatever
else the machine does falls on both alike.
"""

import asyncio
import gc
import math
import random
import socket
import time
from collections.abc import Callable, Sequence
from statistics import NormalDist, median

import pytest

from gateway.exchange.receipts import Rung
from gateway.kernel.ids import new_id
from gateway.web.limits import Allowance
from tests.web.conftest import Scene
from tests.web.harness import JSON, Caller
from tests.web.test_others import receipt

PAIRS = 1000
FEWER = 500  # where the same code is asked once more
WARM = 50  # pairs that are not counted
SHARE = 0.05  # by which medians may differ
LEVEL = 0.01  # below which a difference of ranks is taken for one
TRIM = 0.02  # of the slowest pairs: what the machine did meanwhile, for either alike


def mann_whitney(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the two-sided p of the Mann-Whitney U test, by its normal approximation with ties."""
    merged = sorted([(x, 0) for x in xs] + [(y, 1) for y in ys])
    ranks, ties, at = 0.0, 0.0, 0
    while at < len(merged):
        end = at
        while end < len(merged) and merged[end][0] == merged[at][0]:
            end += 1
        size = end - at
        ranks += (at + end + 1) / 2 * sum(which == 0 for _, which in merged[at:end])
        ties += size**3 - size
        at = end
    n, m = len(xs), len(ys)
    u = ranks - n * (n + 1) / 2
    spread = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if spread == 0:
        return 1.0
    z = (abs(u - n * m / 2) - 0.5) / math.sqrt(spread)
    return min(1.0, 2 * (1 - NormalDist().cdf(max(z, 0.0))))


def test_the_rank_test_tells_samples_apart_and_alike_ones_not() -> None:
    """Figures of a published example (Hollander and Wolfe, 1973, section 4.1), and of chance."""
    at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    weeks_12_to_26 = [1.15, 0.88, 0.90, 0.74, 1.21]
    assert abs(mann_whitney(at_term, weeks_12_to_26) - 0.2446) < 0.02
    draw = random.Random(1)
    alike = [
        mann_whitney([draw.random() for _ in range(200)], [draw.random() for _ in range(200)])
        for _ in range(200)
    ]
    assert 0.02 < sum(p < 0.1 for p in alike) / len(alike) < 0.2
    shifted = (
        [draw.gauss(3.00, 0.3) for _ in range(PAIRS)],
        [draw.gauss(3.06, 0.3) for _ in range(PAIRS)],
    )
    assert mann_whitney(*shifted) < LEVEL
    assert mann_whitney([1.0] * 9, [1.0] * 9) == 1.0


class Kept:
    """A connection that is kept, and how long each answer took on it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, raw: bytes) -> float:
        begun = time.perf_counter()
        self._socket.sendall(raw)
        data = self._socket.recv(65536)
        taken = time.perf_counter() - begun
        assert data.startswith(b"HTTP/1.1 404"), data
        while not data.endswith(b"}"):
            data += self._socket.recv(65536)
        return taken

    def close(self) -> None:
        self._socket.close()


Asks = Callable[[str], bytes]


def reads(me: Caller, path: str) -> Asks:
    def spell(share: str) -> bytes:
        return kept(me.raw("GET", f"/v1/shares/{share}{path}"))

    return spell


def receipts(me: Caller) -> Asks:
    def spell(share: str) -> bytes:
        body = receipt(me, share, "0" * 64, Rung.PULLED)
        return kept(me.raw("POST", f"/v1/shares/{share}/receipts", body, JSON))

    return spell


def kept(raw: bytes) -> bytes:
    return raw.replace(b"Connection: close\r\n", b"")


def measured(port: int, spell: Asks, theirs: str, number: int) -> tuple[list[float], list[float]]:
    """Time pairs of requests for a share of another and for one that never was."""
    connection, pairs = Kept(port), []
    gc.disable()
    try:
        for n in range(WARM + number):
            first, second = spell(theirs), spell(new_id("shr"))
            if n % 2:
                b, a = connection.ask(second), connection.ask(first)
            else:
                a, b = connection.ask(first), connection.ask(second)
            if n >= WARM:
                pairs.append((a, b))
    finally:
        gc.enable()
        connection.close()
    pairs.sort(key=sum)
    whole = pairs[: round(len(pairs) * (1 - TRIM))]
    return [a for a, _ in whole], [b for _, b in whole]


def told_apart(port: int, spell: Asks, theirs: str, number: int) -> str:
    """Return how a run tells the two apart, or nothing."""
    yours, nothing = measured(port, spell, theirs, number)
    ratio, p = median(yours) / median(nothing), mann_whitney(yours, nothing)
    if abs(ratio - 1) <= SHARE and p > LEVEL:
        return ""
    return f"medians {ratio:.3f}, p {p:.2g}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "which", "number"),
    [
        ("manifest", "theirs", PAIRS),
        ("manifest", "waiting", FEWER),
        ("item", "theirs", PAIRS),
        ("item", "waiting", FEWER),
        ("receipts", "theirs", PAIRS),
    ],
)
async def test_not_yours_and_not_there_take_equally_long(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, what: str, which: str, number: int
) -> None:
    """A share of another, and one that is not offered yet, beside one that never was."""
    monkeypatch.setattr(Allowance, "used_up", lambda *_: False)
    monkeypatch.setattr(Allowance, "allow", lambda *_: True)
    me, share = scene.be("xa"), getattr(scene.shares, which)
    paths = {"manifest": "/manifest", "item": "/items/0"}
    spell = reads(me, paths[what]) if what in paths else receipts(me)
    apart: list[str] = []  # of three runs two must tell nothing: one in a hundred does by chance
    alike = 0
    while alike < 2 and len(apart) < 2:
        found = await asyncio.to_thread(told_apart, scene.port, spell, share, number)
        alike, apart = (alike, [*apart, found]) if found else (alike + 1, apart)
    assert alike == 2, apart
