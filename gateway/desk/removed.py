"""What was taken out, and the spellings under which it could still be somewhere.

The values live in memory alone: no message, record or temporary file ever holds one.
"""

import base64
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import AnyStr, Generic
from urllib.parse import quote

from gateway.kernel.errors import TooLargeError

MAX_VALUES = 20_000
SHOWN = 5  # places named of one check
TOKEN = "[redacted]"  # noqa: S105 - the word that replaces what was taken out, whatever its length
UNSEARCHED = 2  # characters: so short a value is everywhere
WHOLE_WORD = 4  # characters: up to here a value is searched as a whole word only
SQUEEZED = 8  # letters and digits: from here on a value is searched through spaces and signs
IN_BYTES = 6  # characters: shorter ones stand in compressed bytes by chance
IN_BULK = 12  # characters: shorter lines of a removed range may lawfully stand elsewhere
_LEGACY = ("cp1250", "cp1251", "cp1252", "koi8-r")
_SPACE = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Removed:
    """The values taken out so far: each with where it stood, and how often each instruction met."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    unsearched: list[str] = field(default_factory=list)
    too_short: int = 0
    bulk: int = 0
    matches: dict[int, int] = field(default_factory=dict)

    def count(self, instruction: int, times: int = 1) -> None:
        """Note that an instruction met something."""
        self.matches[instruction] = self.matches.get(instruction, 0) + times

    def add(self, value: str, place: str) -> None:
        """Note one value. Raises TooLargeError beyond `MAX_VALUES` different ones."""
        shown = fold(value).strip()
        if value in self.values or not shown or value == TOKEN:
            return
        if len(shown) <= UNSEARCHED or shown in ("true", "false", "null"):
            self.too_short += 1
            if len(self.unsearched) < SHOWN and place not in self.unsearched:
                self.unsearched.append(place)
            return
        if len(self.values) >= MAX_VALUES:
            raise TooLargeError(
                f"more than {MAX_VALUES} different values to look for afterwards: split the file"
            )
        self.values[value] = place

    def add_bulk(self, value: str, place: str) -> None:
        """Note a line or row of a range taken out: short ones are only counted."""
        if len(fold(value).strip()) >= IN_BULK:
            self.add(value, place)
        else:
            self.bulk += 1


def fold(text: str) -> str:
    """Return *text* so that other spellings of it are equal: case, accents, width, invisible signs, spaces."""
    if not text.isascii():
        spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
        text = "".join(c for c in spread if unicodedata.category(c) not in ("Mn", "Cf"))
    return _SPACE.sub(" ", text.casefold())


def squeeze(folded: str) -> str:
    """Return only the letters and digits of folded text."""
    return _NOT_WORD.sub("", folded)


def spellings(value: str) -> set[bytes]:
    """Return how *value* may be written in bytes, ASCII letters in lower case: encodings and escapes."""
    found: set[bytes] = set()
    for form in _forms(value):
        found |= set(_encoded(form))
        found |= {_utf(escaped, "utf-8") for escaped in _escaped(form)}
        for data in (_utf(form, "utf-8"), _utf(form, "utf-16-be")):
            found |= {data.hex().encode(), *_base64(data)}
    return {data.lower() for data in found}


def _utf(text: str, name: str) -> bytes:
    """Encode text; JSON may bring half a pair of surrogates."""
    return text.encode(name, "surrogatepass")


def _forms(value: str) -> set[str]:
    cases = {value, value.lower(), value.upper(), value.casefold(), value.title()}
    return {form for text in cases for form in _normal(text)}


def _normal(text: str) -> tuple[str, ...]:
    made = unicodedata.normalize
    return made("NFC", text), made("NFD", text), made("NFKC", text)


def _encoded(form: str) -> Iterator[bytes]:
    yield from (_utf(form, name) for name in ("utf-8", "utf-16-le", "utf-16-be"))
    if not form.isascii():
        for name in _LEGACY:
            try:
                yield form.encode(name)
            except UnicodeEncodeError:
                continue


def _escaped(form: str) -> Iterator[str]:
    yield json.dumps(form)[1:-1]
    yield json.dumps(json.dumps(form)[1:-1])[1:-1]  # JSON within a string of JSON
    yield json.dumps(form, ensure_ascii=False)[1:-1]
    yield "".join(f"\\u{unit:04x}" for unit in _units(form))
    yield quote(_utf(form, "utf-8"), safe="")
    for ampersand in ("&#{};", "&#x{:x};"):
        yield "".join(
            c if c.isascii() and c not in "<>&\"'" else ampersand.format(ord(c)) for c in form
        )
    yield (
        form.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
    yield form.replace('"', '""')


def _units(form: str) -> Iterator[int]:
    data = _utf(form, "utf-16-be")
    for at in range(0, len(data), 2):
        yield int.from_bytes(data[at : at + 2], "big")


def _base64(data: bytes) -> Iterator[bytes]:
    """Yield what base64 of anything around *data* must hold, at each of the three alignments."""
    for shift in range(3):
        padded = bytes(shift) + data
        text = base64.b64encode(padded).rstrip(b"=")
        first = (shift * 8 + 5) // 6
        last = len(padded) * 8 // 6
        core = text[first:last]
        if len(core) >= IN_BYTES:
            yield from (core, core.translate(bytes.maketrans(b"+/", b"-_")))


_FEW = 16  # needles: so many are looked for one by one
_HEAD = 6  # signs of a needle that are looked up first
_WINDOW = 1 << 12  # signs in which these heads are looked up at once


class Index(Generic[AnyStr]):
    """Many needles to find in one pass: by their first signs, or one by one if they are few."""

    def __init__(self, needles: Iterable[AnyStr]) -> None:
        self._needles: list[AnyStr] = sorted(set(needles))
        self.longest = max(map(len, self._needles), default=0)
        self._width = min(_HEAD, min(map(len, self._needles), default=0))
        self._by: dict[AnyStr, list[AnyStr]] = {}
        for needle in self._needles if len(self._needles) > _FEW else ():
            self._by.setdefault(needle[: self._width], []).append(needle)
        self._heads: set[tuple[object, ...]] = {tuple(head) for head in self._by}

    def find(self, hay: AnyStr) -> Iterator[tuple[int, int]]:
        """Yield start and end of every place where a needle stands."""
        if not self._by:
            for needle in self._needles:
                at = hay.find(needle)
                while at >= 0:
                    yield at, at + len(needle)
                    at = hay.find(needle, at + 1)
            return
        for start in range(0, len(hay), _WINDOW):
            window = hay[start : start + _WINDOW + self._width - 1]
            # Most windows hold no head of any needle, and this loop runs in C.
            if not self._heads.isdisjoint(
                zip(*(window[n:] for n in range(self._width)), strict=False)
            ):
                yield from self._within(hay, start, window)

    def _within(self, hay: AnyStr, start: int, window: AnyStr) -> Iterator[tuple[int, int]]:
        for at in range(len(window) - self._width + 1):
            for needle in self._by.get(window[at : at + self._width], ()):
                if hay.startswith(needle, start + at):
                    yield start + at, start + at + len(needle)
