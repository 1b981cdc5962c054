"""Facts that the mechanism could bring about, among those that the rules in its way read."""

from collections.abc import Iterator, Sequence
from datetime import date

from gateway.policy.applied import ASSURANCES
from gateway.policy.clearances import ASSURANCE
from gateway.policy.conditions import Compare, Condition, Every, Exists, Not, Some
from gateway.policy.conditions import attributes as attributes_of
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Verdict
from gateway.policy.obligations import words
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import Attribute, Fact, Facts, Type, is_date

_ORDERED = (Type.INT, Type.DATE)
_WIDE = 16  # words of a set that are all tried


def obtainable(policy: PolicySet, facts: Facts, verdict: Verdict) -> Iterator[tuple[str, Fact]]:
    """Yield facts with other values, or a word more of a set, that could change what was said of an item.

    Only those with `obtain` in the vocabulary, and never a protected one.
    """
    rules = [rule for rule, _ in verdict.fired]
    if not rules:  # silence: what permits there are
        rules = [r for r in policy.rules if r.effect is Effect.PERMIT]
    seen: set[tuple[str, Fact]] = set()
    for attribute, value in _changes(policy, rules, facts):
        if attribute.obtain is None or attribute.protected or (attribute.path, value) in seen:
            continue
        before = facts.get(attribute.path)
        if isinstance(value, frozenset) and isinstance(before, frozenset) and value <= before:
            continue
        if attribute.valid(value) and value != before:
            seen.add((attribute.path, value))
            yield attribute.path, value


def _changes(
    policy: PolicySet, rules: Sequence[Rule], facts: Facts
) -> Iterator[tuple[Attribute, Fact]]:
    """Yield values that could change what rules say; some may be the present ones, or of no domain."""
    attributes = policy.vocabulary.attributes
    yield from _beyond(policy, rules, facts)
    for rule in rules:
        for leaf in _leaves(rule.when):
            if isinstance(leaf, Exists):
                yield from ((leaf.attribute, value) for value in _domain(leaf.attribute))
            else:
                yield from _of_comparison(leaf, facts)
        for word in words(rule.terms.get(ASSURANCE, ())):
            if ASSURANCES in attributes:
                yield attributes[ASSURANCES], frozenset({word})


def _beyond(
    policy: PolicySet, rules: Sequence[Rule], facts: Facts
) -> Iterator[tuple[Attribute, Fact]]:
    """Yield values of the numbers and dates that *rules* read, about what any rule compares them with.

    Else the value that ends one rule would be told although another rule asks more of it than of a
    value a little further on.
    """
    read = {a.path for rule in rules for a in attributes_of(rule.when) if a.type in _ORDERED}
    leaves = (leaf for rule in policy.rules if read for leaf in _leaves(rule.when))
    for leaf in leaves:
        if isinstance(leaf, Compare):
            yield from (one for one in _of_comparison(leaf, facts) if one[0].path in read)


def _leaves(condition: Condition) -> Iterator[Compare | Exists]:
    match condition:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _leaves(part)
        case Not(part):
            yield from _leaves(part)
        case Compare() | Exists():
            yield condition
        case _:  # always
            pass


def _of_comparison(compare: Compare, facts: Facts) -> Iterator[tuple[Attribute, Fact]]:
    left, other = compare.left, compare.other
    right = compare.right if other is None else facts.get(other.path)
    yield from ((left, value) for value in _near(left, right))
    if other is not None:
        yield from ((other, value) for value in _near(other, facts.get(left.path)))


def _near(attribute: Attribute, against: Fact | None) -> list[Fact]:
    """Return the values of an attribute among which a comparison with *against* changes its value.

    A set is only ever added to, a word at a time; one of a large domain by words of *against* alone.
    """
    if attribute.type is Type.SET:
        if len(attribute.values) <= _WIDE:
            return _domain(attribute)
        told = against if isinstance(against, frozenset) else frozenset({against})
        return [frozenset({word}) for word in sorted(w for w in told if isinstance(w, str))]
    if attribute.type is Type.DATE:
        return _days_about(against) if isinstance(against, str) and is_date(against) else []
    if type(against) is int:
        return [against - 1, against, against + 1]
    if attribute.type is Type.TEXT and isinstance(against, str):
        return [against]
    return _domain(attribute)


def _domain(attribute: Attribute) -> list[Fact]:
    """Return every value of an enum or truth value, every word of a set; of what has more, none."""
    if attribute.type is Type.BOOL:
        return [True, False]
    if attribute.type is Type.SET:
        return [frozenset({word}) for word in sorted(attribute.values)]
    return [*sorted(attribute.values)] if attribute.type is Type.ENUM else []


def _days_about(day: str) -> list[Fact]:
    """Return a day with the one before and the one after, where the calendar has them."""
    at = date.fromisoformat(day).toordinal()
    known = range(max(1, at - 1), min(date.max.toordinal(), at + 1) + 1)
    return [date.fromordinal(n).isoformat() for n in known]
