"""Digests of the parts of a body, as the inner manifest lists them: 64 MiB each, the last as it comes.

A body of one part has no list: its digest stands in the outer manifest.
"""

from collections.abc import Sequence

import msgspec

from gateway.envelope import parts_in
from gateway.kernel.encoding import is_hex_digest
from gateway.kernel.errors import VerificationError

MAX_BODY_PARTS = 1 << 14  # a tebibyte of body


class BodyParts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The SHA-256 (hex) of each part of the body of item *n*, in order."""

    n: int
    sha256: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 < len(self.sha256) <= MAX_BODY_PARTS:
            raise ValueError(f"a list of parts has 2 to {MAX_BODY_PARTS} digests")
        if not all(is_hex_digest(digest) for digest in self.sha256):
            raise ValueError("a digest is 64 lower-case hex digits")


def check_parts(listed: Sequence[BodyParts], sizes: Sequence[int]) -> None:
    """Check lists of parts against the body sizes in the outer manifest. Raises VerificationError."""
    numbers = [one.n for one in listed]
    known = all(0 <= n < len(sizes) for n in numbers)
    if not known or numbers != sorted(set(numbers)):
        raise VerificationError("lists of parts are of the manifest's items, in their order")
    if any(len(one.sha256) != parts_in(sizes[one.n]) for one in listed):
        raise VerificationError(
            "the two layers of the manifest do not agree on the parts of a body"
        )
