"""The grammar of an age header (c2sp.org/age, "Header"): stanzas, unpadded base64, the MAC line."""

import base64
import binascii
import re
from dataclasses import dataclass

from gateway.kernel.errors import MalformedError

INTRO = b"age-encryption.org/v1\n"
LINE = 64  # columns of a stanza's body
MAX_HEADER = 64 * 1024  # bytes: unwrapping costs time per stanza before anything is authenticated
MAX_STANZAS = 20
_ARGUMENT = re.compile(rb"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One wrapped file key: its type and arguments, and its body."""

    args: tuple[bytes, ...]
    body: bytes

    def encode(self) -> bytes:
        """Spell the stanza; a body that fills its last line is followed by an empty one."""
        text = b64(self.body)
        lines = [text[i : i + LINE] for i in range(0, len(text) + 1, LINE)]
        return b"-> " + b" ".join(self.args) + b"\n" + b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A header taken apart: *covered* are the bytes under the MAC, *size* where the body begins."""

    stanzas: tuple[Stanza, ...]
    mac: bytes
    covered: bytes
    size: int


def b64(data: bytes) -> bytes:
    """Encode as unpadded base64."""
    return base64.b64encode(data).rstrip(b"=")


def un_b64(text: bytes) -> bytes:
    """Decode canonical unpadded base64. Raises MalformedError: two spellings must not both be valid."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise MalformedError("header base64 is malformed") from None
    if b64(data) != text:
        raise MalformedError("header base64 is not canonical")
    return data


class _Lines:
    """The lines of a header, none longer than the header may be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = len(INTRO)

    def next(self) -> bytes:
        end = self._data.find(b"\n", self.at)
        if end < 0:
            raise MalformedError("header is truncated")
        line = self._data[self.at : end]
        self.at = end + 1
        return line


def parse(data: bytes) -> Parsed:
    """Take apart the header that *data* begins with. Raises MalformedError."""
    data = data[:MAX_HEADER]
    if not data.startswith(INTRO):
        raise MalformedError("not an age file of version 1")
    lines = _Lines(data)
    stanzas: list[Stanza] = []
    while True:
        start = lines.at
        line = lines.next()
        if line.startswith(b"---"):
            return _finish(data, stanzas, line, start, lines.at)
        if len(stanzas) == MAX_STANZAS:
            raise MalformedError(f"a header has at most {MAX_STANZAS} stanzas")
        stanzas.append(Stanza(_arguments(line), _body(lines)))


def header_size(data: bytes) -> int:
    """Return where the body begins in a whole age file. Raises MalformedError."""
    return parse(data).size


def _finish(data: bytes, stanzas: list[Stanza], line: bytes, start: int, end: int) -> Parsed:
    if not stanzas or not line.startswith(b"--- "):
        raise MalformedError("header ends without stanzas or MAC")
    mac = un_b64(line[4:])
    if len(mac) != 32:
        raise MalformedError("header MAC has the wrong size")
    return Parsed(tuple(stanzas), mac, data[:start] + b"---", end)


def _arguments(line: bytes) -> tuple[bytes, ...]:
    arrow, *args = line.split(b" ")
    if arrow != b"->" or not args or not all(_ARGUMENT.fullmatch(arg) for arg in args):
        raise MalformedError("header stanza is malformed")
    return tuple(args)


def _body(lines: _Lines) -> bytes:
    text = b""
    while True:
        line = lines.next()
        if len(line) > LINE:
            raise MalformedError("header line is too long")
        un_b64(line)
        text += line
        if len(line) < LINE:
            return un_b64(text)
