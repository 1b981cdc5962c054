"""YAML read so strictly that it can only mean one thing, with the line of every value.

No anchors, aliases or tags; no duplicate keys; only text, integers, `true`/`false` and `null` (so
that `NO` stays a country and not a boolean); bounded size and depth.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError

MAX_FILE = 1 << 20  # bytes
MAX_DEPTH = 32
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"-?(0|[1-9][0-9]{0,15})")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Value:
    """A value with the place it was written at."""

    raw: "bool | int | str | list[Value] | dict[str, Value] | None"
    place: str

    def fail(self, message: str) -> MalformedError:
        """Return the error that *message* holds of this place."""
        return MalformedError(f"{self.place}: {message}", field=self.place)

    def mapping(
        self, required: set[str], optional: frozenset[str] = frozenset()
    ) -> "dict[str, Value]":
        """Return the members of a mapping with just these keys. Raises MalformedError."""
        if not isinstance(self.raw, dict):
            raise self.fail("expected a mapping")
        for key, value in self.raw.items():
            if key not in required | optional:
                raise value.fail(f"unknown key {key!r}{nearest(key, required | optional)}")
        for key in sorted(required - set(self.raw)):
            raise self.fail(f"key {key!r} is missing")
        return self.raw

    def members(self) -> "dict[str, Value]":
        """Return the members of a mapping with any keys."""
        if not isinstance(self.raw, dict):
            raise self.fail("expected a mapping")
        return self.raw

    def sequence(self) -> "list[Value]":
        """Return the elements of a list."""
        if not isinstance(self.raw, list):
            raise self.fail("expected a list")
        return self.raw

    def text(self) -> str:
        """Return a text."""
        if not isinstance(self.raw, str):
            raise self.fail("expected text")
        return self.raw

    def flag(self) -> bool:
        """Return a truth value."""
        if not isinstance(self.raw, bool):
            raise self.fail("expected true or false")
        return self.raw

    def json(self) -> Json:
        """Return the value without places."""
        if isinstance(self.raw, list):
            return [value.json() for value in self.raw]
        if isinstance(self.raw, dict):
            return {key: value.json() for key, value in self.raw.items()}
        return self.raw


def read(name: str, data: bytes) -> Value:
    """Read one file. Raises MalformedError with `file:line`."""
    if len(data) > MAX_FILE:
        raise MalformedError(f"{name}: larger than {MAX_FILE} bytes", field=name)
    try:
        source = data.decode("utf-8")
        _refuse_indirection(name, source)
        node = yaml.compose(source, Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1 if mark else 1}"
        problem = getattr(error, "problem", None) or "not readable YAML"
        raise MalformedError(f"{place}: {problem}", field=place) from None
    if node is None:
        raise MalformedError(f"{name}:1: the file is empty", field=f"{name}:1")
    return _value(name, node, 0)


def nearest(word: str, known: "set[str] | frozenset[str]") -> str:
    """Return `; did you mean …?` with the most similar known word, or nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {str(close[0])!r}?" if close else ""  # also of an enum, its word alone


def _refuse_indirection(name: str, source: str) -> None:
    for token in _tokens(source):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
            place = f"{name}:{token.start_mark.line + 1}"
            raise MalformedError(f"{place}: anchors, aliases and tags are not allowed", field=place)


def _tokens(source: str) -> Iterator[yaml.Token]:
    return iter(yaml.scan(source, Loader=_LOADER))


def _value(name: str, node: yaml.Node, depth: int) -> Value:
    place = f"{name}:{node.start_mark.line + 1}"
    if depth > MAX_DEPTH:
        raise MalformedError(f"{place}: nested deeper than {MAX_DEPTH}", field=place)
    if isinstance(node, yaml.SequenceNode):
        return Value([_value(name, child, depth + 1) for child in node.value], place)
    if isinstance(node, yaml.MappingNode):
        return Value(_mapping(name, node, depth), place)
    return Value(_scalar(node), place)


def _mapping(name: str, node: yaml.MappingNode, depth: int) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, child in node.value:
        place = f"{name}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise MalformedError(f"{place}: a key is text", field=place)
        if key.value in found:
            raise MalformedError(f"{place}: key {key.value!r} stands twice", field=place)
        found[key.value] = _value(name, child, depth + 1)
    return found


def _scalar(node: yaml.Node) -> bool | int | str | None:
    text = str(node.value)
    if getattr(node, "style", None):  # quoted or a block: text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INT.fullmatch(text) else text
