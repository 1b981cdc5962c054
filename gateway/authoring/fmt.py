"""The one form in which policy files are written; comments and the order of things stay.

Two levels stand in lines of their own, and a rule's keys do, and the parts of an `all` or `any`; what
lies deeper stands in braces on one line if 120 characters hold it. Blank lines stay, several as one. A file that has this form is its own
form again, and no digest ever changes: both are checked before anything is written.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import yaml

from gateway.authoring.comments import comments, plain_lines
from gateway.authoring.tree import Document, Entry, Tree, document, lift, settle, several, spaced
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import ConflictError, MalformedError
from gateway.policy.cases import is_case_file
from gateway.policy.load import is_rule_file
from gateway.policy.text import read

WIDTH = 120
KEYS = (
    "id",
    "effect",
    "reason",
    "title",
    "basis",
    "valid_from",
    "valid_to",
    "when",
    "obligations",
)
"""The keys of a rule in the order they are written."""
_SIMPLE = re.compile(r"[A-Za-z][A-Za-z0-9_.]*( [A-Za-z0-9_.]+)*")
CASE_KEYS = ("id", "set", "expect")


def formatted(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files whose form differs, in their right form. Raises MalformedError, ConflictError."""
    found = {name: canonical(name, data) for name, data in files.items()}
    return {name: data for name, data in found.items() if data != files[name]}


def canonical(name: str, data: bytes) -> bytes:
    """Return one file in its right form.

    Raises MalformedError for one that cannot be read, ConflictError where the form would not say
    exactly the same, which would be a defect of this program.
    """
    before = read(name, data)
    try:
        written = _write(name, data)
    except yaml.MarkedYAMLError as error:
        place = f"{name}:{error.problem_mark.line + 1 if error.problem_mark else 1}"
        raise MalformedError(
            f"{place}: not every reader of YAML takes this; put the text in quotes", field=place
        ) from None
    if written == data:
        return data
    try:
        same = canonical_json(read(name, written).json()) == canonical_json(before.json())
    except MalformedError:
        same = False
    if not same or _said(name, written) != _said(name, data) or _write(name, written) != written:
        raise ConflictError(f"{name} cannot be formatted without changing it; leave it as it is")
    return written


def _said(name: str, data: bytes) -> Counter[str]:
    """Return the comments of a text, each with how often it stands there."""
    return Counter(c.text for c in comments(plain_lines(name, data)) if c.text)


def _write(name: str, data: bytes) -> bytes:
    whole = document(plain_lines(name, data))
    rules = is_rule_file(name)
    keys = KEYS if rules else CASE_KEYS if is_case_file(name) else ()
    settle(whole.tree, {key: number for number, key in enumerate(keys)})
    return _document(whole, 3 if rules else 2).encode("utf-8")


def _document(whole: Document, levels: int) -> str:
    """Return the text; the first *levels* stand in lines of their own."""
    lines = _block(whole.tree, 0, levels) if whole.tree.entries else [_flow(whole.tree) or ""]
    said = "\n".join(spaced([*lines, *whole.tail])).strip("\n")
    return said + "\n"


def _block(tree: Tree, indent: int, levels: int) -> list[str]:
    """Return the lines of a mapping or list with entries."""
    lines = []
    for entry in tree.entries:
        own = _entry(entry, indent, levels)  # may move a comment before itself
        lines += [f"{' ' * indent}{text}" if text else "" for text in entry.before]
        lines += own
    return lines


def _entry(entry: Entry, indent: int, levels: int) -> list[str]:
    """Return the lines of one entry. A comment that its form cannot hold goes before it."""
    head = " " * indent + ("-" if entry.key is None else f"{_key(entry.key)}:")
    tree, behind = entry.tree, f"  {entry.after}" if entry.after else ""
    lines_of_its_own = (bool(tree.entries) and levels > 1) or several(entry)
    flow = None if lines_of_its_own else _flow(tree, outside=True)
    if flow is not None and (len(head) + 1 + len(flow) <= WIDTH or not tree.entries):
        return [f"{head} {flow}{behind}"]
    in_list = entry.key is None
    if tree.entries and not _is_row(tree):
        inner = indent if not in_list and tree.kind == "seq" else indent + 2
        if not in_list:
            return [f"{head}{behind}", *_block(tree, inner, levels - 1)]
        first = _entry(tree.entries[0], inner, levels - 1)
        rest = Tree(tree.kind, entries=tree.entries[1:])
        lines = first + _block(rest, inner, levels - 1)
        lift(entry)
        _move_up(entry)
        return [f"{head} {lines[0].lstrip()}", *lines[1:]]
    _move_up(entry)
    if tree.entries:
        return _row(tree, head)
    return _literal(tree.text, head, indent + 2)


def _move_up(entry: Entry) -> None:
    if entry.after:
        entry.before.append(entry.after)
        entry.after = ""


def _is_row(tree: Tree) -> bool:
    """Tell whether a list holds nothing but words, and no comment."""
    return tree.kind == "seq" and _flow(tree) is not None and not _nested(tree)


def _nested(tree: Tree) -> bool:
    return any(entry.tree.kind != "scalar" for entry in tree.entries)


def _row(tree: Tree, head: str) -> list[str]:
    """Return words in brackets over several lines."""
    lines, space = [f"{head} ["], " " * (len(head) - len(head.lstrip()) + 2)
    for number, entry in enumerate(tree.entries):
        word = _scalar(entry.tree, flow=True) or ""
        word += "," if number + 1 < len(tree.entries) else "]"
        if number and len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append(space + word)
        else:
            lines[-1] += f" {word}" if number else word
    return lines


def _flow(tree: Tree, *, outside: bool = False) -> str | None:
    """Return a value on one line, or None if it cannot stand there. *outside*: not inside braces."""
    if tree.kind == "scalar":
        return _scalar(tree, flow=not outside)
    parts = []
    for entry in tree.entries:
        said = _flow(entry.tree)
        if said is None or entry.after or any(entry.before) or several(entry):
            return None
        parts.append(said if entry.key is None else f"{_key(entry.key)}: {said}")
    return f"{{{', '.join(parts)}}}" if tree.kind == "map" else f"[{', '.join(parts)}]"


def _scalar(tree: Tree, *, flow: bool) -> str | None:
    """Return a scalar on one line; None for a text of several lines that may stand below its key."""
    text = tree.text
    if tree.style is None and text in {"", "~", "null"}:
        return "null"
    if "\n" in text and _can_be_literal(text):
        return None
    plain = _plain(text, "[{}]") and _plain(text, "{{a: {}}}") if flow else _plain(text, "a: {}")
    if tree.style is None and plain is not None:
        return text
    if tree.style is not None and plain == "text":
        return text
    return _quoted(text)


@lru_cache(maxsize=4096)
def _plain(text: str, form: str) -> str | None:
    """Return what a text without quotes is read as in such a place: itself as "text", or "other"."""
    if not text or not text.isprintable():
        return None
    if _SIMPLE.fullmatch(text) and text not in {"true", "false", "null"}:
        return "text"
    source = form.format(text)
    try:
        value = read("", source.encode("utf-8")).raw
        document(source)  # the readers of YAML do not agree on every sign inside brackets
    except (MalformedError, UnicodeEncodeError, yaml.YAMLError):
        return None
    if form.startswith("["):
        values = value if isinstance(value, list) else []
    else:
        values = list(value.values()) if isinstance(value, dict) and set(value) == {"a"} else []
    if len(values) != 1 or isinstance(values[0].raw, list | dict):
        return None
    if values[0].raw == text:
        return "text"
    return "other" if str(values[0].json()).lower() == text else None


def _key(text: str) -> str:
    if _SIMPLE.fullmatch(text):
        return text
    try:
        whole = read("", f"{{{text}: 1}}".encode()).raw
    except (MalformedError, UnicodeEncodeError):
        return _quoted(text)
    plain = isinstance(whole, dict) and list(whole) == [text] and text.isprintable()
    return text if text and plain else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char == "\n":
        return "\\n"
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _can_be_literal(text: str) -> bool:
    """Tell whether a text of several lines reads back exactly from below a `|`."""
    lines = text.removesuffix("\n").split("\n")
    fine = all(line.isprintable() and line == line.rstrip() for line in lines)
    return fine and bool(lines[-1]) and bool(lines[0]) and not lines[0].startswith(" ")


def _literal(text: str, head: str, indent: int) -> list[str]:
    sign = "|" if text.endswith("\n") else "|-"
    lines = text.removesuffix("\n").split("\n")
    return [f"{head} {sign}", *(f"{' ' * indent}{line}" if line else "" for line in lines)]
