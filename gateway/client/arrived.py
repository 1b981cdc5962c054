"""What has arrived of an item: which pieces of it hold, by digests that were signed.

An item comes as pieces: its header, then the parts of its body, or the whole body if it has one part.
Which parts hold is kept in a small file beside the item's, so that after a cut no more than one part is
hashed again. What that file says is believed as long as the item opens; if it does not, `recheck` hashes
everything once more.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gateway.client.push import sync
from gateway.envelope import part_span
from gateway.exchange.manifest import SealedItem
from gateway.kernel.errors import MalformedError

_READ = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes [start, end) of header ‖ body, and their SHA-256 (hex)."""

    name: str
    start: int
    end: int
    sha256: str


def pieces(item: SealedItem, parts: Sequence[str]) -> list[Piece]:
    """Return the pieces of an item: header, then the body by its *parts*, or whole if none are known."""
    head = item.header_size
    header = Piece("the header", 0, head, item.header)
    if not parts:
        return [header, Piece("the body", head, head + item.body_size, item.body)]
    spans = [part_span(item.body_size, k) for k in range(len(parts))]
    return [header] + [
        Piece(f"part {k + 1} of {len(parts)}", head + start, head + end, digest)
        for k, ((start, end), digest) in enumerate(zip(spans, parts, strict=True))
    ]


class Arrived:
    """The pieces of one item in the file *path*; those in `good` hold."""

    def __init__(self, path: Path, item: SealedItem, parts: Sequence[str]) -> None:
        self.path = path
        self.pieces = pieces(item, parts)
        if self.size > self.pieces[-1].end:  # nothing that came from the gateway
            os.truncate(path, self.pieces[-1].end)
        self.good = self._kept()
        for n, piece in enumerate(self.pieces):
            if n not in self.good and piece.end <= self.size and self._holds(piece):
                self.vouch(n)

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def held(self) -> int:
        """The bytes that need not come again."""
        run = self.missing()
        good = sum(self.pieces[n].end - self.pieces[n].start for n in self.good)
        return good + (self.begun(run) if run else 0)

    def missing(self) -> range | None:
        """Return the first run of pieces that do not hold yet."""
        bad = [n for n in range(len(self.pieces)) if n not in self.good]
        if not bad:
            return None
        after = (n for n in range(bad[0], len(self.pieces)) if n in self.good)
        return range(bad[0], next(after, len(self.pieces)))

    def begun(self, run: range) -> int:
        """Return how many bytes of the first piece of *run* are there, if the file ends inside it."""
        first = self.pieces[run[0]]
        there = self.size - first.start
        return there if 0 < there < first.end - first.start else 0

    def vouch(self, n: int) -> None:
        """Keep that piece *n* holds; it is durable already. The header is hashed anew each time."""
        if n:
            with _state(self.path).open("a", encoding="ascii") as handle:
                handle.write(_line(n, self.pieces[n]))
        self.good.add(n)

    def _kept(self) -> set[int]:
        state = _state(self.path)
        lines = state.read_text("ascii").splitlines(keepends=True) if state.exists() else []
        known = {_line(n, piece): n for n, piece in enumerate(self.pieces)}
        found = {known[line] for line in lines if line in known}
        return {n for n in found if self.pieces[n].end <= self.size}

    def _holds(self, piece: Piece) -> bool:
        with self.path.open("rb") as handle:
            found: str = digest_of_span(handle, piece.start, piece.end).hexdigest()
        return found == piece.sha256


class Intake:
    """Takes the bytes of a run of pieces as they come, writes them in their place, and checks each piece."""

    def __init__(self, arrived: Arrived, run: range, handle: BinaryIO) -> None:
        begun = arrived.begun(run)
        first = arrived.pieces[run[0]].start
        self.at = first + begun
        self.end = arrived.pieces[run[-1]].end
        self.bad: list[int] = []
        self._arrived, self._n, self._handle = arrived, run[0], handle
        self._hash = digest_of_span(handle, first, self.at)
        handle.seek(self.at)

    def take(self, data: bytes) -> None:
        """Take the next bytes. Raises MalformedError for more than were asked for."""
        view = memoryview(data)
        if self.at + len(view) > self.end:
            raise MalformedError("the gateway sent more than was asked for")
        while view:
            end = self._arrived.pieces[self._n].end
            now, view = view[: end - self.at], view[end - self.at :]
            self._hash.update(now)
            self._handle.write(now)
            self.at += len(now)
            if self.at == end:
                self._close()

    def _close(self) -> None:
        if self._hash.hexdigest() == self._arrived.pieces[self._n].sha256:
            sync(self._handle)
            self._arrived.vouch(self._n)
        else:
            self.bad.append(self._n)
        self._n += 1
        self._hash = hashlib.sha256()


def recheck(path: Path, item: SealedItem, parts: Sequence[str]) -> bool:
    """Forget which parts were found to hold, and hash them all; tell whether some have to come again."""
    _state(path).unlink(missing_ok=True)
    return Arrived(path, item, parts).missing() is not None


def digest_of_span(handle: BinaryIO, start: int, end: int) -> Any:  # hashlib names no type
    """Hash bytes [start, end) of a file."""
    digest = hashlib.sha256()
    handle.seek(start)
    while start < end and (data := handle.read(min(_READ, end - start))):
        digest.update(data)
        start += len(data)
    return digest


def _state(path: Path) -> Path:
    return path.with_suffix(".verified")


def _line(n: int, piece: Piece) -> str:
    return f"{n} {piece.sha256}\n"
