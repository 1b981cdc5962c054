"""What a text instruction matches: a literal in its usual variants, or a regular expression, in bounded time."""

import re
import signal
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from gateway.desk.plan import Instruction
from gateway.desk.removed import TOKEN, Removed
from gateway.kernel.errors import TooLargeError

SECONDS = 20  # how long one line, cell or page may keep an expression busy
_BROKEN = "(?:[\u00ad\u0002\ufffe-]?\\s*[\\r\\n]+\\s*)?"  # a hyphen and line end within a word


@dataclass(frozen=True, slots=True)
class Pattern:
    """An instruction's expression."""

    instruction: Instruction
    expression: re.Pattern[str]


def patterns(instructions: Sequence[Instruction], *, broken: bool = False) -> tuple[Pattern, ...]:
    """Compile the text instructions among *instructions*; *broken*: words may break at line ends."""
    return tuple(
        Pattern(i, re.compile(i.what) if i.where == "regex" else literal(i.what, broken=broken))
        for i in instructions
        if i.where in ("text", "regex")
    )


def literal(text: str, *, broken: bool = False) -> re.Pattern[str]:
    """Match *text* in any case, composed or not, with any white space where it has some."""
    words = unicodedata.normalize("NFC", text.strip()).split()
    joint = _BROKEN if broken else ""
    return re.compile(
        r"\s+".join(joint.join(_sign(char) for char in word) for word in words), re.IGNORECASE
    )


def _sign(char: str) -> str:
    apart = unicodedata.normalize("NFD", char)
    return re.escape(char) if apart == char else f"(?:{re.escape(char)}|{re.escape(apart)})"


def spans(text: str, wanted: Sequence[Pattern]) -> Iterator[tuple[int, int, Instruction]]:
    """Yield every match. Raises TooLargeError if an expression takes too long."""
    for pattern in wanted:
        with _bounded(pattern.instruction):
            found = [m.span() for m in pattern.expression.finditer(text) if m.end() > m.start()]
        for start, end in found:
            yield start, end, pattern.instruction


def replaced(text: str, wanted: Sequence[Pattern], removed: Removed, place: str) -> str:
    """Return *text* with every match replaced by the token; matches that touch or overlap become one."""
    hits = sorted(spans(text, wanted), key=lambda hit: hit[:2])
    if not hits:
        return text
    for start, end, instruction in hits:
        removed.add(text[start:end], place)
        removed.count(instruction.number)
    parts, at = [], 0
    for start, end in merged([(start, end) for start, end, _ in hits]):
        parts += [text[at:start], TOKEN]
        at = end
    return "".join([*parts, text[at:]])


def merged(found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return sorted spans with those that touch or overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


class _SlowError(Exception):
    pass


@contextmanager
def _bounded(instruction: Instruction) -> Iterator[None]:
    """Stop an expression that backtracks without end; only the main thread can be stopped so."""
    if instruction.where != "regex" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    except _SlowError:
        message = (
            f"the expression takes longer than {SECONDS} s: write it so that it cannot backtrack"
        )
        raise TooLargeError(str(instruction.fail(message))) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _SlowError
