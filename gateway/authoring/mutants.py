"""Mutants: the set with one small mistake each, as an author might make it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.authoring.sources import Node, Source, put
from gateway.authoring.words import phrase, short, short_term
from gateway.policy.conditions import (
    Always,
    Compare,
    Condition,
    Every,
    Not,
    Some,
)
from gateway.policy.obligations import Join, Obligation, Term
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import Attribute


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one mistake; *changed* is None where the rule is gone.

    *name* is the same from one run to the next, whatever else is edited. *words* say what is other.
    """

    name: str
    words: str
    place: str
    rule: str
    changed: Rule | None


def mutants(source: Source, kinds: Mapping[str, Obligation]) -> Iterator[Mutant]:
    """Yield every mutant of one rule, each under its own name."""
    rule = source.rule
    seen: dict[str, int] = {}
    for verb, what, words, place, changed in _changes(source, kinds):
        if changed == rule:
            continue
        name = f"{rule.id} {verb} {what}".rstrip()
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name} again {seen[name]}"
        yield Mutant(name, words, place, rule.id, changed)


_Change = tuple[str, str, str, str, Rule | None]


def _changes(source: Source, kinds: Mapping[str, Obligation]) -> Iterator[_Change]:
    yield "dropped", "", "without the rule", source.spec.place, None
    for node in source.nodes():
        for verb, words, new in _other_conditions(node):
            changed = replace(source.rule, when=put(source.rule.when, node.path, new))
            yield verb, short(node.condition), words, node.place, changed
    yield from _other_terms(source, kinds)
    yield from _other_dates(source)


def _other_conditions(node: Node) -> Iterator[tuple[str, str, Condition | None]]:
    """Yield what an author might have written instead of one condition; None: left out."""
    condition, said = node.condition, phrase(node.condition)
    if isinstance(node.parent, Every | Some) and len(node.parent.parts) > 1:
        yield "without", f"without the condition: {said}", None
    elif node.parent is None and not isinstance(condition, Always):
        yield "without", f"without the condition: {said}", Always()
    if not isinstance(condition, Always) and not isinstance(node.parent, Not):
        opposite = condition.part if isinstance(condition, Not) else Not(condition)
        yield "negated", f"with the opposite of: {said}", opposite
    match condition:
        case Every(parts) if len(parts) > 1:
            yield "any-for-all", f"with one of them enough: {said}", Some(parts)
        case Some(parts) if len(parts) > 1:
            yield "all-for-any", f"with all of them needed: {said}", Every(parts)
        case Compare():
            yield from _other_comparisons(condition)
        case _:
            pass


_NEIGHBOUR = {
    "lt": "le",
    "le": "lt",
    "gt": "ge",
    "ge": "gt",
    "subset": "intersects",
    "intersects": "subset",
}
_OR_ON = {"before": "after", "after": "before"}  # before, or on the day: not after


def _other_comparisons(compare: Compare) -> Iterator[tuple[str, str, Condition]]:
    said = phrase(compare)
    if compare.op in _NEIGHBOUR:
        other = replace(compare, op=_NEIGHBOUR[compare.op])
        yield f"as-{other.op}", f"with {phrase(other)}, not {said}", other
    if compare.op in _OR_ON:
        inclusive = Not(replace(compare, op=_OR_ON[compare.op]))
        yield "or-on-the-day", f"with the day itself too: {said}", inclusive
    if isinstance(compare.right, frozenset):
        yield from _other_sets(compare, compare.right)


def _other_sets(compare: Compare, words: frozenset[str]) -> Iterator[tuple[str, str, Condition]]:
    said = phrase(compare)
    for word in sorted(words) if len(words) > 1 else ():
        yield f"less-{word}", f"without {word} in: {said}", replace(compare, right=words - {word})
    more = _next_word(compare.left, words)
    if more is not None:
        yield f"more-{more}", f"with {more} too in: {said}", replace(compare, right=words | {more})


def _next_word(attribute: Attribute, words: frozenset[str]) -> str | None:
    return min(attribute.values - words, default=None)


def _other_terms(source: Source, kinds: Mapping[str, Obligation]) -> Iterator[_Change]:
    rule = source.rule
    for kind, term in rule.terms.items():
        what, place = f"{kind} {short_term(term)}", source.obligation_place(kind)
        rest = {k: t for k, t in rule.terms.items() if k != kind}
        if rest or rule.effect is not Effect.REQUIRE:  # one without any is the rule dropped
            words = f"without the obligation {what}"
            yield "without", what, words, place, replace(rule, terms=rest)
        for verb, weaker in _weaker(kinds[kind], term):
            words = f"with the obligation {kind} only {short_term(weaker)}, not {short_term(term)}"
            yield verb, what, words, place, replace(rule, terms={**rule.terms, kind: weaker})


def _weaker(kind: Obligation, term: Term) -> Iterator[tuple[str, Term]]:
    """Yield terms one step milder."""
    match term:
        case int():
            yield "more", term + 1
        case str():
            order = kind.values.index(term)
            if order:
                yield "milder", kind.values[order - 1]
        case _:
            yield from _weaker_set(kind, term)


def _weaker_set(kind: Obligation, term: Term) -> Iterator[tuple[str, Term]]:
    parts = term if isinstance(term, tuple) else ()
    words = tuple(part for part in parts if isinstance(part, str))
    pairs = tuple(part for part in parts if isinstance(part, tuple))
    if kind.join is Join.INTERSECTION:  # the more uses, the milder
        for word in sorted(set(kind.values) - set(words))[:1]:
            yield f"more-{word}", tuple(sorted({*words, word}))
    for word in words if kind.join is Join.UNION and len(words) > 1 else ():
        yield f"less-{word}", tuple(one for one in words if one != word)
    for role, count in pairs:
        fewer = [(one, n - (one == role)) for one, n in pairs]
        left = tuple((one, n) for one, n in fewer if n)
        if left:
            yield f"fewer-{role}" if count > 1 else f"less-{role}", left


def _other_dates(source: Source) -> Iterator[_Change]:
    rule = source.rule
    if rule.valid_from is not None:
        words = f"without its first day, {rule.valid_from}"
        place = source.place("valid_from")
        yield "without", "valid_from", words, place, replace(rule, valid_from=None)
    if rule.valid_to is not None:
        words = f"without its last day, {rule.valid_to}"
        place = source.place("valid_to")
        yield "without", "valid_to", words, place, replace(rule, valid_to=None)
