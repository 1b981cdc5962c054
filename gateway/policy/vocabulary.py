"""The closed vocabulary: every fact that a rule may read, with its type and domain."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError
from gateway.policy.text import Value, nearest

Fact: TypeAlias = bool | int | str | frozenset[str]
Facts: TypeAlias = Mapping[str, Fact]
TODAY = "context.today"
NAMESPACES = frozenset({"item", "recipient", "context"})
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_FLAGS = ("optional", "derived", "protected")
_OPTIONAL = frozenset({"values", "min", "max", "obtain", *_FLAGS})
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class Type(StrEnum):
    """The types of facts. Dates are ISO 8601 calendar dates; text has no domain and only equals."""

    ENUM = "enum"
    SET = "set"
    BOOL = "bool"
    INT = "int"
    DATE = "date"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One fact: its path, type, domain (of an enum or set; bounds of an int) and label for people.

    *optional*: its absence is usual. *derived*: the gateway finds it out, nobody states it.
    *protected*: it is about people's safety, so no permit should depend on it. *obtain*: what the
    mechanism would do to bring about another value; without it the value is as it is.
    """

    path: str
    type: Type
    label: str
    values: frozenset[str] = frozenset()
    low: int = 0
    high: int = 0
    optional: bool = False
    derived: bool = False
    protected: bool = False
    obtain: str | None = None

    def valid(self, value: object) -> bool:
        """Tell whether *value* is of this type and inside the domain. `1` is not `true`."""
        match self.type:
            case Type.BOOL:
                return isinstance(value, bool)
            case Type.INT:
                return type(value) is int and self.low <= value <= self.high
            case Type.ENUM:
                return isinstance(value, str) and value in self.values
            case Type.SET:
                return isinstance(value, frozenset) and value <= self.values
            case Type.DATE:
                return isinstance(value, str) and is_date(value)
            case _:  # text
                return isinstance(value, str)

    def literal(self, value: Value) -> Fact:
        """Read a literal of this attribute. Raises MalformedError naming the nearest valid value."""
        raw = value.raw
        if self.type is Type.SET:
            return frozenset(self._word(element) for element in value.sequence())
        if self.type is Type.ENUM:
            return self._word(value)
        if not isinstance(raw, bool | int | str) or not self.valid(raw):
            raise value.fail(f"{self.path} is a {self.type.value}: {self._domain()}")
        return raw

    def element(self, value: Value) -> str:
        """Read a literal that is one member of this set's domain."""
        return self._word(value)

    def _word(self, value: Value) -> str:
        word = value.text()
        if word not in self.values:
            raise value.fail(f"{word!r} is not a value of {self.path}{nearest(word, self.values)}")
        return word

    def _domain(self) -> str:
        return f"{self.low} to {self.high}" if self.type is Type.INT else "see vocabulary.yaml"


class Vocabulary:
    """The attributes by path."""

    def __init__(self, attributes: Mapping[str, Attribute]) -> None:
        self.attributes = dict(attributes)

    def get(self, path: Value) -> Attribute:
        """Return the attribute a rule names. Raises MalformedError with the nearest name."""
        name = path.text()
        if name not in self.attributes:
            hint = nearest(name, set(self.attributes))
            raise path.fail(f"unknown attribute {name!r}{hint}")
        return self.attributes[name]

    def known(self, facts: Facts) -> dict[str, Fact | None]:
        """Return the facts as compiled conditions read them: None for one out of its domain."""
        attributes = self.attributes
        return {
            path: value if (a := attributes.get(path)) is None or a.valid(value) else None
            for path, value in facts.items()
        }

    def facts(
        self, raw: Mapping[str, Json], namespace: str, *, stated: bool = False
    ) -> dict[str, Fact]:
        """Read facts of one namespace from JSON; `null` is absent. *stated*: by a person.

        Raises MalformedError naming the attribute: a misspelt fact would silently be unknown, and
        what the gateway finds out itself is not for anybody to state.
        """
        found: dict[str, Fact] = {}
        for path, value in raw.items():
            attribute = self.attributes.get(path)
            if attribute is None or not path.startswith(namespace + "."):
                own = {a for a in self.attributes if a.startswith(namespace + ".")}
                raise MalformedError(f"unknown fact {path!r}{nearest(path, own)}", field=path)
            if value is None:
                continue
            if stated and attribute.derived:
                message = f"{path} is found out by the gateway and cannot be stated"
                raise MalformedError(message, field=path)
            fact = _from_json(value)
            if fact is None or not attribute.valid(fact):
                hint = nearest(str(value), attribute.values)
                message = f"{path} is of type {attribute.type.value} and cannot be {value!r}{hint}"
                raise MalformedError(message, field=path)
            found[path] = fact
        return found


def _from_json(value: Json) -> Fact | None:
    """Return the fact that a JSON value spells, or None for what spells none."""
    if isinstance(value, list):
        words = frozenset(word for word in value if isinstance(word, str))
        return words if len(words) == len(value) else None
    return None if isinstance(value, dict) else value


def to_json(facts: Facts) -> dict[str, Json]:
    """Return facts as JSON; sets as sorted lists."""
    return {k: [*sorted(v)] if isinstance(v, frozenset) else v for k, v in facts.items()}


def is_date(text: str) -> bool:
    """Tell whether *text* is a calendar date as this project writes it."""
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:  # 30 February
        return False


def read_date(value: Value | None) -> str | None:
    """Read a date, if there is one. Raises MalformedError."""
    if value is not None and not is_date(value.text()):
        raise value.fail("expected a date such as 2026-11-23")
    return None if value is None else value.text()


def read_vocabulary(value: Value) -> Vocabulary:
    """Read vocabulary.yaml. Raises MalformedError."""
    attributes = value.mapping({"attributes"})["attributes"].members()
    return Vocabulary({path: read_attribute(path, spec) for path, spec in attributes.items()})


def read_attribute(path: str, spec: Value) -> Attribute:
    """Read one attribute. Raises MalformedError."""
    parts = spec.mapping({"type", "label"}, _OPTIONAL)
    if not _NAME.fullmatch(path) or path.partition(".")[0] not in NAMESPACES:
        raise spec.fail("a path is item.…, recipient.… or context.…, in lower case")
    kind = parts["type"].text()
    if kind not in set(Type):
        raise parts["type"].fail(f"unknown type {kind!r}{nearest(kind, set(Type))}")
    listed = kind in (Type.ENUM, Type.SET)
    bounds = {"min", "max"} & set(parts)
    if listed != ("values" in parts) or bounds != ({"min", "max"} if kind == Type.INT else set()):
        raise spec.fail("enums and sets have values, ints have min and max, others neither")
    values = [v.text() for v in parts["values"].sequence()] if listed else []
    low, high = (_bound(parts[k]) if kind == Type.INT else 0 for k in ("min", "max"))
    flags = {name: name in parts and parts[name].flag() for name in _FLAGS}
    obtain = parts["obtain"].text() if "obtain" in parts else None
    label = parts["label"].text()
    return Attribute(path, Type(kind), label, frozenset(values), low, high, **flags, obtain=obtain)


def _bound(value: Value) -> int:
    if type(value.raw) is not int:
        raise value.fail("expected an integer")
    return value.raw
