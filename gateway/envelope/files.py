"""Whole age files: header and body joined, as any stock tool reads them."""

import io
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import BinaryIO

from gateway.envelope.body import NONCE
from gateway.envelope.header import unwrap, wrap
from gateway.envelope.keys import FILE_KEY_SIZE, Identity, Recipient
from gateway.envelope.stanza import MAX_HEADER, header_size
from gateway.envelope.stream import Readable, open_body, seal_body


def new_file_key() -> bytes:
    """Draw a file key, 16 bytes. One key seals one body, ever."""
    return secrets.token_bytes(FILE_KEY_SIZE)


def new_nonce() -> bytes:
    """Draw the nonce of a body, 16 bytes."""
    return secrets.token_bytes(NONCE)


def seal_stream(
    source: Readable,
    sink: BinaryIO,
    recipients: Sequence[Recipient],
    executor: Executor | None = None,
) -> None:
    """Seal a stream to *recipients*, in constant memory."""
    file_key = new_file_key()
    sink.write(wrap(file_key, recipients))
    seal_body(file_key, new_nonce(), source, sink, executor)


def unseal_stream(
    source: Readable, identities: Sequence[Identity], executor: Executor | None = None
) -> Iterator[bytes]:
    """Yield the plaintext of an age file. Raises MalformedError or VerificationError.

    Use what is yielded only once the iteration has ended without an error.
    """
    start = source.read(MAX_HEADER)
    file_key = unwrap(start, identities)
    rest = _Joined(start[header_size(start) :], source)
    yield from open_body(file_key, rest, executor)


def seal_bytes(data: bytes, recipients: Sequence[Recipient]) -> bytes:
    """Seal a small text in memory."""
    sink = io.BytesIO()
    seal_stream(io.BytesIO(data), sink, recipients)
    return sink.getvalue()


def unseal_bytes(data: bytes, identities: Sequence[Identity]) -> bytes:
    """Open a small age file in memory. Raises MalformedError or VerificationError."""
    return b"".join(unseal_stream(io.BytesIO(data), identities))


class _Joined:
    """Bytes already read, then the stream they were read from."""

    def __init__(self, head: bytes, tail: Readable) -> None:
        self._head = io.BytesIO(head)
        self._tail = tail

    def read(self, size: int, /) -> bytes:
        return self._head.read(size) or self._tail.read(size)
