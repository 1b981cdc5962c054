"""Three-valued conditions in two values, for engines that know no third one.

A condition has two such forms: *certainly true* (unknown counts as false) and *true or unknown*
(unknown counts as true). `not` turns one into the other. They are built from the conditions as read;
nothing here is shared with the evaluator, so that a mistake in either shows as a disagreement.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gateway.policy.conditions import Always, Compare, Condition, Every, Exists, Not, Some
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import TODAY, Attribute, Vocabulary

T = TypeVar("T")


class Backend(Protocol[T]):
    """A language with two truth values that conditions are written in."""

    def always(self) -> T:
        """Return what is true."""
        ...

    def every(self, parts: Sequence[T]) -> T:
        """Return what is true if all of *parts* are."""
        ...

    def some(self, parts: Sequence[T]) -> T:
        """Return what is true if one of *parts* is."""
        ...

    def opposite(self, part: T) -> T:
        """Return what is true if *part* is not."""
        ...

    def recorded(self, attribute: Attribute) -> T:
        """Return what is true if the fact is there."""
        ...

    def compare(self, compare: Compare, *, unknown: bool) -> T:
        """Return the comparison if the facts it reads are there, else *unknown*."""
        ...


def form(condition: Condition, backend: Backend[T], *, unknown: bool) -> T:
    """Return the two-valued form of a condition in which what is unknown counts as *unknown*."""
    match condition:
        case Always():
            return backend.always()
        case Every(parts):
            return backend.every([form(part, backend, unknown=unknown) for part in parts])
        case Some(parts):
            return backend.some([form(part, backend, unknown=unknown) for part in parts])
        case Not(part):
            return backend.opposite(form(part, backend, unknown=not unknown))
        case Exists(attribute):
            return backend.recorded(attribute)
        case _:
            return backend.compare(condition, unknown=unknown)


def in_force(rule: Rule, vocabulary: Vocabulary) -> Condition:
    """Return when a rule is in force, as a condition on today, which is never unknown."""
    today = vocabulary.attributes[TODAY]
    parts: list[Condition] = []
    if rule.valid_from is not None:
        parts.append(Not(Compare("before", today, rule.valid_from, None)))
    if rule.valid_to is not None:
        parts.append(Not(Compare("after", today, rule.valid_to, None)))
    return Every(tuple(parts)) if parts else Always()


def firing(rule: Rule, vocabulary: Vocabulary, backend: Backend[T]) -> T:
    """Return when a rule speaks: a permit if it is certain, others also where a fact is unknown."""
    return _in_term(rule, vocabulary, backend, unknown=rule.effect is not Effect.PERMIT)


def attaching(rule: Rule, vocabulary: Vocabulary, backend: Backend[T]) -> T:
    """Return when a rule attaches its obligations, where another one permits: also on unknown."""
    return _in_term(rule, vocabulary, backend, unknown=True)


def _in_term(rule: Rule, vocabulary: Vocabulary, backend: Backend[T], *, unknown: bool) -> T:
    when = form(rule.when, backend, unknown=unknown)
    term = in_force(rule, vocabulary)
    if isinstance(term, Always):
        return when
    return backend.every([form(term, backend, unknown=False), when])
