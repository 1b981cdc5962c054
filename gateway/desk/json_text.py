"""A JSON text with the place of every value in it, so that a part can be replaced and the rest stay as it was.

RFC 8259, read strictly: no duplicate names, no NaN, at most `MAX_DEPTH` levels. Numbers and escapes keep
their spelling, which a parser and writer would lose.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]  # absent from its stub

from gateway.kernel.errors import MalformedError

MAX_DEPTH = 200
Path = tuple[str | int, ...]
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WORD = re.compile(r"true|false|null")
_BARE = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Node:
    """A value: where it stands in the document and in the text, and what it says if it is a scalar.

    *separators* of the whole document are the offsets just after each comma and colon.
    """

    path: Path
    start: int
    end: int
    kind: str  # object, array, string, number, word
    text: str = field(default="", repr=False)
    members: "tuple[Node, ...]" = field(default=(), repr=False)

    def walk(self) -> "Iterator[Node]":
        """Yield this value and all within it."""
        yield self
        for member in self.members:
            yield from member.walk()

    def scalars(self) -> "Iterator[Node]":
        """Yield the values within that have no members."""
        return (node for node in self.walk() if node.kind not in ("object", "array"))


@dataclass(slots=True)
class _Scanner:
    source: str
    separators: list[int] = field(default_factory=list)

    def fail(self, at: int, message: str) -> MalformedError:
        line = self.source.count("\n", 0, at) + 1
        return MalformedError(f"line {line}: {message}", field=f"line {line}")

    def skip(self, at: int) -> int:
        match = _SPACE.match(self.source, at)
        return match.end() if match else at

    def separated(self, at: int) -> int:
        self.separators.append(at + 1)
        return self.skip(at + 1)

    def value(self, at: int, path: Path) -> Node:
        if len(path) > MAX_DEPTH:
            raise self.fail(at, f"nested deeper than {MAX_DEPTH} levels")
        match self.source[at : at + 1]:
            case "{":
                return self.object(at, path)
            case "[":
                return self.array(at, path)
            case '"':
                text, end = self.string(at)
                return Node(path, at, end, "string", text)
        for expression, kind in ((_WORD, "word"), (_NUMBER, "number")):
            if found := expression.match(self.source, at):
                return Node(path, at, found.end(), kind, found.group())
        raise self.fail(at, "not valid JSON")

    def string(self, at: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self.source, at + 1, True)
        except json.JSONDecodeError:
            raise self.fail(at, "a string that is not valid JSON") from None
        return str(text), int(end)

    def array(self, at: int, path: Path) -> Node:
        start, members = at, list[Node]()
        at = self.skip(at + 1)
        while self.source[at : at + 1] != "]":
            members.append(self.value(at, (*path, len(members))))
            at = self.next(members[-1].end, "]")
        return Node(path, start, at + 1, "array", members=tuple(members))

    def object(self, at: int, path: Path) -> Node:
        start, members, names = at, list[Node](), set[str]()
        at = self.skip(at + 1)
        while self.source[at : at + 1] != "}":
            if self.source[at : at + 1] != '"':
                raise self.fail(at, "expected a name in quotation marks")
            name, end = self.string(at)
            if name in names:
                raise self.fail(
                    at, "a name stands twice in one object: which value counts is not sure"
                )
            names.add(name)
            at = self.skip(end)
            if self.source[at : at + 1] != ":":
                raise self.fail(at, "expected a colon")
            members.append(self.value(self.separated(at), (*path, name)))
            at = self.next(members[-1].end, "}")
        return Node(path, start, at + 1, "object", members=tuple(members))

    def next(self, at: int, close: str) -> int:
        """Step over the comma after a member, or stop at the closing bracket."""
        at = self.skip(at)
        found = self.source[at : at + 1]
        if found == close:
            return at
        if found != ",":
            raise self.fail(at, f"expected a comma or {close}")
        at = self.separated(at)
        if self.source[at : at + 1] == close:
            raise self.fail(at, "a comma with nothing after it")
        return at


def scan(source: str) -> tuple[Node, list[int]]:
    """Return the document and the offsets after its separators. Raises MalformedError with the line."""
    scanner = _Scanner(source)
    root = scanner.value(scanner.skip(0), ())
    if scanner.skip(root.end) != len(source):
        raise scanner.fail(root.end, "something stands after the document")
    return root, sorted(scanner.separators)


def spelt(path: Path) -> str:
    """Spell a path as people read it: witnesses[0].name."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _BARE.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text or "the document"
