"""Work beside work comes out as work one after another: same bytes, same order, same errors."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from gateway.envelope import (
    CHUNK,
    NONCE,
    TAG,
    Body,
    Lane,
    body_size,
    in_order,
    open_body,
    seal_body,
    sealed_span,
)
from gateway.envelope.body import BATCH, counter
from gateway.kernel.errors import MalformedError, VerificationError

KEY, IV = b"k" * 16, b"n" * 16
BIG = BATCH * CHUNK
SIZES = [0, 1, CHUNK, BIG - 1, BIG, BIG + 1, 7 * BIG + 9]


@pytest.fixture(params=[None, 2], ids=["alone", "beside"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor | None]:
    if request.param is None:
        yield None
        return
    with ThreadPoolExecutor(request.param) as pool:
        yield pool


def text(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def sealed(data: bytes, executor: Executor | None = None) -> bytes:
    sink = io.BytesIO()
    seal_body(KEY, IV, io.BytesIO(data), sink, executor)
    return sink.getvalue()


def released(body: bytes, executor: Executor | None) -> tuple[bytes, str]:
    """Return what is given out before the error, and the error."""
    out = bytearray()
    try:
        for piece in open_body(KEY, io.BytesIO(body), executor):
            out += piece
    except (MalformedError, VerificationError) as error:
        return bytes(out), str(error)
    return bytes(out), ""


@pytest.mark.parametrize("size", SIZES)
def test_a_body_is_the_same_whoever_seals_it_and_by_whatever_parts(
    size: int, executor: Executor | None
) -> None:
    data = text(size)
    whole, body = sealed(data), Body(KEY, IV, size)
    assert sealed(data, executor) == whole
    assert len(whole) == body_size(size)
    assert released(whole, executor) == (data, "")
    assert body.seal_part(0, data, executor) == whole
    assert body.open_part(0, whole, executor) == data


@pytest.mark.parametrize("at", [0, 1, BATCH - 1, BATCH, 3 * BATCH + 5])
def test_as_much_is_released_before_a_fault_as_was_sealed_before_it(
    at: int, executor: Executor | None
) -> None:
    data = text(7 * BIG + 9)
    whole = bytearray(sealed(data))
    whole[NONCE + at * (CHUNK + TAG) + 5] ^= 1
    plain, error = released(bytes(whole), executor)
    assert plain == data[: at * CHUNK]
    assert "does not hold" in error
    with pytest.raises(VerificationError, match="does not hold"):
        Body(KEY, IV, len(data)).open_part(0, bytes(whole), executor)


@pytest.mark.parametrize("chunks", [1, BATCH, BATCH + 1])
def test_a_body_cut_between_chunks_gives_out_what_is_left_and_then_fails(
    chunks: int, executor: Executor | None
) -> None:
    data = text(3 * BIG)
    plain, error = released(sealed(data)[: NONCE + chunks * (CHUNK + TAG)], executor)
    assert plain == data[: chunks * CHUNK]
    assert "cut or extended" in error


def test_whoever_stops_reading_stops_the_work(executor: Executor | None) -> None:
    pieces = open_body(KEY, io.BytesIO(sealed(text(20 * BIG))), executor)
    assert next(pieces) == text(BIG if executor else CHUNK)
    pieces.close()  # type: ignore[attr-defined]


def test_results_come_in_order_and_few_are_underway(executor: Executor | None) -> None:
    asked: list[int] = []

    def pieces() -> Iterator[int]:
        for n in range(50):
            asked.append(n)
            yield n

    for n, made in enumerate(in_order(executor, lambda n: n * 2, pieces(), depth=3)):
        assert made == 2 * n
        assert len(asked) <= n + 4


def test_a_lane_does_its_pieces_in_order(executor: Executor | None) -> None:
    done: list[int] = []
    lane = Lane(executor, done.append)
    for n in range(200):
        lane.put(n)
    lane.join()
    assert done == [*range(200)]
    lane.put(200)
    lane.join()
    assert done[-1] == 200


def test_a_lane_whose_work_failed_does_no_more_and_says_so() -> None:
    done: list[int] = []

    def work(n: int) -> None:
        if n == 1:
            raise VerificationError("one")
        done.append(n)

    with ThreadPoolExecutor(1) as pool:
        lane = Lane(pool, work)
        for n in range(9):
            lane.put(n)
        with pytest.raises(VerificationError, match="one"):
            lane.join()
    assert done == [0]


def test_a_lane_holds_no_more_than_its_depth() -> None:
    gate, put = threading.Event(), list[int]()

    def fill(lane: "Lane[int]") -> None:
        for n in range(9):
            lane.put(n)
            put.append(n)

    with ThreadPoolExecutor(2) as pool:
        lane: Lane[int] = Lane(pool, lambda _: gate.wait(), depth=3)
        filling = pool.submit(fill, lane)
        with pytest.raises(TimeoutError):
            filling.result(0.1)
        assert put == [0, 1, 2]
        gate.set()
        filling.result()
        lane.join()


@pytest.mark.parametrize("size", [1, CHUNK, 3 * CHUNK + 7])
def test_any_range_opens_from_the_chunks_that_hold_it(size: int) -> None:
    data, body = text(size), Body(KEY, IV, size)
    whole = sealed(data)
    for first, end in ((0, 1), (size - 1, size), (0, size), (size // 2, size // 2 + 1)):
        start, stop, offset = sealed_span(size, first, end)
        plain = body.open_part(offset, whole[start:stop])
        assert plain[first - offset : end - offset] == data[first:end]
        assert stop - start <= NONCE + (CHUNK + TAG) * (2 + (end - first) // CHUNK)


@pytest.mark.parametrize(("first", "end"), [(0, 0), (5, 5), (6, 5), (-1, 2), (0, 11), (10, 11)])
def test_a_range_outside_the_plaintext_is_malformed(first: int, end: int) -> None:
    with pytest.raises(MalformedError, match="within the 10 bytes"):
        sealed_span(10, first, end)


def test_chunks_are_counted_beyond_thirty_two_bits_and_not_beyond_eighty_eight() -> None:
    for at in (1 << 32, (1 << 32) - 1, (1 << 88) - 1):
        size = (at + 1) * CHUNK
        body = Body(KEY, IV, size)
        part = body.seal_part(at * CHUNK, text(CHUNK))
        assert body.open_part(at * CHUNK, part) == text(CHUNK)
        assert counter(at, last=True) == at.to_bytes(11, "big") + b"\1"
        for wrong in (at - 1, at ^ (1 << 32)):
            with pytest.raises(VerificationError):
                body.open_part(wrong * CHUNK, part)
        longer = Body(KEY, IV, size + CHUNK)
        with pytest.raises(VerificationError):
            longer.open_part(at * CHUNK, part)
    body = Body(KEY, IV, ((1 << 88) + 1) * CHUNK)
    with pytest.raises(MalformedError, match=r"at most 2\*\*88 chunks"):
        body.seal_part((1 << 88) * CHUNK, text(CHUNK))
    with pytest.raises(MalformedError, match=r"at most 2\*\*88 chunks"):
        body.open_part((1 << 88) * CHUNK, text(CHUNK + TAG))
