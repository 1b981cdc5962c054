"""Checks of a derivative: what was taken out is nowhere in it, under no spelling that is known here.

A check is a name, whether it passed, and what it found, for people: places, never values.
"""

from collections.abc import Iterable, Iterator, Sequence

from gateway.desk.removed import (
    IN_BYTES,
    SHOWN,
    SQUEEZED,
    WHOLE_WORD,
    Index,
    Removed,
    fold,
    spellings,
    squeeze,
)
from gateway.exchange.derivation_acts import DerivationCheck
from gateway.kernel.errors import VerificationError

_DETAIL = 500  # characters
Parts = Iterable[tuple[str, str]]


def check(name: str, faults: Sequence[str], fine: str) -> DerivationCheck:
    """Return a check that passed if there are no faults, with the first of them or what is *fine*."""
    more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    detail = "; ".join(faults[:SHOWN]) + more if faults else fine
    return DerivationCheck(name, not faults, detail[:_DETAIL])


def demand(checks: Iterable[DerivationCheck]) -> tuple[DerivationCheck, ...]:
    """Return the checks. Raises VerificationError that names every one that failed."""
    kept = tuple(checks)
    failed = [f"{one.name}: {one.detail}" for one in kept if not one.passed]
    if failed:
        raise VerificationError("nothing was written; " + "; ".join(failed))
    return kept


def shown_place(place: str, removed: Removed) -> str:
    """Return a place without any name in it that holds what was taken out, or a terminal obeys."""
    folded = squeeze(fold(place))
    if any(squeeze(fold(value)) in folded for value in removed.values if squeeze(fold(value))):
        return "a place whose own name must not be told"
    return "".join(c if c.isprintable() else "?" for c in place)[:80]


def searched(removed: Removed) -> DerivationCheck:
    """Say what could not be looked for in the derivative, because it is too short or stands in bulk."""
    notes = [f"{len(removed.values)} different values are looked for"]
    if removed.unsearched:
        places = [shown_place(place, removed) for place in removed.unsearched]
        more = ", …" if removed.too_short > len(places) else ""
        notes.append(f"{removed.too_short} too short to be looked for: {', '.join(places)}{more}")
    words = sum(1 for value in removed.values if len(fold(value)) <= WHOLE_WORD)
    if words:
        notes.append(f"{words} of 3 or 4 characters are looked for as whole words")
    if removed.bulk:
        notes.append(f"{removed.bulk} short lines or rows of what was taken out whole are not")
    return check("searched-for", (), "; ".join(notes))


def absent_from_text(
    removed: Removed, parts: Parts, *, running: bool = False, name: str = "absent-from-text"
) -> DerivationCheck:
    """Look for every value in the parts, in whatever case, accents, width, spacing or punctuation.

    *running*: each part goes on where the last one ended, so that a value may stand across both.
    """
    finder = _Finder(removed, running=running)
    faults: list[str] = []
    for place, text in parts:
        if finder.found(text):
            shown = shown_place(place, removed) if len(faults) < SHOWN else ""
            faults.append(f"a removed value is still at {shown}")
    return check(name, faults, f"none in {finder.parts} parts")


def words_left(removed: Removed, parts: Parts) -> DerivationCheck:
    """Name the places where a single long word of a removed value still stands, for a person to look at.

    It is no fault: a street or a town may lawfully stand there. A surname may be, and only a person can tell.
    """
    single = Removed()
    for value in removed.values:
        words = [word for word in fold(value).split() if len(squeeze(word)) > WHOLE_WORD]
        for word in words if len(fold(value).split()) > 1 else ():
            single.add(word, "")
    finder = _Finder(single, running=False)
    places = [shown_place(place, removed) for place, text in parts if finder.found(text)]
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    told = f"look at: {'; '.join(places[:SHOWN])}{more}" if places else "none stands elsewhere"
    return check("single-words-elsewhere", (), told)


class _Finder:
    """The needles of text, and the end of the part before."""

    def __init__(self, removed: Removed, *, running: bool) -> None:
        folded = {fold(value).strip() for value in removed.values}
        long = {squeeze(text) for text in folded if len(squeeze(text)) >= SQUEEZED}
        self._long = Index(long)
        self._short = Index(text for text in folded if len(squeeze(text)) < SQUEEZED)
        self._running, self._tails, self.parts = running, ("", ""), 0

    def found(self, text: str) -> bool:
        self.parts += 1
        folded = fold(text)
        hays = (self._tails[0] + folded, self._tails[1] + squeeze(folded))
        starts = tuple(len(tail) for tail in self._tails)
        hit = any(
            end > starts[0] and _stands_alone(hays[0], at, end)
            for at, end in self._short.find(hays[0])
        ) or any(end > starts[1] for _, end in self._long.find(hays[1]))
        if self._running:
            self._tails = (
                _tail(hays[0], self._short.longest + 1),
                _tail(hays[1], self._long.longest),
            )
        return hit


def _tail(hay: str, size: int) -> str:
    return hay[-size:] if size else ""


def _stands_alone(hay: str, at: int, end: int) -> bool:
    """Tell whether a hit counts: a short one only as a whole word."""
    if end - at > WHOLE_WORD:
        return True
    return not (hay[at - 1 : at].isalnum() or hay[end : end + 1].isalnum())


def absent_from_bytes(
    removed: Removed, chunks: Iterable[tuple[str, bytes]], *, name: str = "absent-from-bytes"
) -> DerivationCheck:
    """Look for every value of some length in bytes: as UTF-8, UTF-16, legacy encodings, escapes, base64."""
    long = [value for value in removed.values if len(value) >= IN_BYTES]
    needles = Index(data for value in long for data in spellings(value))
    faults, size = [], 0
    for place, data in chunks:
        size += len(data)
        if next(needles.find(data.lower()), None) is not None:
            faults.append(f"a removed value is still in {place}")
    return check(name, faults, f"none of {len(long)} values in {size} bytes")


def overlapping(
    blocks: Iterable[bytes], place: str, overlap: int = 1 << 16
) -> Iterator[tuple[str, bytes]]:
    """Yield blocks of a file each with the end of the one before, so that nothing hides at a border."""
    tail = b""
    for number, block in enumerate(blocks):
        data = tail + block
        yield f"{place} (block {number})", data
        tail = data[-overlap:]
