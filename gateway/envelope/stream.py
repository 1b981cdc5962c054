"""Bodies as streams of unknown length, in constant memory.

With an executor, batches of chunks are sealed or opened beside each other while the next is read and the
last is written; what comes out is the same, byte for byte, and so is what is released before an error.
Without, what is opened is one chunk at a time, and no more is read than that and the one after it.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from typing import BinaryIO, NamedTuple, Protocol

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gateway.envelope.body import (
    BATCH,
    CHUNK,
    NONCE,
    SEALED,
    TAG,
    counter,
    open_chunk,
    payload_cipher,
)
from gateway.envelope.lanes import DEPTH, in_order
from gateway.kernel.errors import MalformedError, VerificationError

_ALONE = 8  # chunks that one core seals at a time
_SLOTS = DEPTH + 1  # buffers: of the results that are underway or looked at


class Readable(Protocol):
    """A source of bytes: a file, or bytes already read followed by one."""

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes, and none at the end."""
        ...


class _Batch(NamedTuple):
    """Chunks from number *first* on, the *final* ones or not, and the buffer for what is made of them."""

    first: int
    data: bytes
    final: bool
    out: memoryview


def seal_body(
    file_key: bytes,
    nonce: bytes,
    source: Readable,
    sink: BinaryIO,
    executor: Executor | None = None,
) -> None:
    """Seal a stream of unknown length, in constant memory."""
    sink.write(nonce)
    seal = partial(_seal, payload_cipher(file_key, nonce))
    size = BATCH if executor else _ALONE
    for sealed in in_order(executor, seal, _batches(source, size, CHUNK, SEALED)):  # noqa: FURB122  # a sink need only write
        sink.write(sealed)


def open_body(
    file_key: bytes, source: Readable, executor: Executor | None = None
) -> Iterator[bytes]:
    """Yield the plaintext chunk by chunk, with an executor up to 2 MiB at a time; what is yielded is
    authentic, but only the end tells whether the whole is.

    Raises MalformedError for one cut inside its nonce, VerificationError for a body that was cut,
    changed, extended or is another's; then every chunk before the fault has been yielded.
    """
    nonce = _full(source, NONCE)
    if len(nonce) != NONCE:
        raise MalformedError("body is cut inside its nonce")
    opened = partial(_open, payload_cipher(file_key, nonce))
    size = BATCH if executor else 1
    for plain, error in in_order(executor, opened, _batches(source, size, SEALED, CHUNK)):
        if plain or error is None:
            yield bytes(plain)
        if error is not None:
            raise error


def _batches(source: Readable, size: int, step: int, made: int) -> Iterator[_Batch]:
    """Read *size* chunks of *step* bytes at a time, of which *made* come; one ahead, to know the last."""
    buffers = [memoryview(bytearray(size * made)) for _ in range(_SLOTS)]
    index, data = 0, _full(source, size * step)
    while True:
        following = _full(source, size * step) if len(data) == size * step else b""
        yield _Batch(index, data, not following, buffers[index // size % _SLOTS])
        if not following:
            return
        index, data = index + size, following


def _seal(aead: ChaCha20Poly1305, batch: _Batch) -> memoryview:
    view, at = memoryview(batch.data), 0
    for i, start in enumerate(range(0, max(1, len(view)), CHUNK)):
        chunk = view[start : start + CHUNK]
        nonce = counter(batch.first + i, last=batch.final and start + CHUNK >= len(view))
        at += aead.encrypt_into(nonce, chunk, None, batch.out[at : at + len(chunk) + TAG])
    return batch.out[:at]


def _open(aead: ChaCha20Poly1305, batch: _Batch) -> tuple[memoryview, VerificationError | None]:
    """Open a batch as far as it holds; return that, and what is wrong with the chunk after it."""
    view, at = memoryview(batch.data), 0
    try:
        for i, start in enumerate(range(0, max(1, len(view)), SEALED)):
            chunk = view[start : start + SEALED]
            more = not batch.final or start + SEALED < len(view)
            out = batch.out[at : at + max(0, len(chunk) - TAG)]
            last = _either(aead, batch.first + i, chunk, out, more=more)
            at += len(out)
            _check_place(batch.first + i, len(out), last=last, more=more)
    except VerificationError as error:
        return batch.out[:at], error
    return batch.out[:at], None


def _check_place(index: int, size: int, *, last: bool, more: bool) -> None:
    if last and not size and index:
        raise VerificationError("body ends in an empty chunk")
    if last == more:
        raise VerificationError("body was cut or extended")


def _either(
    aead: ChaCha20Poly1305, index: int, chunk: memoryview, out: memoryview, *, more: bool
) -> bool:
    """Open a chunk as what its place says, else as the other kind: to release no less than was sealed.

    Return whether it was sealed as the last.
    """
    try:
        open_chunk(aead, counter(index, last=not more), chunk, out)
    except VerificationError:
        if not more and len(chunk) != SEALED:
            raise
        open_chunk(aead, counter(index, last=more), chunk, out)
        return more
    return not more


def _full(source: Readable, size: int) -> bytes:
    """Read *size* bytes, or what there is before the end."""
    data = source.read(size)
    if len(data) in (0, size):
        return data
    pieces, left = [data], size - len(data)
    while left and (more := source.read(left)):
        pieces.append(more)
        left -= len(more)
    return b"".join(pieces)
