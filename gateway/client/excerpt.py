"""A range of an item without the rest of it: its header, and the chunks that hold the range.

Each chunk is authentic under the item's file key, which everybody has who holds the item. That these are
the bytes that were signed is known only once the parts of the body that hold them were hashed (*checked*).
"""

import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from gateway.client.arrived import Piece, pieces
from gateway.client.session import Session
from gateway.envelope import CHUNK, NONCE, Body, Identity, sealed_span, unwrap
from gateway.exchange.manifest import Inner, Manifest, SealedItem
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import MalformedError, NotFoundError, VerificationError

_RANGE = re.compile(r"(\d{1,18})-(\d{0,18})", re.ASCII)
_STEP = 64 * CHUNK  # bytes of plaintext opened at once
_READ = 1 << 20


class Sealed(Protocol):
    """Where header ‖ body of an item is read from."""

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes [start, end)."""
        ...


class Remote:
    """An item at the gateway, by Range requests."""

    def __init__(self, session: Session, share: str, n: int) -> None:
        self._session, self._target = session, f"/v1/shares/{share}/items/{n}"

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes [start, end). Raises UnavailableError, MalformedError for another answer."""
        headers = {"Range": f"bytes={start}-{end - 1}"}
        async with self._session.stream("GET", self._target, headers=headers) as response:
            if response.status != 206:
                raise MalformedError("the gateway sends something else than the range asked for")
            async for data in response.content.iter_chunked(_READ):
                yield data


class Local:
    """An item in a file, of which the first byte is byte *begins* of header ‖ body."""

    def __init__(self, handle: BinaryIO, begins: int = 0) -> None:
        self._handle, self._begins = handle, begins

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes [start, end), or what there is of them."""
        self._handle.seek(start - self._begins)
        while start < end and (data := self._handle.read(min(_READ, end - start))):
            start += len(data)
            yield data


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What was shown: bytes [first, end) of the plaintext, and in words how far they were verified."""

    first: int
    end: int
    checked: str | None

    @property
    def words(self) -> str:
        """Say what is known of the bytes, and what is not."""
        if self.checked is not None:
            return f"{self.checked} what was signed; nothing else of the item was looked at"
        return (
            "the item was not verified: these bytes are authentic under its key, which everybody has who "
            "holds the item; with --check they are compared with what was signed"
        )


def bounds(text: str, size: int) -> tuple[int, int]:
    """Read `A-B`, both included, or `A-`, as [first, end). Raises MalformedError."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise MalformedError("a range is A-B, both included, or A- for all from A on")
    first, last = match.groups()
    end = min(int(last) + 1, size) if last else size
    sealed_span(size, int(first), end)
    return int(first), end


async def excerpt(
    source: Sealed,
    layers: tuple[Manifest, Inner],
    n: int,
    text: str,
    identities: list[Identity],
    sink: Callable[[bytes], object],
    *,
    check: bool,
) -> Excerpt:
    """Give the range *text* of item *n* to *sink*, a few MiB at a time.

    With *check* nothing is given before every part of the body that holds some of it was hashed whole.
    Raises NotFoundError, MalformedError, VerificationError.
    """
    manifest, inner = layers
    if not 0 <= n < len(manifest.items):
        raise NotFoundError("the share has no such item")
    item = manifest.items[n]
    first, end = bounds(text, item.size)
    body = await _body(source, item, identities)
    checked = None
    with ExitStack() as stack:
        if check:
            kept = stack.enter_context(tempfile.TemporaryFile())
            needed = _needed(item, inner.parts_of(n), first, end)
            checked = await _copy(source, needed, kept, item)
            source = Local(kept, needed[0].start)
        for at in range(first // _STEP * _STEP, end, _STEP):
            span = max(first, at), min(end, at + _STEP)
            sink(await _open(source, item, body, *span))
    return Excerpt(first, end, checked)


async def _body(source: Sealed, item: SealedItem, identities: list[Identity]) -> Body:
    """Open the header and read the nonce behind it."""
    start = await _all(source, 0, item.header_size + NONCE)
    header, nonce = start[: item.header_size], start[item.header_size :]
    if hex_sha256(header) != item.header:
        raise VerificationError(f"the header of item {item.n} is not what the manifest says")
    return Body(unwrap(header, identities), nonce, item.size)


def _needed(item: SealedItem, parts: tuple[str, ...], first: int, end: int) -> list[Piece]:
    start, stop, _ = sealed_span(item.size, first, end)
    start, stop = start + item.header_size, stop + item.header_size
    return [p for p in pieces(item, parts)[1:] if p.start < stop and start < p.end]


async def _copy(source: Sealed, needed: list[Piece], kept: BinaryIO, item: SealedItem) -> str:
    """Keep whole parts, still sealed; return in words which, if each is what was signed."""
    for piece in needed:
        digest = hashlib.sha256()
        async for data in source.read(piece.start, piece.end):
            digest.update(data)
            kept.write(data)
        if digest.hexdigest() != piece.sha256:
            raise VerificationError(f"{piece.name} of item {item.n} is not what the manifest says")
    verb = "is" if len(needed) == 1 else "are"
    return f"{', '.join(piece.name for piece in needed)} {verb}"


async def _open(source: Sealed, item: SealedItem, body: Body, first: int, end: int) -> bytes:
    start, stop, offset = sealed_span(item.size, first, end)
    data = await _all(source, item.header_size + start, item.header_size + stop)
    if len(data) != stop - start:
        raise VerificationError("the item ends before the range does")
    return body.open_part(offset, data)[first - offset : end - offset]


async def _all(source: Sealed, start: int, end: int) -> bytes:
    return b"".join([data async for data in source.read(start, end)])


def local(path: Path, stack: ExitStack) -> Local:
    """Open a file that holds header ‖ body of an item. Raises NotFoundError."""
    try:
        return Local(stack.enter_context(path.open("rb")))
    except OSError:
        raise NotFoundError(f"cannot read {path.name}") from None
