"""Bodies by parts and as streams: the same bytes either way, and no chunk out of its place."""

import io
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import CHUNK, NONCE, TAG, Body, body_size, open_body, seal_body
from gateway.envelope.keys import hkdf
from gateway.kernel.errors import MalformedError, VerificationError

KEY, IV = b"k" * 16, b"n" * 16
SEALED = CHUNK + TAG
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7]


class Trickle:
    """A stream that gives less than it is asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        self._inner = io.BytesIO(data)
        self._step = step

    def read(self, size: int, /) -> bytes:
        return self._inner.read(min(size, self._step))


def text(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def sealed(data: bytes, key: bytes = KEY) -> bytes:
    sink = io.BytesIO()
    seal_body(key, IV, io.BytesIO(data), sink)
    return sink.getvalue()


def opened(data: bytes, key: bytes = KEY) -> bytes:
    return b"".join(open_body(key, io.BytesIO(data)))


def by_parts(data: bytes, chunks: int) -> Iterator[tuple[int, bytes]]:
    step = chunks * CHUNK
    for offset in range(0, max(len(data), 1), step):
        yield offset, data[offset : offset + step]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunks", [1, 2, 5])
def test_parts_and_stream_make_the_same_body(size: int, chunks: int) -> None:
    data = text(size)
    body = Body(KEY, IV, size)
    parts = [(at, bytes(body.seal_part(at, part))) for at, part in by_parts(data, chunks)]
    whole = b"".join(part for _, part in parts)
    assert whole == sealed(data)
    assert len(whole) == body_size(size)
    assert b"".join(body.open_part(at, part) for at, part in parts) == data
    assert opened(whole) == data


@settings(max_examples=20)
@given(st.binary(max_size=300), st.integers(1, 50), st.binary(min_size=16, max_size=16))
def test_a_stream_that_trickles_is_sealed_and_opened_alike(
    data: bytes, step: int, key: bytes
) -> None:
    sink = io.BytesIO()
    seal_body(key, IV, Trickle(data, step), sink)
    assert b"".join(open_body(key, Trickle(sink.getvalue(), step))) == data


@settings(max_examples=25)
@given(st.sampled_from([1, CHUNK, CHUNK + 1]), st.data())
def test_one_flipped_bit_is_found(size: int, data: st.DataObject) -> None:
    good = sealed(text(size))
    at = data.draw(st.integers(0, len(good) - 1))
    bit = data.draw(st.integers(0, 7))
    spoilt = good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :]
    with pytest.raises(VerificationError):
        opened(spoilt)


@pytest.mark.parametrize("size", SIZES)
def test_a_body_that_was_cut_or_extended_is_found(size: int) -> None:
    good = sealed(text(size))
    for spoilt in (good[:-1], good + b"x", good + good[NONCE:], good[:NONCE]):
        with pytest.raises(VerificationError, match="body"):
            opened(spoilt)


def test_a_body_cut_at_the_border_of_a_chunk_is_found_after_what_was_sealed() -> None:
    good = sealed(text(2 * CHUNK + 7))
    chunks = open_body(KEY, io.BytesIO(good[: NONCE + SEALED]))
    assert next(chunks) == text(CHUNK)
    with pytest.raises(VerificationError, match="cut or extended"):
        next(chunks)


def test_a_body_extended_at_the_border_of_a_chunk_is_found_after_what_was_sealed() -> None:
    chunks = open_body(KEY, io.BytesIO(sealed(text(CHUNK)) + b"more"))
    assert next(chunks) == text(CHUNK)
    with pytest.raises(VerificationError, match="cut or extended"):
        next(chunks)


def test_chunks_in_another_order_are_found() -> None:
    good = sealed(text(3 * CHUNK))
    one, two = good[NONCE : NONCE + SEALED], good[NONCE + SEALED : NONCE + 2 * SEALED]
    with pytest.raises(VerificationError, match="does not hold"):
        opened(good[:NONCE] + two + one + good[NONCE + 2 * SEALED :])


def test_a_body_under_another_key_or_nonce_does_not_open() -> None:
    good = sealed(b"text")
    for spoilt, key in ((good, b"x" * 16), (b"x" * 16 + good[16:], KEY)):
        with pytest.raises(VerificationError, match="does not hold"):
            opened(spoilt, key)


@pytest.mark.parametrize("size", [0, 1, NONCE - 1])
def test_a_body_cut_inside_its_nonce_is_malformed(size: int) -> None:
    with pytest.raises(MalformedError, match="inside its nonce"):
        opened(sealed(b"")[:size])


def test_an_empty_chunk_ends_only_an_empty_body() -> None:
    assert opened(sealed(b"")) == b""
    aead = ChaCha20Poly1305(hkdf(KEY, IV, b"payload"))
    first = aead.encrypt(bytes(12), text(CHUNK), None)
    empty = aead.encrypt((1).to_bytes(11, "big") + b"\x01", b"", None)
    chunks = open_body(KEY, io.BytesIO(IV + first + empty))
    assert next(chunks) == text(CHUNK)
    with pytest.raises(VerificationError, match="empty chunk"):
        next(chunks)


@pytest.mark.parametrize(
    ("offset", "length"),
    [(1, CHUNK), (0, 1), (0, 0), (CHUNK, 0), (CHUNK, CHUNK + 8), (2 * CHUNK, 6), (3 * CHUNK, 0)],
)
def test_a_part_that_is_no_whole_number_of_chunks_is_malformed(offset: int, length: int) -> None:
    body = Body(KEY, IV, 2 * CHUNK + 7)
    with pytest.raises(MalformedError, match="multiple of 65536"):
        body.seal_part(offset, text(length))


def test_a_part_of_another_place_nonce_or_length_does_not_open() -> None:
    body = Body(KEY, IV, 2 * CHUNK)
    first, second = (bytes(body.seal_part(at, text(CHUNK))) for at in (0, CHUNK))
    with pytest.raises(VerificationError, match="begin with its nonce"):
        body.open_part(0, second)
    for offset, part in ((2 * CHUNK, second), (CHUNK, second[:-1]), (0, first[:-1]), (CHUNK, b"x")):
        with pytest.raises(VerificationError, match="does not hold"):
            body.open_part(offset, part)
