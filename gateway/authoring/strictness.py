"""Obligations as sets of single demands, so that to be stricter is to demand more.

A term is at least as strict as another of its kind if and only if it makes all of the other's demands,
and two terms joined make the demands of both. So what a set of rules obliges to in the end can be said
rule by rule, without joining anything.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gateway.policy.obligations import Join, Obligation, Term, Terms, term_json, words
from gateway.policy.rules import Rule

Demand: TypeAlias = tuple[str, str]
"""A kind and what of it is demanded; nothing for that there is an obligation of the kind at all."""

Numbers: TypeAlias = Mapping[str, frozenset[int]]
"""The numbers that terms of a kind name: demands are made at these alone."""


def demands(kinds: Mapping[str, Obligation], terms: Terms, numbers: Numbers) -> frozenset[Demand]:
    """Return all that *terms* demand. *numbers* must hold those of every term they are set against."""
    found = {(kind, "") for kind in terms}
    for kind, term in terms.items():
        found |= {(kind, what) for what in _of(kinds[kind], term, numbers.get(kind, frozenset()))}
    return frozenset(found)


def _of(kind: Obligation, term: Term, numbers: frozenset[int]) -> Iterable[str]:
    match kind.join:
        case Join.UNION:
            return words(term)
        case Join.INTERSECTION:  # the demand is to leave off what is not among them
            return set(kind.values) - set(words(term))
        case Join.ORDER:
            return kind.values[1 : kind.values.index(str(term)) + 1]
        case Join.MIN:
            return (str(n) for n in numbers if isinstance(term, int) and n >= term)
        case _:
            return _persons(term, numbers)


def _persons(term: Term, numbers: frozenset[int]) -> list[str]:
    counts = term_json(term)
    assert isinstance(counts, dict)
    return [
        f"{role}:{n}"
        for role, count in counts.items()
        for n in numbers
        if isinstance(count, int) and n <= count
    ]


def numbers_of(many: Iterable[Terms]) -> Numbers:
    """Return the numbers that terms name, by kind."""
    found: dict[str, set[int]] = {}
    for terms in many:
        for kind, term in terms.items():
            said = term_json(term)
            counts = said.values() if isinstance(said, dict) else [said]
            found.setdefault(kind, set()).update(n for n in counts if type(n) is int)
    return {kind: frozenset(some) for kind, some in found.items()}


def terms_of(rules: Iterable[Rule]) -> list[Terms]:
    """Return the terms of rules."""
    return [rule.terms for rule in rules]


def comparable(one: Obligation, two: Obligation) -> Obligation | None:
    """Return the kind by whose values the terms of both can be set side by side, or None.

    Orders can if one only adds steps to the other; sets and counts can if they join alike.
    """
    if one.join is not two.join:
        return None
    if one.join is not Join.ORDER:
        values = tuple(dict.fromkeys((*one.values, *two.values)))
        return Obligation(two.kind, two.join, two.phase, two.label, values)
    longer, shorter = (one, two) if len(one.values) > len(two.values) else (two, one)
    return (
        longer if [v for v in longer.values if v in shorter.values] == [*shorter.values] else None
    )
