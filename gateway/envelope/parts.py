"""Parts of a body: 64 MiB each, the last as it comes, each with a digest of its own.

A transfer that was cut off hashes no more than one part again, and a part that does not hold is named
and fetched again alone. The digest of the whole stays what orders and manifests rest on.
"""

import hashlib

PART = 64 << 20  # bytes of the body, its nonce included; no multiple of a chunk, and need not be
_PIECE = 4 << 20  # bytes hashed at once


def parts_in(body_size: int) -> int:
    """Return how many parts a body of *body_size* bytes has; at least one."""
    return max(1, -(-body_size // PART))


def part_span(body_size: int, k: int) -> tuple[int, int]:
    """Return where part *k* of a body lies: bytes [start, end)."""
    return k * PART, min((k + 1) * PART, body_size)


class PartDigests:
    """The SHA-256 of every part of a body, fed in order by pieces of any length."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._hash = hashlib.sha256()
        self._held = 0

    def copy(self) -> "PartDigests":
        """Return one that goes on from here by itself."""
        made = PartDigests()
        made._done, made._hash, made._held = [*self._done], self._hash.copy(), self._held
        return made

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the body."""
        with memoryview(data) as view:
            at = 0
            while at < len(view):
                piece = view[at : at + min(_PIECE, PART - self._held)]
                self._hash.update(piece)
                self._held += len(piece)
                at += len(piece)
                if self._held == PART:
                    self._close()

    def digests(self) -> tuple[str, ...]:
        """Return the digests (hex) of the parts so far, the last maybe of a part that is cut short."""
        done = [digest.hex() for digest in self._done]
        return (*done, self._hash.hexdigest()) if self._held or not done else (*done,)

    def _close(self) -> None:
        self._done.append(self._hash.digest())
        self._hash, self._held = hashlib.sha256(), 0
