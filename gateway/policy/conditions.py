"""Conditions: three-valued trees over facts. True, False, or None where a fact cannot be established.

`all`, `any`, `not` are Kleene's; `exists` alone is never unknown. Operators compare an attribute with
a literal of its domain or with another attribute (`$path`). A missing fact or one of the wrong type
makes the comparison unknown, never an error: what that means is the effect's business.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.policy.text import Value, nearest
from gateway.policy.vocabulary import TODAY, Attribute, Fact, Facts, Type, Vocabulary

Truth = bool | None


@dataclass(frozen=True, slots=True)
class Always:
    """True, whatever the facts."""

    def eval(self, facts: Facts) -> Truth:
        """Return True."""
        return True


@dataclass(frozen=True, slots=True)
class Every:
    """`all`: one False decides, then one unknown."""

    parts: "tuple[Condition, ...]"

    def eval(self, facts: Facts) -> Truth:
        """Return Kleene's conjunction."""
        values = [part.eval(facts) for part in self.parts]
        return False if False in values else None if None in values else True


@dataclass(frozen=True, slots=True)
class Some:
    """`any`: one True decides, then one unknown."""

    parts: "tuple[Condition, ...]"

    def eval(self, facts: Facts) -> Truth:
        """Return Kleene's disjunction."""
        values = [part.eval(facts) for part in self.parts]
        return True if True in values else None if None in values else False


@dataclass(frozen=True, slots=True)
class Not:
    """`not`: unknown stays unknown."""

    part: "Condition"

    def eval(self, facts: Facts) -> Truth:
        """Return Kleene's negation."""
        value = self.part.eval(facts)
        return None if value is None else not value


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists`: whether the fact is recorded; the only operator that absence makes False."""

    attribute: Attribute

    def eval(self, facts: Facts) -> Truth:
        """Return whether there is such a fact."""
        return self.attribute.path in facts


@dataclass(frozen=True, slots=True)
class Compare:
    """An operator between an attribute and a literal, or another attribute."""

    op: str
    left: Attribute
    right: Fact | None
    other: Attribute | None

    def eval(self, facts: Facts) -> Truth:
        """Compare, or return None if either side is missing or of the wrong type."""
        left = facts.get(self.left.path)
        right = facts.get(self.other.path) if self.other else self.right
        if left is None or right is None or not self.left.valid(left):
            return None
        if self.other is not None and not self.other.valid(right):
            return None
        return OPERATORS[self.op].apply(left, right)


Condition = Always | Every | Some | Not | Exists | Compare


@dataclass(frozen=True, slots=True)
class Operator:
    """What an operator takes and does. *sides* are the allowed (left, right) types."""

    words: str
    sides: frozenset[tuple[Type, Type]]
    apply: Callable[[object, object], bool]


def _same(*types: Type) -> frozenset[tuple[Type, Type]]:
    return frozenset((t, t) for t in types)


_ANY = _same(Type.ENUM, Type.BOOL, Type.INT, Type.DATE, Type.TEXT, Type.SET)
_DATES = _same(Type.DATE)
_INTS = _same(Type.INT)
_SETS = _same(Type.SET)

# The sides are type-checked when the rule is loaded and again with each fact, so `a` and `b` fit.
OPERATORS: dict[str, Operator] = {
    "eq": Operator("is", _ANY, lambda a, b: a == b),
    "ne": Operator("is not", _ANY, lambda a, b: a != b),
    "in": Operator("is one of", frozenset({(Type.ENUM, Type.SET)}), lambda a, b: a in b),  # type: ignore[operator]
    "contains": Operator("includes", frozenset({(Type.SET, Type.ENUM)}), lambda a, b: b in a),  # type: ignore[operator]
    "subset": Operator("is within", _SETS, lambda a, b: a <= b),  # type: ignore[operator]
    "intersects": Operator("shares an element with", _SETS, lambda a, b: bool(a & b)),  # type: ignore[operator]
    "before": Operator("is before", _DATES, lambda a, b: a < b),  # type: ignore[operator]
    "after": Operator("is after", _DATES, lambda a, b: a > b),  # type: ignore[operator]
    "lt": Operator("is less than", _INTS, lambda a, b: a < b),  # type: ignore[operator]
    "le": Operator("is at most", _INTS, lambda a, b: a <= b),  # type: ignore[operator]
    "gt": Operator("is more than", _INTS, lambda a, b: a > b),  # type: ignore[operator]
    "ge": Operator("is at least", _INTS, lambda a, b: a >= b),  # type: ignore[operator]
}
_WORDS = frozenset({"all", "any", "not", "exists", *OPERATORS})


def read_condition(value: Value, vocabulary: Vocabulary) -> Condition:
    """Read a condition. Raises MalformedError with the place and the nearest valid word."""
    if value.raw is True:
        return Always()
    if not isinstance(value.raw, dict) or len(value.raw) != 1:
        raise value.fail("a condition is `true` or a mapping with exactly one operator")
    ((op, operand),) = value.raw.items()
    if op in ("all", "any"):
        parts = tuple(read_condition(part, vocabulary) for part in operand.sequence())
        if not parts:
            raise operand.fail(f"{op} needs at least one condition")
        return Every(parts) if op == "all" else Some(parts)
    if op == "not":
        return Not(read_condition(operand, vocabulary))
    if op == "exists":
        return Exists(vocabulary.get(operand))
    if op not in OPERATORS:
        raise value.fail(f"unknown operator {op!r}{nearest(op, _WORDS)}")
    return _comparison(op, operand, vocabulary)


def _comparison(op: str, operand: Value, vocabulary: Vocabulary) -> Compare:
    sides = operand.sequence()
    if len(sides) != 2:
        raise operand.fail(f"{op} takes [attribute, literal or $attribute]")
    left, right = vocabulary.get(sides[0]), sides[1]
    allowed = {b for a, b in OPERATORS[op].sides if a is left.type}
    if not allowed:
        raise sides[0].fail(f"{op} does not apply to {left.path}, which is a {left.type.value}")
    if isinstance(right.raw, str) and right.raw.startswith("$"):
        other = vocabulary.get(Value(right.raw[1:], right.place))
        if other.type not in allowed:
            raise right.fail(f"{op} cannot compare {left.path} with {other.path}")
        return Compare(op, left, None, other)
    return Compare(op, left, _literal(op, left, right), None)


def _literal(op: str, left: Attribute, right: Value) -> Fact:
    if op == "in":
        return frozenset(left.element(word) for word in right.sequence())
    return left.element(right) if op == "contains" else left.literal(right)


def attributes(condition: Condition) -> Iterator[Attribute]:
    """Yield every attribute the condition reads."""
    match condition:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from attributes(part)
        case Not(part):
            yield from attributes(part)
        case Exists(attribute):
            yield attribute
        case Compare(_, left, _, other):
            yield left
            if other is not None:
                yield other


def dates(condition: Condition, facts: Facts) -> Iterator[str]:
    """Yield every date that the condition compares today with: when its value may change."""
    match condition:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from dates(part, facts)
        case Not(part):
            yield from dates(part, facts)
        case Compare(_, left, right, other) if left.type is Type.DATE:
            other_value = facts.get(other.path) if other else right
            pair = {left.path: facts.get(left.path), other.path if other else "": other_value}
            if TODAY in pair:
                yield from (str(v) for k, v in pair.items() if k != TODAY and v is not None)
        case _:
            pass
