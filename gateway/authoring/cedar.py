"""A set as policies and schema of Cedar, so that its decisions can be checked by an engine of others.

Cedar has two values and skips a policy that errs; so every comparison is guarded by `has`, and what is
unknown counts as the effect says. Rules that permit and deny are policies of the action `Release`; rules
that require are policies of `Obligate`, whose obligations Cedar returns as the reasons of an Allow. Holds,
and how obligations join, have no counterpart.
"""

from collections.abc import Iterator, Sequence

from gateway.authoring.polarity import attaching, firing
from gateway.kernel.encoding import Json, canonical_json
from gateway.policy.conditions import Compare
from gateway.policy.decide import PolicySet
from gateway.policy.obligations import terms_json
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import NAMESPACES, TODAY, Attribute, Fact, Facts, Type, Vocabulary

RELEASE, OBLIGATE = "Release", "Obligate"
_WRITTEN = {
    "eq": "{a} == {b}",
    "ne": "{a} != {b}",
    "in": "{b}.contains({a})",
    "contains": "{a}.contains({b})",
    "subset": "{b}.containsAll({a})",
    "intersects": "{a}.containsAny({b})",
    "before": "{a} < {b}",
    "after": "{a} > {b}",
    "lt": "{a} < {b}",
    "le": "{a} <= {b}",
    "gt": "{a} > {b}",
    "ge": "{a} >= {b}",
}
_TYPES = {
    Type.ENUM: "String",
    Type.SET: "Set<String>",
    Type.BOOL: "Bool",
    Type.INT: "Long",
    Type.DATE: "Long",
    Type.TEXT: "String",
}


class Cedar:
    """Conditions as text of Cedar: a backend for `polarity`."""

    def always(self) -> str:
        """Return what is true."""
        return "true"

    def every(self, parts: Sequence[str]) -> str:
        """Return what is true if all of *parts* are."""
        return f"({' && '.join(parts)})"

    def some(self, parts: Sequence[str]) -> str:
        """Return what is true if one of *parts* is."""
        return f"({' || '.join(parts)})"

    def opposite(self, part: str) -> str:
        """Return what is true if *part* is not."""
        return f"!({part})"

    def recorded(self, attribute: Attribute) -> str:
        """Return what is true if the fact is there."""
        record, name = _place(attribute)
        return f"({record} has {name})"

    def compare(self, compare: Compare, *, unknown: bool) -> str:
        """Return the comparison if the facts it reads are there, else *unknown*."""
        sides = [compare.left] if compare.other is None else [compare.left, compare.other]
        known = " && ".join(dict.fromkeys(self.recorded(side) for side in sides))
        return f"(if {known} then {_compared(compare)} else {str(unknown).lower()})"


def _compared(compare: Compare) -> str:
    left = _fact(compare.left)
    if compare.other is None and compare.right == frozenset():
        return _with_nothing(compare.op, left)
    right = _fact(compare.other) if compare.other is not None else literal(_shown(compare))
    return _WRITTEN[compare.op].format(a=left, b=right)


def _shown(compare: Compare) -> Fact | None:
    """Return the literal of a comparison, a date as its number."""
    day = compare.left.type is Type.DATE
    return number(str(compare.right)) if day else compare.right


def _with_nothing(op: str, left: str) -> str:
    """Return a comparison with the empty set, whose elements would have no type."""
    empty = {"eq": f"{left}.isEmpty()", "ne": f"!{left}.isEmpty()", "subset": f"{left}.isEmpty()"}
    return empty.get(op, "false")


def _place(a: Attribute) -> tuple[str, str]:
    space, _, name = a.path.partition(".")
    return f"context.{space}", text(name)


def _fact(a: Attribute) -> str:
    record, name = _place(a)
    return f"{record}[{name}]"


def text(value: str) -> str:
    """Return a text as Cedar writes it."""
    return f'"{"".join(_ESCAPED.get(char) or _visible(char) for char in value)}"'


_ESCAPED = {'"': r"\"", "\\": r"\\", "\n": r"\n"}


def _visible(char: str) -> str:
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"


def literal(value: Fact | None) -> str:
    """Return a literal. Sets are in the order of their words."""
    if isinstance(value, frozenset):
        return f"[{', '.join(text(word) for word in sorted(value))}]"
    if isinstance(value, str):
        return text(value)
    return str(value).lower()


def number(day: str) -> int:
    """Return a date as a number in the order of the calendar: 2026-11-23 is 20261123."""
    return int(day.replace("-", ""))


def policies(policy: PolicySet) -> str:
    """Return the rules as text of Cedar, in their order."""
    return (
        "\n\n".join(text for rule in policy.rules for text in _of(rule, policy.vocabulary)) + "\n"
    )


def _of(rule: Rule, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield a rule's policies: what it releases or forbids, and what it obliges to."""
    if rule.effect is not Effect.REQUIRE:
        yield _policy(rule, RELEASE, firing(rule, vocabulary, Cedar()))
    if rule.effect is not Effect.DENY and rule.terms:
        yield _policy(rule, OBLIGATE, attaching(rule, vocabulary, Cedar()))


def _policy(rule: Rule, action: str, when: str) -> str:
    word = "forbid" if rule.effect is Effect.DENY else "permit"
    notes = {"id": rule.id, "title": rule.title, "basis": rule.basis}
    if rule.effect is Effect.DENY:
        notes["reason"] = rule.reason.value
    if rule.terms:
        notes["obligations"] = canonical_json(terms_json(rule.terms)).decode()
    lines = [f"@{name}({text(value)})" for name, value in notes.items()]
    lines.append(f'{word} (principal, action == Action::"{action}", resource)')
    lines.append(f"when {{ {when} }};")
    return "\n".join(lines)


def schema(policy: PolicySet) -> str:
    """Return the vocabulary as a schema of Cedar. Only today is always there."""
    records = ",\n".join(
        f"    {text(space)}: {{{_members(policy.vocabulary, space)}}}"
        for space in sorted(NAMESPACES)
    )
    return (
        f"entity Recipient;\nentity Item;\n"
        f"type Facts = {{\n{records}\n}};\n"
        f"action {RELEASE}, {OBLIGATE} appliesTo {{\n"
        f"    principal: [Recipient], resource: [Item], context: Facts\n}};\n"
    )


def _members(vocabulary: Vocabulary, space: str) -> str:
    own = [a for a in vocabulary.attributes.values() if a.path.partition(".")[0] == space]
    lines = [
        f"\n        {_place(a)[1]}{'' if a.path == TODAY else '?'}: {_TYPES[a.type]}"
        for a in sorted(own, key=_path)
    ]
    return ",".join(lines)


def _path(a: Attribute) -> str:
    return a.path


def request(vocabulary: Vocabulary, facts: Facts, action: str) -> dict[str, Json]:
    """Return facts, today among them and all within their domains, as a request of Cedar."""
    context: dict[str, Json] = {}
    for space in sorted(NAMESPACES):
        context[space] = dict(_values(vocabulary, facts, space))
    return {
        "principal": 'Recipient::"one"',
        "action": f'Action::"{action}"',
        "resource": 'Item::"one"',
        "context": context,
    }


def _values(vocabulary: Vocabulary, facts: Facts, space: str) -> Iterator[tuple[str, Json]]:
    for path, fact in facts.items():
        where, _, name = path.partition(".")
        if where == space:
            a = vocabulary.attributes[path]
            if isinstance(fact, frozenset):
                yield name, [*sorted(fact)]
            else:
                yield name, number(str(fact)) if a.type is Type.DATE else fact
