"""Requests made at random over a whole vocabulary, near what is permitted and far from it.

Half of what matters happens at a boundary, so numbers and dates are mostly those that rules name, or one
beside them. The same seed makes the same requests.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random

from gateway.authoring.model import Model, conditions
from gateway.authoring.solver import Solver
from gateway.authoring.symbolic import Term, comparisons
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Outcome
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import TODAY, Attribute, Fact, Facts, Type

_NEAR = 0.7  # the share of requests that differ from a permitted one in a few facts
_MISSING = 0.15
_USUALLY_MISSING = 0.5
_CHANGES = 5
_A_DAY = "2026-06-15"  # where the rules name none


class Requests:
    """A source of requests for a set. *bases* are facts, today among them, that are changed a little."""

    def __init__(self, policy: PolicySet, bases: Sequence[Facts], seed: int) -> None:
        # Repeatable by intent; nothing is kept secret with it.
        self._random = Random(seed)  # noqa: S311
        self._attributes = sorted(policy.vocabulary.attributes.values(), key=_path)
        self._bases = bases
        self._named: dict[Type, list[Fact]] = {kind: [] for kind in Type}
        for condition in conditions(policy):
            for one in comparisons(condition):
                if one.right is not None:
                    self._named[one.left.type].append(one.right)

    def some(self, count: int) -> Iterator[dict[str, Fact]]:
        """Yield requests; today is always known."""
        for _ in range(count):
            near = self._bases and self._random.random() < _NEAR
            yield self._near() if near else self._anywhere()

    def _anywhere(self) -> dict[str, Fact]:
        facts: dict[str, Fact] = {}
        for a in self._attributes:
            self._set(facts, a)
        return facts

    def _near(self) -> dict[str, Fact]:
        facts = dict(self._random.choice(self._bases))
        count = min(self._random.randint(0, _CHANGES), len(self._attributes))
        for a in self._random.sample(self._attributes, count):
            self._set(facts, a)
        return facts

    def _set(self, facts: dict[str, Fact], a: Attribute) -> None:
        """Give a fact another value, or none."""
        missing = _USUALLY_MISSING if a.optional else _MISSING
        if a.path != TODAY and self._random.random() < missing:
            facts.pop(a.path, None)
        else:
            facts[a.path] = self._value(a)

    def _value(self, a: Attribute) -> Fact:
        pick = self._random
        match a.type:
            case Type.BOOL:
                return pick.random() < 0.5
            case Type.ENUM:
                return pick.choice(sorted(a.values))
            case Type.SET:
                return self._words(a)
            case Type.INT:
                return self._number(a)
            case Type.DATE:
                return self._day()
            case _:
                return str(pick.choice([*self._named[Type.TEXT], "other-1", "other-2", ""]))

    def _words(self, a: Attribute) -> frozenset[str]:
        rate = self._random.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        some = frozenset(w for w in sorted(a.values) if self._random.random() < rate)
        same = [v for v in self._named[Type.SET] if isinstance(v, frozenset) and v <= a.values]
        return self._random.choice(same) if same and self._random.random() < 0.3 else some

    def _number(self, a: Attribute) -> int:
        named = [v for v in self._named[Type.INT] if isinstance(v, int)] or [a.low, a.high]
        near = self._random.choice(named) + self._random.randint(-1, 1)
        anywhere = self._random.randint(a.low, a.high)
        return near if a.low <= near <= a.high and self._random.random() < 0.7 else anywhere

    def _day(self) -> str:
        named = [str(v) for v in self._named[Type.DATE]] or [_A_DAY]
        near = date.fromisoformat(self._random.choice(named))
        return (near + timedelta(days=self._random.randint(-2, 2))).isoformat()


def bases_of(policy: PolicySet, model: Model, solver: Solver) -> list[Facts]:
    """Return requests that turn on one rule each: it permits or requires, or it alone denies."""
    found = (
        solver.example(model.fires[rule.id], decided, wishes=model.certainties, today=_A_DAY)
        for rule in policy.rules
        for decided in _decided(rule, model)
    )
    return [facts for facts in found if facts is not None]


def _decided(rule: Rule, model: Model) -> list[Term]:
    if rule.effect is Effect.DENY:
        return [model.opposite(model.others(rule))]
    return [model.outcome(outcome) for outcome in (Outcome.PERMIT, Outcome.HOLD)]


def _path(a: Attribute) -> str:
    return a.path
