"""Marks in text, CSV and JSON: signs nobody sees, quotation marks and spaces that mean nothing.

Text: after words, an invisible group of 14 signs (a separator, five bits of place, eight of the word), shape
neutral in every script. CSV: whether a cell that needs no quotation marks has them. JSON: whether a space
follows a comma or colon. Whoever writes the file anew with another program destroys the mark.
"""

import re
from collections.abc import Iterable, Iterator

from gateway.desk.json_text import scan
from gateway.desk.rows import plain, quoted
from gateway.desk.words import BITS, Votes, word_of
from gateway.kernel.errors import MalformedError

_ZERO, _ONE, _START = "\u200b", "\u2060", "\u2063"
_GROUP = re.compile(f"{_START}([{_ZERO}{_ONE}]{{13}})")
_BOUNDARY = re.compile(r"(?<=\S) (?=\S)")
GROUPS = BITS // 8
_LONG, _STEP = 1000, 4  # words
_NUMBER = re.compile(r"[+-]?[\d.,]*\d[\d.,%]*")
_MARK = "\ufeff"


def step_for(lines: Iterable[str]) -> int:
    """Return after how many words to set a group: in a long text not after each. Raises MalformedError."""
    words = sum(len(_BOUNDARY.findall(line)) for line in lines)
    if words < GROUPS:
        raise MalformedError(f"fewer than {GROUPS} words on lines: too short for a forensic mark")
    return _STEP if words >= _LONG else 1


class TextMarker:
    """Marks line after line of one text, and counts the groups it has set."""

    def __init__(self, tag: bytes, every: int = 1) -> None:
        bits = word_of(tag)
        self._groups = [
            _START + "".join(_ONE if bit == "1" else _ZERO for bit in f"{n:05b}") + _spelt(bits, n)
            for n in range(GROUPS)
        ]
        self._every, self._seen, self.set = every, 0, 0

    def line(self, line: str) -> str:
        """Return a line with a group after its words, or every few of them. Raises MalformedError if it has one."""
        if _GROUP.search(line):
            raise MalformedError("the text carries a mark already: mark the file it was made of")
        return _BOUNDARY.sub(self._next, line)

    def _next(self, match: re.Match[str]) -> str:
        self._seen += 1
        if self._seen % self._every:
            return match.group()
        group = self._groups[self.set % GROUPS]
        self.set += 1
        return group + match.group()


def _spelt(bits: list[int], number: int) -> str:
    return "".join(_ONE if bit else _ZERO for bit in bits[8 * number : 8 * number + 8])


def unmarked(line: str) -> str:
    """Return a line without groups."""
    return _GROUP.sub("", line)


def votes_of_text(lines: Iterable[str]) -> Votes:
    """Count the groups of a text; each says itself which part of the word it is."""
    ones, readings = [0] * BITS, [0] * BITS
    for line in lines:
        for match in _GROUP.finditer(line):
            bits = [int(sign == _ONE) for sign in match[1]]
            number = int("".join(map(str, bits[:5])), 2)
            for at, bit in enumerate(bits[5:] if number < GROUPS else ()):
                ones[8 * number + at] += bit
                readings[8 * number + at] += 1
    return Votes(ones, readings)


def marked_json(source: str, tag: bytes) -> str:
    """Return a JSON text with a bit in the space after each comma and colon. Raises MalformedError if too few."""
    mark = _MARK if source.startswith(_MARK) else ""
    source = source.removeprefix(_MARK)
    _, separators = scan(source)
    if len(separators) < 2 * BITS:
        raise MalformedError(
            f"fewer than {2 * BITS} commas and colons: too short for a forensic mark"
        )
    bits, parts, at = word_of(tag), [mark], 0
    for number, place in enumerate(separators):
        parts += [source[at:place], " " * bits[number % BITS]]
        at = _past(source, place)
    return "".join([*parts, source[at:]])


def _past(source: str, at: int) -> int:
    while source[at : at + 1] == " ":
        at += 1
    return at


def bits_of_json(source: str) -> Iterator[int]:
    """Yield whether a space follows, for each comma and colon."""
    source = source.removeprefix(_MARK)
    for place in scan(source)[1]:
        yield int(source[place : place + 1] == " ")


def carries(cell: str, delimiter: str) -> bool:
    """Tell whether a cell says the same with and without quotation marks, to every reader of CSV."""
    text = plain(cell)
    strange = set(text) & {'"', delimiter, "\r", "\n"}
    return bool(text) and not strange and text == text.strip() and not _NUMBER.fullmatch(text)


def marked_cell(cell: str, bit: int) -> str:
    """Return a cell that carries a bit: 1 with quotation marks."""
    return quoted(plain(cell)) if bit else plain(cell)
