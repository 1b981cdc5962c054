"""Which values each rule's condition took over all cases, whether or not it decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from gateway.policy.cases import Case
from gateway.policy.compiled import compiled
from gateway.policy.conditions import Always, Condition, Every, Exists, Not, Some, Truth
from gateway.policy.decide import PolicySet
from gateway.policy.rules import Rule
from gateway.policy.vocabulary import TODAY

NAMES: dict[Truth, str] = {True: "true", False: "false", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Covered:
    """How often a rule's value was true, false and unknown, and which it never was but could be."""

    rule: Rule
    true: int
    false: int
    unknown: int
    missing: tuple[str, ...]
    possible: int


def coverage(policy: PolicySet, cases: Iterable[Case]) -> list[Covered]:
    """Return the coverage of every rule, in order. A case counts if the rule is in force on its day."""
    seen = [
        (case.today, policy.vocabulary.known({**case.facts, TODAY: case.today})) for case in cases
    ]
    found = []
    for rule in policy.rules:
        test = compiled(rule.when)
        values = [test(facts) for today, facts in seen if rule.applies_on(today)]
        could = possible(rule.when)
        missing = tuple(name for value, name in NAMES.items() if value in could - set(values))
        true, false, unknown = (sum(value is one for value in values) for one in NAMES)
        found.append(Covered(rule, true, false, unknown, missing, len(could)))
    return found


def percent(covered: Sequence[Covered]) -> float:
    """Return how many of the values that could be taken were taken, in percent; 100 of none."""
    possible_ = sum(one.possible for one in covered)
    missing = sum(len(one.missing) for one in covered)
    return 100.0 if not possible_ else 100.0 * (possible_ - missing) / possible_


def possible(condition: Condition) -> frozenset[Truth]:
    """Return the values a condition could take, each part by itself; never too few."""
    match condition:
        case Always():
            return frozenset({True})
        case Exists():
            return frozenset({True, False})
        case Not(part):
            return frozenset(None if v is None else not v for v in possible(part))
        case Every(parts):
            return frozenset(_all(values) for values in product(*_distinct(parts)))
        case Some(parts):
            return frozenset(_any(values) for values in product(*_distinct(parts)))
        case _:
            clock = condition.left.path == TODAY and condition.other is None
            return frozenset({True, False}) if clock else frozenset({True, False, None})


def _distinct(parts: Sequence[Condition]) -> set[frozenset[Truth]]:
    """Return what the parts could be, each only once: a second that could be the same adds nothing."""
    return {possible(part) for part in parts}


def _all(values: Sequence[Truth]) -> Truth:
    return False if False in values else None if None in values else True


def _any(values: Sequence[Truth]) -> Truth:
    return True if True in values else None if None in values else False
