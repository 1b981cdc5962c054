"""Bodies: nonce, then ChaCha20-Poly1305 STREAM chunks of 64 KiB (c2sp.org/age, "Payload").

A body can be sealed and opened by parts, each a whole number of chunks: the counter follows from the
offset. Whoever seals a part twice must seal the same bytes, or one counter would see two plaintexts.
Chunks are done in batches, which may run beside each other on an executor (`lanes`).
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gateway.envelope.keys import hkdf
from gateway.envelope.lanes import in_order
from gateway.kernel.errors import MalformedError, VerificationError

CHUNK = 65536  # bytes of plaintext
TAG = 16
NONCE = 16
SEALED = CHUNK + TAG
BATCH = 32  # chunks: 2 MiB stay in a core's own cache, and outlast the handing over between threads
_MAX_CHUNKS = 1 << 88  # the counter has 11 bytes


def body_size(size: int) -> int:
    """Return the bytes of a body whose plaintext has *size* bytes."""
    return NONCE + size + TAG * max(1, -(-size // CHUNK))


def sealed_span(size: int, first: int, end: int) -> tuple[int, int, int]:
    """Return where bytes [first, end) of a plaintext of *size* lie: bytes [a, b) of the body, and the
    offset in the plaintext that these begin at, as `Body.open_part` takes it.

    Raises MalformedError for a range that is empty or not inside the plaintext.
    """
    if not 0 <= first < end <= size:
        raise MalformedError(f"a range lies within the {size} bytes of the item")
    start, stop = first // CHUNK, -(-end // CHUNK)
    last = min(NONCE + stop * SEALED, body_size(size))
    return (NONCE + start * SEALED if start else 0), last, start * CHUNK


def counter(index: int, *, last: bool) -> bytes:
    """Return the nonce of chunk *index*. Raises MalformedError beyond the 2**88 that can be counted."""
    if not 0 <= index < _MAX_CHUNKS:
        raise MalformedError("a body has at most 2**88 chunks")
    return index.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def payload_cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    """Return the cipher of the body under *file_key* that begins with *nonce*."""
    return ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))


class Body:
    """One body: file key, nonce and plaintext *size* known, sealed and opened part by part."""

    def __init__(self, file_key: bytes, nonce: bytes, size: int) -> None:
        self._aead = payload_cipher(file_key, nonce)
        self._nonce = nonce
        self._size = size

    def seal_part(
        self, offset: int, data: bytes | memoryview, executor: Executor | None = None
    ) -> bytearray:
        """Seal the plaintext at *offset*; the part at offset 0 begins with the nonce.

        *offset* is a multiple of the chunk, and so is the length unless the part ends the body.
        Raises MalformedError otherwise.
        """
        self._check(offset, len(data))
        head = len(self._nonce) if offset == 0 else 0
        out = bytearray(head + len(data) + TAG * _chunks(len(data), CHUNK))
        out[:head] = self._nonce[:head]
        with memoryview(data) as view, memoryview(out)[head:] as target:
            seal = partial(self._seal, offset, view, target)
            for _ in in_order(executor, seal, _batches(len(view), CHUNK)):
                pass
        return out

    def open_part(
        self, offset: int, data: bytes | bytearray | memoryview, executor: Executor | None = None
    ) -> bytes:
        """Return the plaintext of what `seal_part` made at *offset*. Raises VerificationError."""
        if offset == 0 and bytes(data[:NONCE]) != self._nonce:
            raise VerificationError("body does not begin with its nonce")
        view = memoryview(data)[NONCE if offset == 0 else 0 :]
        chunks = -(-len(view) // SEALED)
        out = bytearray(max(0, len(view) - TAG * chunks))
        with memoryview(out) as target:
            opened = partial(self._open, offset, view, target)
            for _ in in_order(executor, opened, _batches(len(view), SEALED)):
                pass
        return bytes(out)

    def _seal(self, offset: int, view: memoryview, target: memoryview, batch: range) -> None:
        for i in batch:
            chunk = view[i * CHUNK : (i + 1) * CHUNK]
            nonce = self._nonce_at(offset + i * CHUNK, len(chunk))
            out = target[i * SEALED : i * SEALED + len(chunk) + TAG]
            self._aead.encrypt_into(nonce, chunk, None, out)

    def _open(self, offset: int, view: memoryview, target: memoryview, batch: range) -> None:
        for i in batch:
            chunk = view[i * SEALED : (i + 1) * SEALED]
            size = len(chunk) - TAG
            nonce = self._nonce_at(offset + i * CHUNK, size)
            open_chunk(self._aead, nonce, chunk, target[i * CHUNK : i * CHUNK + max(0, size)])

    def _nonce_at(self, offset: int, length: int) -> bytes:
        return counter(offset // CHUNK, last=offset + length == self._size)

    def _check(self, offset: int, length: int) -> None:
        end = offset + length
        whole = length % CHUNK == 0 and length > 0
        if offset % CHUNK or end > self._size or not (whole or end == self._size):
            raise MalformedError(f"a part is a multiple of {CHUNK} bytes unless it is the last")


def open_chunk(aead: ChaCha20Poly1305, nonce: bytes, chunk: memoryview, out: memoryview) -> int:
    """Open one chunk into *out*, of its exact size; return that. Raises VerificationError."""
    try:
        return aead.decrypt_into(nonce, chunk, None, out)
    except (InvalidTag, ValueError):
        raise VerificationError("body does not hold: it was cut, changed or is another's") from None


def _chunks(length: int, step: int) -> int:
    return max(1, -(-length // step))


def _batches(length: int, step: int) -> Iterator[range]:
    chunks = _chunks(length, step)
    return (range(at, min(at + BATCH, chunks)) for at in range(0, chunks, BATCH))
