"""Bodies: nonce, then ChaCha20-Poly1305 STREAM chunks of 64 KiB (c2sp.org/age, "Payload").

A body can be sealed and opened by parts, each a whole number of chunks: the counter follows from the
offset. Whoever seals a part twice must seal the same bytes, or one counter would see two plaintexts.
"""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gateway.envelope.keys import hkdf
from gateway.kernel.errors import MalformedError, VerificationError

CHUNK = 65536  # bytes of plaintext
TAG = 16
NONCE = 16
SEALED = CHUNK + TAG


class Readable(Protocol):
    """A source of bytes: a file, or bytes already read followed by one."""

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes, and none at the end."""
        ...


def body_size(size: int) -> int:
    """Return the bytes of a body whose plaintext has *size* bytes."""
    return NONCE + size + TAG * max(1, -(-size // CHUNK))


def _counter(index: int, *, last: bool) -> bytes:
    return index.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


class Body:
    """One body: file key, nonce and plaintext *size* known, sealed and opened part by part."""

    def __init__(self, file_key: bytes, nonce: bytes, size: int) -> None:
        self._aead = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
        self._nonce = nonce
        self._size = size

    def seal_part(self, offset: int, data: bytes | memoryview) -> bytearray:
        """Seal the plaintext at *offset*; the part at offset 0 begins with the nonce.

        *offset* is a multiple of the chunk, and so is the length unless the part ends the body.
        Raises MalformedError otherwise.
        """
        self._check(offset, len(data))
        view = memoryview(data)
        head = len(self._nonce) if offset == 0 else 0
        chunks = max(1, -(-len(view) // CHUNK))
        out = bytearray(head + len(view) + TAG * chunks)
        out[:head] = self._nonce[:head]
        with memoryview(out) as target:
            at = head
            for i in range(chunks):
                chunk = view[i * CHUNK : (i + 1) * CHUNK]
                nonce = self._nonce_at(offset + i * CHUNK, len(chunk))
                at += self._aead.encrypt_into(
                    nonce, chunk, None, target[at : at + len(chunk) + TAG]
                )
        return out

    def open_part(self, offset: int, data: bytes | memoryview) -> bytes:
        """Return the plaintext of what `seal_part` made at *offset*. Raises VerificationError."""
        view = memoryview(data)[NONCE if offset == 0 else 0 :]
        if offset == 0 and bytes(data[:NONCE]) != self._nonce:
            raise VerificationError("body does not begin with its nonce")
        out = []
        for start in range(0, len(view), SEALED):
            chunk = view[start : start + SEALED]
            at = offset + start // SEALED * CHUNK
            out.append(_open(self._aead, self._nonce_at(at, len(chunk) - TAG), chunk))
        return b"".join(out)

    def _nonce_at(self, offset: int, length: int) -> bytes:
        return _counter(offset // CHUNK, last=offset + length == self._size)

    def _check(self, offset: int, length: int) -> None:
        end = offset + length
        whole = length % CHUNK == 0 and length > 0
        if offset % CHUNK or end > self._size or not (whole or end == self._size):
            raise MalformedError(f"a part is a multiple of {CHUNK} bytes unless it is the last")


def _open(aead: ChaCha20Poly1305, nonce: bytes, chunk: bytes | memoryview) -> bytes:
    try:
        return aead.decrypt(nonce, chunk, None)
    except (InvalidTag, ValueError):
        raise VerificationError("body does not hold: it was cut, changed or is another's") from None


def seal_body(file_key: bytes, nonce: bytes, source: Readable, sink: BinaryIO) -> None:
    """Seal a stream of unknown length, in constant memory."""
    aead = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    sink.write(nonce)
    out = memoryview(bytearray(SEALED))
    chunk = _full(source, CHUNK)
    index = 0
    while True:
        # The last chunk is marked, so it takes a look ahead to know that a full one is last.
        following = _full(source, CHUNK) if len(chunk) == CHUNK else b""
        nonce_now = _counter(index, last=not following)
        size = aead.encrypt_into(nonce_now, chunk, None, out[: len(chunk) + TAG])
        sink.write(out[:size])
        if not following:
            return
        chunk = following
        index += 1


def open_body(file_key: bytes, source: Readable) -> Iterator[bytes]:
    """Yield the plaintext chunk by chunk; what is yielded is authentic, but only the end tells whether
    the whole is.

    Raises MalformedError for one cut inside its nonce, VerificationError for a body that was cut,
    changed, extended or is another's.
    """
    nonce = _full(source, NONCE)
    if len(nonce) != NONCE:
        raise MalformedError("body is cut inside its nonce")
    aead = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    chunk = _full(source, SEALED)
    index = 0
    while True:
        following = _full(source, SEALED) if len(chunk) == SEALED else b""
        plain, last = _either(aead, index, chunk, more=bool(following))
        if last and not plain and index:
            raise VerificationError("body ends in an empty chunk")
        yield plain
        if last != (not following):
            raise VerificationError("body was cut or extended")
        if last:
            return
        chunk = following
        index += 1


def _either(aead: ChaCha20Poly1305, index: int, chunk: bytes, *, more: bool) -> tuple[bytes, bool]:
    """Open a chunk as what its place says, else as the other kind: to release no less than was sealed."""
    try:
        return _open(aead, _counter(index, last=not more), chunk), not more
    except VerificationError:
        if not more and len(chunk) != SEALED:
            raise
        return _open(aead, _counter(index, last=more), chunk), more


def _full(source: Readable, size: int) -> bytes:
    data = source.read(size)
    while 0 < len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data
