"""Obligations: every kind is a join-semilattice, so merging is order-free and idempotent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.kernel.encoding import Json
from gateway.policy.text import Value, nearest

Term: TypeAlias = int | str | tuple[str, ...] | tuple[tuple[str, int], ...]
Terms: TypeAlias = Mapping[str, Term]


class Join(StrEnum):
    """How two terms of one kind become one."""

    UNION = "union"  # sets
    INTERSECTION = "intersection"  # sets; the empty one leaves nothing to permit
    ROLES = "roles"  # counts per role, the larger of each
    ORDER = "order"  # words from mild to strict, the stricter
    MIN = "min"  # integers, the smaller


class Phase(StrEnum):
    """When an obligation is met: before release it makes a hold."""

    BEFORE = "before"
    WITH = "with"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One kind. *values* is the domain; for an order, from mild to strict.

    *by_recipient*: the recipient's system has to honour it, and must have said that it can.
    """

    kind: str
    join: Join
    phase: Phase
    label: str
    values: tuple[str, ...] = ()
    by_recipient: bool = False

    def read(self, value: Value) -> Term:
        """Read a term of this kind. Raises MalformedError."""
        if self.join is Join.MIN:
            if type(value.raw) is not int or value.raw < 0:
                raise value.fail(f"{self.kind} is a number, 0 or more")
            return value.raw
        if self.join is Join.ORDER:
            return self._word(value)
        if self.join is Join.ROLES:
            return self._roles(value)
        return tuple(sorted({self._word(word) for word in value.sequence()}))

    def recall(self, value: Json) -> Term | None:
        """Return a term from the JSON in which it was recorded; None if it is none of this kind now."""
        match self.join, value:
            case Join.MIN, int():
                return value
            case Join.ORDER, str():
                return value if value in self.values else None
            case Join.ROLES, dict():
                return tuple(sorted((k, v) for k, v in value.items() if isinstance(v, int)))
            case ((Join.UNION | Join.INTERSECTION), list()):
                return tuple(sorted(word for word in value if isinstance(word, str)))
        return None

    def join_terms(self, one: Term, two: Term) -> Term:
        """Return the least term at least as strict as both."""
        match one, two:
            case int(), int():
                return min(one, two)
            case str(), str():
                return max(one, two, key=self.values.index)
            case _:
                return self._join_sets(one, two)

    def _join_sets(self, one: Term, two: Term) -> Term:
        if self.join is Join.ROLES:
            counts: dict[str, int] = {}
            for role, count in (*_pairs(one), *_pairs(two)):
                counts[role] = max(counts.get(role, 0), count)
            return tuple(sorted(counts.items()))
        a, b = set(words(one)), set(words(two))
        return tuple(sorted(a | b if self.join is Join.UNION else a & b))

    def _roles(self, value: Value) -> Term:
        found: list[tuple[str, int]] = []
        for role, count in value.members().items():
            self._word(Value(role, count.place))
            if type(count.raw) is not int or count.raw < 1:
                raise count.fail("a role is asked for at least one person")
            found.append((role, count.raw))
        if not found:
            raise value.fail(f"{self.kind} names at least one role")
        return tuple(sorted(found))

    def _word(self, value: Value) -> str:
        word = value.text()
        if word not in self.values:
            hint = nearest(word, set(self.values))
            raise value.fail(f"{word!r} is not a value of {self.kind}{hint}")
        return word


def _pairs(term: Term) -> tuple[tuple[str, int], ...]:
    return tuple(p for p in term if isinstance(p, tuple)) if isinstance(term, tuple) else ()


def words(term: Term) -> tuple[str, ...]:
    """Return the words of a term that is a set; none of another."""
    return tuple(w for w in term if isinstance(w, str)) if isinstance(term, tuple) else ()


def merge(kinds: Mapping[str, Obligation], many: Iterable[Terms]) -> dict[str, Term]:
    """Join all terms, kind by kind."""
    merged: dict[str, Term] = {}
    for terms in many:
        for kind, term in terms.items():
            merged[kind] = kinds[kind].join_terms(merged.get(kind, term), term)
    return dict(sorted(merged.items()))


def term_json(term: Term) -> Json:
    """Return a term as JSON: roles as a mapping, sets as sorted lists."""
    if isinstance(term, tuple):
        pairs = _pairs(term)
        return dict(pairs) if pairs else [*words(term)]
    return term


def terms_json(terms: Terms) -> dict[str, Json]:
    """Return terms as JSON."""
    return {kind: term_json(term) for kind, term in terms.items()}


def asked(kind: str, term: Term) -> list[str]:
    """Return what a term asks for, each such as `approval:legal_adviser`; the kind if nothing."""
    named = [pair[0] for pair in _pairs(term)] or [*words(term)]
    return [f"{kind}:{word}" for word in named] or [kind]


def read_kinds(value: Value) -> dict[str, Obligation]:
    """Read obligations.yaml. Raises MalformedError."""
    kinds = value.mapping({"obligations"})["obligations"].members()
    return {kind: read_kind(kind, spec) for kind, spec in kinds.items()}


def read_kind(kind: str, spec: Value) -> Obligation:
    """Read one kind. Raises MalformedError."""
    parts = spec.mapping({"join", "phase", "label"}, frozenset({"values", "by_recipient"}))
    join, phase = parts["join"], parts["phase"]
    if join.text() not in set(Join):
        raise join.fail(f"unknown join {join.raw!r}{nearest(join.text(), set(Join))}")
    if phase.text() not in set(Phase):
        raise phase.fail(f"unknown phase {phase.raw!r}{nearest(phase.text(), set(Phase))}")
    if (join.text() != Join.MIN) != ("values" in parts):
        raise spec.fail("every join but min has values, and min has none")
    values = tuple(v.text() for v in parts["values"].sequence()) if "values" in parts else ()
    by_recipient = parts["by_recipient"].flag() if "by_recipient" in parts else False
    return Obligation(
        kind,
        Join(join.text()),
        Phase(phase.text()),
        parts["label"].text(),
        values,
        by_recipient,
    )
