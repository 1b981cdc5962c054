"""The digests of an upload: of its plaintext, of its sealed body, and of each 64 MiB of that.

They are taken while parts come in, each hash beside the others and beside the disk. A server that has not
seen every part in turn (it was restarted, or another took some) has no such tally, and reads the durable
parts back once instead: slower, and the same digests.
"""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from gateway.envelope import CHUNK, NONCE, TAG, Body, Lane, PartDigests
from gateway.kernel.errors import NotFoundError
from gateway.store.blobs import LocalBlobs
from gateway.store.uploads import Part

_TALLIES = 256  # uploads that are hashed as they come; of others the parts are read back
_AHEAD = 2  # parts that a hash may lag behind, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256, in hex: of the plaintext, of the sealed body, and of its parts of 64 MiB."""

    plain: str
    sealed: str
    parts: tuple[str, ...]


class Tally:
    """The digests of one upload, as far as its parts have come: to the plaintext's byte *at*."""

    def __init__(self, executor: Executor) -> None:
        self.at = 0
        self._plain, self._sealed, self._parts = hashlib.sha256(), hashlib.sha256(), PartDigests()
        self._plain_lane = Lane[bytes](executor, self._plain.update, _AHEAD)
        self._sealed_lane = Lane[bytes | bytearray](executor, self._sealed.update, _AHEAD)
        self._parts_lane = Lane[bytes | bytearray](executor, self._parts.update, _AHEAD)

    def add(self, data: bytes, sealed: bytes | bytearray) -> None:
        """Take the next part; wait if the hashes lag too far behind."""
        self._plain_lane.put(data)
        self._sealed_lane.put(sealed)
        self._parts_lane.put(sealed)
        self.at += len(data)

    def digests(self) -> Digests:
        """Wait for the hashes, and return what they are so far."""
        for lane in (self._plain_lane, self._sealed_lane, self._parts_lane):
            lane.join()
        parts = self._parts.digests()
        return Digests(self._plain.hexdigest(), self._sealed.hexdigest(), parts)


class Tallies:
    """The tallies of uploads that are open, the least recently used ones dropped beyond a number."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Tally] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, upload: str, start: int, executor: Executor) -> Tally | None:
        """Return the tally of an upload that has come to *start*; at 0 a new one."""
        with self._lock:
            found = Tally(executor) if start == 0 else self._kept.pop(upload, None)
            if found is None or found.at != start:
                return None
            self._kept[upload] = found
            if len(self._kept) > _TALLIES:
                self._kept.popitem(last=False)
            return found

    def drop(self, upload: str) -> None:
        """Forget a tally: the upload has ended, or a part of it may or may not have become durable."""
        with self._lock:
            self._kept.pop(upload, None)


def crew() -> ThreadPoolExecutor:
    """Make the threads on which ciphers and hashes run beside each other. None of their work waits."""
    return ThreadPoolExecutor((os.cpu_count() or 1) + 2, thread_name_prefix="crew")


def take(
    tally: Tally | None, blobs: LocalBlobs, body: Body, parts: list[Part], executor: Executor
) -> Digests:
    """Return the digests of an upload whose *parts* are all there: from its tally, or read back.

    Raises NotFoundError or VerificationError if a part is missing or damaged. A tally has hashed what was
    written and made durable; of the blobs only their sizes are looked at again.
    """
    if tally is None or not all(_as_written(blobs, part) for part in parts):
        tally = Tally(executor)
        for plain, sealed in _read_back(blobs, body, parts, executor):
            tally.add(plain, sealed)
    return tally.digests()


def _as_written(blobs: LocalBlobs, part: Part) -> bool:
    """Tell whether a part is durable and as long as it was made."""
    if part.blob is None:
        return False
    head = NONCE if part.start == 0 else 0
    return blobs.size(part.blob) == head + part.size + TAG * max(1, -(-part.size // CHUNK))


def _read_back(
    blobs: LocalBlobs, body: Body, parts: list[Part], executor: Executor
) -> Iterable[tuple[bytes, bytes]]:
    for part in parts:
        if part.blob is None:
            raise NotFoundError("a part of the upload is not durable yet")
        sealed = b"".join(blobs.read(part.blob))
        yield body.open_part(part.start, sealed, executor), sealed
