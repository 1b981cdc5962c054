"""What to take out of a file, as data: a plan that can be read, reviewed and run again.

A plan is YAML or JSON:

    redact:
      - json_path: witnesses[*].name
        removes: witness_identity

Each instruction says where (one of `WHERE`) and which category it removes, in a word of the obligation
`redact`. A plan holds what it hides, so it is as secret as the original.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError
from gateway.policy import read
from gateway.policy.text import Value

WHERE = frozenset(
    {"json_path", "column", "rows", "text", "text_file", "regex", "lines", "field", "region"}
)
FORMATS = ("json", "csv", "text", "pdf", "image")
MAX_INSTRUCTIONS = 1000
MAX_PATTERN = 1000  # characters of a regular expression
_CATEGORY = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One thing to take out: *where* says how *what* is read, *number* its place in the plan, from 1."""

    number: int
    where: str
    what: str = field(repr=False)
    removes: str

    def fail(self, message: str) -> MalformedError:
        """Return the error that *message* holds of this instruction; what it looks for is not told."""
        place = f"instruction {self.number} ({self.where})"
        return MalformedError(f"{place}: {message}", field=place)


@dataclass(frozen=True, slots=True)
class Plan:
    """Instructions in order; *format*, *encoding* and *delimiter* only if they cannot be told apart."""

    instructions: tuple[Instruction, ...]
    format: str = ""
    encoding: str = ""
    delimiter: str = ""

    @property
    def removes(self) -> tuple[str, ...]:
        """The categories, once each, sorted."""
        return tuple(sorted({instruction.removes for instruction in self.instructions}))

    def to_json(self) -> Json:
        """Return everything that decides what the derivative is, for a digest."""
        steps: list[Json] = [[i.where, i.what, i.removes] for i in self.instructions]
        return [self.format, self.encoding, self.delimiter, steps]

    def only(self, *kinds: str) -> tuple[Instruction, ...]:
        """Return the instructions if all are of these kinds. Raises MalformedError for another."""
        for instruction in self.instructions:
            if instruction.where not in kinds:
                known = ", ".join(kinds)
                raise instruction.fail(f"this format has no such place; it knows {known}")
        return self.instructions


def read_plan(path: Path) -> Plan:
    """Read a plan file. Raises MalformedError with `file:line`."""
    try:
        value = read(path.name, path.read_bytes())
    except OSError:
        raise MalformedError(f"plan {path.name} cannot be read") from None
    members = value.mapping({"redact"}, frozenset({"format", "encoding", "delimiter"}))
    said = [part for entry in members["redact"].sequence() for part in _read(entry, path.parent)]
    more: dict[str, str] = {
        key: members[key].text() for key in ("format", "encoding", "delimiter") if key in members
    }
    return make_plan(said, more)


def _read(entry: Value, folder: Path) -> Iterable[tuple[str, str, str]]:
    members = entry.members()
    where = WHERE & set(members)
    if len(where) != 1:
        raise entry.fail(f"say exactly one of {', '.join(sorted(WHERE))}")
    (kind,) = where
    entry.mapping({kind, "removes"})
    removes = members["removes"].text()
    if kind == "text_file":
        listed = folder / members[kind].text()
        return [("text", text, removes) for text in read_texts(listed)]
    return [(kind, _text(kind, members[kind]), removes)]


def _text(kind: str, value: Value) -> str:
    if kind == "rows":
        parts = value.mapping({"column", "value"})
        return f"{parts['column'].text()}={parts['value'].raw}"
    if isinstance(value.raw, int) and not isinstance(value.raw, bool):
        return str(value.raw)
    return value.text()


def read_texts(path: Path) -> list[str]:
    """Read literal texts from a file, one a line; empty lines are none. Raises MalformedError."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise MalformedError(f"{path.name} cannot be read as texts in UTF-8, one a line") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise MalformedError(f"{path.name} holds no text")
    return found


def make_plan(said: Sequence[tuple[str, str, str]], more: Mapping[str, str]) -> Plan:
    """Make a plan of (where, what, removes). Raises MalformedError for what no file could obey."""
    if not 1 <= len(said) <= MAX_INSTRUCTIONS:
        raise MalformedError(f"a plan has 1 to {MAX_INSTRUCTIONS} instructions")
    found = tuple(Instruction(n, *parts) for n, parts in enumerate(said, 1))
    for instruction in found:
        _check(instruction)
    if more.get("format", "") not in ("", *FORMATS):
        raise MalformedError(f"format is one of {', '.join(FORMATS)}")
    return Plan(found, **more)


def _check(instruction: Instruction) -> None:
    if not _CATEGORY.fullmatch(instruction.removes):
        raise instruction.fail("`removes` is a word such as witness_identity")
    if not instruction.what.strip():
        raise instruction.fail("it names nothing")
    if instruction.where == "regex":
        _check_pattern(instruction)


def _check_pattern(instruction: Instruction) -> None:
    try:
        empty = re.compile(instruction.what).match("")
    except (re.error, RecursionError, OverflowError):
        raise instruction.fail("it is not a regular expression") from None
    if len(instruction.what) > MAX_PATTERN:
        raise instruction.fail(f"longer than {MAX_PATTERN} characters")
    if empty:
        raise instruction.fail("it also matches nothing at all, that is, everywhere")
