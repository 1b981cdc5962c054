"""The word that a forensic mark repeats: 192 bits, found again from any whole turn of it.

    sync (32 bits, constant) ‖ tag (128 random bits) ‖ CRC-32 of the tag (32 bits)

The tag says nothing: whom it is for stands in the register alone. A carrier (pixels, spaces, quotation
marks) holds the word over and over; its reader counts votes for each of the 192 places and turns them until
sync and checksum fit, or until most bits agree with a tag of the register.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

BITS = 192
TAG_BITS = 128
SYNC = 0xD5A7_1CE9
ENOUGH = 168  # of 192 bits that agree: for a random word, chances are below 1 in 10**25


@dataclass(frozen=True, slots=True)
class Votes:
    """For each of the 192 places how many ones were read, and how many readings there were."""

    ones: Sequence[int]
    readings: Sequence[int]


@dataclass(frozen=True, slots=True)
class Reading:
    """A tag as it was read: by its own checksum, or by comparing with known ones; *agree* of 192 bits."""

    tag: bytes
    agree: int


def word_of(tag: bytes) -> list[int]:
    """Return the bits of the word for a 16-byte tag."""
    whole = SYNC.to_bytes(4, "big") + tag + zlib.crc32(tag).to_bytes(4, "big")
    return [byte >> (7 - n) & 1 for byte in whole for n in range(8)]


def read(candidates: Iterable[int], known: Iterable[bytes]) -> Reading | None:
    """Return the tag that one of the candidate words holds, or None.

    *known* tags are recognised in spite of faults.
    """
    words = list(candidates)
    for word in words:
        tag = (word >> 32 & (1 << TAG_BITS) - 1).to_bytes(16, "big")
        if word == number(word_of(tag)):
            return Reading(tag, BITS)
    best = max((_closest(words, tag) for tag in known), key=lambda r: r.agree, default=None)
    return best if best is not None and best.agree >= ENOUGH else None


def _closest(words: Sequence[int], tag: bytes) -> Reading:
    wanted = number(word_of(tag))
    return Reading(tag, max((BITS - (word ^ wanted).bit_count() for word in words), default=0))


def majority(votes: Votes) -> list[int]:
    """Return what most readings say of each place; nothing if a place was never read."""
    if not all(votes.readings):
        return []
    pairs = zip(votes.ones, votes.readings, strict=True)
    return [int(2 * ones > count) for ones, count in pairs]


def turns(votes: Votes) -> Iterator[int]:
    """Yield the word at each of the places where it may begin."""
    bits = majority(votes)
    for by in range(len(bits)):
        yield number([*bits[by:], *bits[:by]])


def number(bits: Iterable[int]) -> int:
    """Return bits as a number, the first the highest."""
    found = 0
    for bit in bits:
        found = found << 1 | bit
    return found


def count(bits: Iterable[int]) -> Votes:
    """Count a run of bits that repeats the word, from wherever it begins."""
    ones, readings = [0] * BITS, [0] * BITS
    for at, bit in enumerate(bits):
        ones[at % BITS] += bit
        readings[at % BITS] += 1
    return Votes(ones, readings)


def added(some: Iterable[Votes]) -> Votes:
    """Return the sum of votes, such as those of the pages of one document."""
    all_ = list(some)
    ones = [sum(column) for column in zip(*(v.ones for v in all_), strict=True)]
    readings = [sum(column) for column in zip(*(v.readings for v in all_), strict=True)]
    return Votes(ones or [0] * BITS, readings or [0] * BITS)
