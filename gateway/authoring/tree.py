"""A YAML text as a tree in which every comment hangs on the entry it was written for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import yaml

from gateway.authoring.comments import Comment, comments


@dataclass(slots=True)
class Tree:
    """A scalar (*text*, written in *style*), or a mapping or list of entries."""

    kind: str  # "scalar", "map" or "seq"
    text: str = ""
    style: str | None = None
    entries: "list[Entry]" = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """A member of a mapping (with *key*) or of a list, and the comments before and behind it.

    Lines are counted from 0; *last* is the line on which the value ends.
    """

    key: str | None
    tree: Tree
    line: int
    last: int
    before: list[str] = field(default_factory=list)
    after: str = ""


@dataclass(slots=True)
class Document:
    """A whole text, and the comments behind its last entry."""

    tree: Tree
    tail: list[str] = field(default_factory=list)


def document(source: str) -> Document:
    """Return the tree of a text that can be read."""
    node = yaml.compose(source, Loader=yaml.SafeLoader)
    assert node is not None, "a text that can be read is not empty"
    whole = Document(_tree(node))
    entries = list(walk(whole.tree))
    for comment in comments(source):
        _hang(whole, entries, comment)
    return whole


def walk(tree: Tree) -> Iterator[Entry]:
    """Yield every entry, the outer before the inner."""
    for entry in tree.entries:
        yield entry
        yield from walk(entry.tree)


def _tree(node: yaml.Node) -> Tree:
    if isinstance(node, yaml.MappingNode):
        pairs = [_entry(str(k.value), v, k.start_mark.line) for k, v in node.value]
        return Tree("map", entries=pairs)
    if isinstance(node, yaml.SequenceNode):
        return Tree("seq", entries=[_entry(None, v, v.start_mark.line) for v in node.value])
    return Tree("scalar", str(node.value), getattr(node, "style", None))


def _entry(key: str | None, node: yaml.Node, line: int) -> Entry:
    return Entry(key, _tree(node), line, _last_line(node))


def _last_line(node: yaml.Node) -> int:
    """Return the line a value ends on; a block's mark points behind it, to whatever follows."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)


def _hang(whole: Document, entries: list[Entry], comment: Comment) -> None:
    if comment.alone:
        later = next((e for e in entries if e.line > comment.line), None)
        (whole.tail if later is None else later.before).append(comment.text)
        return
    entry = _beside(entries, comment.line)
    if entry is None:
        (entries[0].before if entries else whole.tail).append(comment.text)
    elif entry.after:
        entry.before.append(comment.text)
    else:
        entry.after = comment.text


def _beside(entries: list[Entry], line: int) -> Entry | None:
    """Return the entry that a comment at the end of a line is about.

    That is the outermost of those that begin and end on the line, or else what began last.
    """
    here = [e for e in entries if e.line == line]
    whole = [e for e in here if e.last == line]
    if whole:
        return whole[0]
    earlier = [e for e in entries if e.line < line]
    began = here or [e for e in earlier if e.last == line] or earlier
    return began[-1] if began else None


def settle(tree: Tree, order: dict[str, int], depth: int = 0) -> None:
    """Bring the keys of rules or cases into *order*, and comments to where the form can hold them.

    Rules and cases are the mappings two levels down. What stands before the first key of a list's element
    stands before the element, and what stands behind its only key stands behind the element.
    """
    if order and depth == 2 and tree.kind == "map":
        tree.entries.sort(key=lambda entry: order.get(entry.key or "", len(order)))
    for entry in tree.entries:
        settle(entry.tree, order, depth + 1)
        if tree.kind == "seq" and entry.tree.entries:
            lift(entry)


def lift(entry: Entry) -> None:
    """Take comments that a list's element begins or ends with to the element itself."""
    first, more = entry.tree.entries[0], entry.tree.entries[1:]
    entry.before += filter(None, first.before)
    first.before = []
    if not (more or entry.after or several(first) or any(map(_commented, walk(first.tree)))):
        entry.after, first.after = first.after, ""


def several(entry: Entry) -> bool:
    """Tell whether an entry joins several conditions: each has a line, which findings can name."""
    inner = entry.tree.entries
    nested = any(one.tree.kind != "scalar" for one in inner)
    return entry.key in {"all", "any"} and len(inner) > 1 and nested


def _commented(entry: Entry) -> bool:
    return bool(entry.after) or any(entry.before)


def spaced(lines: list[str]) -> list[str]:
    """Return lines with one blank line where there were several."""
    return [text for text, many in groupby(lines) for text in ([text] if not text else many)]
