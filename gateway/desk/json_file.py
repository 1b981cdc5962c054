"""JSON by path: dotted with wildcards (`witnesses[*].name`, `**.phone`), or a pointer (RFC 6901)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path as File

from gateway.desk import files
from gateway.desk.json_text import Node, Path, scan, spelt
from gateway.desk.patterns import Pattern, patterns, replaced
from gateway.desk.plan import Instruction, Plan
from gateway.desk.removed import TOKEN, Removed
from gateway.kernel.errors import MalformedError

MAX_FILE = 16 << 20  # bytes: about 40 times as much in memory
_MARK = "\ufeff"
_STEP = re.compile(
    r"""\.?(?:(?P<any>\*\*)|(?P<star>\*)|(?P<name>[^.\[\]*"]+))"""
    r"""|\[(?:(?P<each>\*)|(?P<index>\d+)|(?P<quoted>"(?:[^"\\]|\\.)*"))\]"""
)
Step = str | int | None  # a name, an index, or None for any
_DEEP = -1  # any number of levels: no index is negative


def redact(path: File, out: File, plan: Plan, removed: Removed) -> None:
    """Write *path* without what the plan names to *out*; all else stays byte for byte."""
    plan.only("json_path", "text", "regex")
    out.write_text(redacted(read(path), plan, removed), encoding="utf-8", newline="")


def read(path: File) -> str:
    """Return a JSON file's text, with its byte order mark. Raises MalformedError unless it is UTF-8."""
    try:
        return files.read_whole(path, MAX_FILE).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError(f"{path.name} is not UTF-8, which JSON is") from None


def redacted(source: str, plan: Plan, removed: Removed) -> str:
    """Return *source* with what the plan names replaced by the token."""
    mark = _MARK if source.startswith(_MARK) else ""
    source = source.removeprefix(_MARK)
    root, _ = scan(source)
    taken = dict(_taken(root, plan, removed))
    wanted = patterns(plan.instructions)
    parts, at = [mark], 0
    for node, text in _changes(root, taken, wanted, removed):
        parts += [source[at : node.start], _string(text)]
        at = node.end
    return "".join([*parts, source[at:]])


def _string(text: str) -> str:
    """Spell a string; a lone surrogate, which UTF-8 cannot hold, as the escape it came from."""
    lone = any("\ud800" <= char <= "\udfff" for char in text)
    return json.dumps(text, ensure_ascii=lone)


def _taken(root: Node, plan: Plan, removed: Removed) -> Iterator[tuple[Path, Node]]:
    for instruction in plan.instructions:
        if instruction.where != "json_path":
            continue
        steps = steps_of(instruction)
        for node in select(root, steps):
            removed.count(instruction.number)
            for scalar in node.scalars():
                removed.add(scalar.text, spelt(scalar.path))
            yield node.path, node


def _changes(
    node: Node, taken: dict[Path, Node], wanted: tuple[Pattern, ...], removed: Removed
) -> Iterator[tuple[Node, str]]:
    """Yield what is replaced, outermost first, in the order of the text."""
    if node.path in taken:
        yield node, TOKEN
    elif node.kind == "string":
        text = replaced(node.text, wanted, removed, spelt(node.path))
        if text != node.text:
            yield node, text
    for member in node.members if node.path not in taken else ():
        yield from _changes(member, taken, wanted, removed)


def steps_of(instruction: Instruction) -> tuple[Step, ...]:
    """Read a path. Raises MalformedError."""
    text = instruction.what
    if text.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))
    steps: list[Step] = []
    text, at = text.removeprefix("$"), 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise instruction.fail('a path is spelt a.b[0].c, with [*], * or **, or ["a name"]')
        steps.append(_step(match))
        at = match.end()
    if not steps or steps[-1] == _DEEP:
        raise instruction.fail("a path ends with a name, an index or *")
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["any"]:
        return _DEEP
    if match["star"] or match["each"]:
        return None
    if match["index"]:
        return int(match["index"])
    return str(json.loads(match["quoted"])) if match["quoted"] else match["name"]


def select(node: Node, steps: tuple[Step, ...]) -> Iterator[Node]:
    """Yield the values that a path names; a pointer's number is an index or a name."""
    if not steps:
        yield node
        return
    head, rest = steps[0], steps[1:]
    if head == _DEEP:
        yield from select(node, rest)
        for member in node.members:
            yield from select(member, steps)
        return
    for member in node.members:
        if head is None or head == member.path[-1] or head == str(member.path[-1]):
            yield from select(member, rest)


def parts(path: File) -> Iterator[tuple[str, str]]:
    """Yield every name and every scalar with its place, for checks."""
    root, _ = scan(read(path).removeprefix(_MARK))
    for node in root.walk():
        place = spelt(node.path)
        if node.path and isinstance(node.path[-1], str):
            yield f"the name of {place}", node.path[-1]
        if node.kind not in ("object", "array"):
            yield place, node.text
