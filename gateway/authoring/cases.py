"""Requests that an analysis found, in words for people and as facts that can be decided on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.kernel.encoding import Json
from gateway.policy.decide import PolicySet
from gateway.policy.explain import show
from gateway.policy.judge import Verdict
from gateway.policy.obligations import terms_json
from gateway.policy.vocabulary import TODAY, Fact, Facts, Vocabulary, to_json


class DisagreementError(Exception):
    """An analysis and the evaluator say different things of the same facts: a defect of the program."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a set decides on a case: the rules that speak, and the obligations in the end."""

    outcome: str
    rules: tuple[str, ...]
    obligations: dict[str, Json]

    def to_json(self) -> dict[str, Json]:
        """Return the ruling as JSON."""
        return {
            "outcome": self.outcome,
            "rules": [*self.rules],
            "obligations": self.obligations,
        }

    def words(self) -> str:
        """Return the ruling in a line."""
        by = ", ".join(self.rules) or "no rule permits it"
        terms = "; ".join(f"{k} {json.dumps(v)}" for k, v in self.obligations.items())
        return f"{self.outcome.upper()} ({by}){f': {terms}' if terms else ''}"


def ruling(verdict: Verdict) -> Ruling:
    """Return a verdict as a ruling."""
    rules = tuple(sorted(rule.id for rule, _ in verdict.fired))
    return Ruling(verdict.outcome.value, rules, terms_json(verdict.terms))


def judged(policy: PolicySet, facts: Facts) -> Verdict:
    """Judge facts, today among them, as far as the set's vocabulary knows them."""
    known = seen_by(policy.vocabulary, facts)
    today = str(known.pop(TODAY))
    return policy.judge(known, today)


def seen_by(vocabulary: Vocabulary, facts: Facts) -> dict[str, Fact]:
    """Return the facts that a vocabulary knows, with values within its domains."""
    known = vocabulary.attributes
    return {p: fact for p, fact in facts.items() if p in known and known[p].valid(fact)}


def told(vocabulary: Vocabulary, facts: Facts) -> Iterator[str]:
    """Yield the facts in words, labels first. What is not named may be unknown."""
    for path, fact in sorted(facts.items()):
        label = vocabulary.attributes[path].label if path in vocabulary.attributes else path
        yield f"{label}: {show(fact)}"


def written(vocabulary: Vocabulary, facts: Facts) -> Iterator[str]:
    """Yield the facts as the lines of a file of facts, with their labels beside them."""
    for path, value in sorted(to_json(facts).items()):
        a = vocabulary.attributes.get(path)
        label = f"  # {' '.join(a.label.split())}" if a else ""
        yield f"{path}: {json.dumps(value, ensure_ascii=False)}{label}"
