"""A whole set of rules for z3: what it decides and what it obliges to, for all facts at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.authoring.polarity import attaching, firing, form, in_force
from gateway.authoring.strictness import Demand, Numbers, demands
from gateway.authoring.symbolic import Space, Term
from gateway.authoring.view import View
from gateway.policy.conditions import Condition
from gateway.policy.decide import PolicySet
from gateway.policy.invariants import Invariant
from gateway.policy.judge import Outcome
from gateway.policy.obligations import Join, Obligation, Phase
from gateway.policy.rules import Effect, Rule


def conditions(policy: PolicySet, invariants: Sequence[Invariant] = ()) -> list[Condition]:
    """Return every condition of a set and its invariants, terms of validity among them."""
    rules = [rule.when for rule in policy.rules]
    terms = [in_force(rule, policy.vocabulary) for rule in policy.rules]
    return [*rules, *terms, *(invariant.when for invariant in invariants)]


class Model:
    """One set of rules in a space. *kinds*: by whose values its terms are set beside another set's."""

    def __init__(
        self, space: Space, policy: PolicySet, kinds: Mapping[str, Obligation], numbers: Numbers
    ) -> None:
        self.policy, self._kinds, self._numbers, self._z3 = policy, kinds, numbers, space.z3
        self.view = View(space, policy.vocabulary)
        self.fires = {r.id: firing(r, policy.vocabulary, self.view) for r in policy.rules}
        obliging = [r for r in policy.rules if r.terms]
        self._attaches = {r.id: attaching(r, policy.vocabulary, self.view) for r in obliging}
        self._met = {r.id: self._certain(r) for r in policy.rules}
        # That no rule speaks as a precaution only: people want to see facts.
        cautious = [r for r in policy.rules if r.effect is not Effect.PERMIT]
        self.certainties = [self._z3.Implies(self.fires[r.id], self._met[r.id]) for r in cautious]
        self._asks = {r.id: demands(kinds, r.terms, numbers) for r in policy.rules}
        self._obliging = obliging
        denied = self.any_of(r for r in policy.rules if r.effect is Effect.DENY)
        permitted = self.any_of(r for r in policy.rules if r.effect is Effect.PERMIT)
        self.undenied = self._z3.Not(denied)
        self.allowed = self._z3.And(permitted, self.undenied, self._z3.Not(self._nothing_left()))
        before = [k for k, kind in policy.kinds.items() if kind.phase is Phase.BEFORE]
        self._waits = self._z3.Or(*(self._asked_by_own(kind) for kind in before))

    def any_of(self, rules: Iterable[Rule]) -> Term:
        """Return whether one of *rules* speaks."""
        return self._z3.Or(*(self.fires[rule.id] for rule in rules))

    def met(self, rule: Rule) -> Term:
        """Return whether a rule's condition is met for certain, while it is in force."""
        return self._met[rule.id]

    def silent(self, rule: Rule) -> Term:
        """Return whether a rule does not speak although it is in force."""
        term = form(in_force(rule, self.policy.vocabulary), self.view, unknown=False)
        return self._z3.And(term, self._z3.Not(self.fires[rule.id]))

    def others(self, rule: Rule) -> Term:
        """Return whether another rule of the same effect speaks."""
        same = (r for r in self.policy.rules if r.effect is rule.effect and r is not rule)
        return self.any_of(same)

    def opposite(self, term: Term) -> Term:
        """Return what is true if *term* is not."""
        return self._z3.Not(term)

    def outcome(self, outcome: Outcome) -> Term:
        """Return whether the set decides so."""
        if outcome is Outcome.DENY:
            return self._z3.Not(self.allowed)
        waits = self._waits if outcome is Outcome.HOLD else self._z3.Not(self._waits)
        return self._z3.And(self.allowed, waits)

    def asks(self, rule: Rule) -> frozenset[Demand]:
        """Return what a rule demands."""
        return self._asks[rule.id]

    def demanded(self, demand: Demand, without: Rule | None = None) -> Term:
        """Return whether a rule that speaks, another than *without*, makes a demand."""
        asking = (r for r in self._obliging if r is not without and demand in self._asks[r.id])
        return self._attached(asking)

    def _attached(self, rules: Iterable[Rule]) -> Term:
        """Return whether one of *rules* attaches its obligations."""
        return self._z3.Or(*(self._attaches[rule.id] for rule in rules))

    def _certain(self, rule: Rule) -> Term:
        term = form(in_force(rule, self.policy.vocabulary), self.view, unknown=False)
        return self._z3.And(term, form(rule.when, self.view, unknown=False))

    def _asked_by_own(self, kind: str) -> Term:
        return self._attached(r for r in self._obliging if kind in r.terms)

    def _nothing_left(self) -> Term:
        """Return whether an intersection comes out empty, by this set's own kinds."""
        own = {k: v for k, v in self.policy.kinds.items() if v.join is Join.INTERSECTION}
        empty = []
        for kind, spec in own.items():
            asking = [r for r in self._obliging if kind in r.terms]
            left = {r.id: set(_words(r, kind)) for r in asking}
            gone = [
                self._attached(r for r in asking if word not in left[r.id]) for word in spec.values
            ]
            empty.append(self._z3.And(self._attached(asking), *gone))
        return self._z3.Or(*empty)


def _words(rule: Rule, kind: str) -> tuple[Any, ...]:
    term = rule.terms[kind]
    return term if isinstance(term, tuple) else ()
