"""What members of acts and messages must look like; ValueError says which form was expected."""

import unicodedata

from gateway.kernel.encoding import is_hex_digest
from gateway.kernel.errors import MalformedError
from gateway.kernel.ids import check_id
from gateway.kernel.time import day

MAX_TEXT = 4000  # characters of a note, reason or rationale
_LINE = 255  # characters: what is no longer than this stands on one line


def must_be_id(text: str, *prefixes: str) -> None:
    """Raise ValueError unless *text* is an id of one of these kinds."""
    try:
        check_id(text, *prefixes)
    except MalformedError as error:
        raise ValueError(str(error)) from None


def must_be_digest(text: str) -> None:
    """Raise ValueError unless *text* is a SHA-256 digest."""
    if not is_hex_digest(text):
        raise ValueError("a digest is 64 lower-case hex digits")


def must_be_size(size: int) -> None:
    """Raise ValueError unless *size* is a number of bytes that an item can have."""
    if not 0 <= size <= 1 << 50:
        raise ValueError("a size is between 0 and 2**50 bytes")


def must_have_text(text: str, longest: int, what: str) -> None:
    """Raise ValueError unless *text* has 1 to *longest* characters, of which none controls a terminal.

    Lines may end and tabs stand in what is long enough to be prose. PostgreSQL keeps no NUL in text.
    """
    if not 0 < len(text) <= longest:
        raise ValueError(f"{what} has 1 to {longest} characters")
    allowed = "\t\n\r" if longest > _LINE else ""
    if any(unicodedata.category(c) == "Cc" and c not in allowed for c in text):
        raise ValueError(f"{what} holds no control characters")


def must_be_day(text: str) -> None:
    """Raise ValueError unless *text* is a calendar date."""
    try:
        day(text)
    except MalformedError as error:
        raise ValueError(str(error)) from None
