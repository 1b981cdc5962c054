"""Every operator, with a literal and with another fact, under every effect, for every value."""

import itertools
import random
from typing import Any

import pytest

from gateway.policy import Fact, Outcome
from gateway.policy.conditions import OPERATORS, Truth
from tests.policy import generated
from tests.policy.generated import COMPARISONS, TODAY, VOCABULARY, random_fact

EFFECTS = ("permit", "deny", "require")
VALUES: tuple[Truth, ...] = (True, False, None)


def _cases(op: str) -> list[tuple[str, Any]]:
    """Return left sides with right ones: of each type a few literals and another fact."""
    found: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    for name, left, right in COMPARISONS:
        if name == op and left != "context.today":  # which is never unknown
            kind = VOCABULARY.attributes[left].type.value
            form = "fact" if isinstance(right, str) and right.startswith("$") else str(right)
            found.setdefault((kind, form), []).append((left, right))
    return [several[0] for several in found.values()]


def _made(op: str, left: str, right: Any, wanted: Truth) -> dict[str, Fact] | None:
    """Return facts under which a comparison has a value, or None if no fact gives it."""
    rng = random.Random(f"{op}{left}{right}{wanted}")
    other = right[1:] if isinstance(right, str) and right.startswith("$") else None
    when = _rules("permit", {op: [left, right]}).rules[-1].when
    for _ in range(200):
        facts = {p: random_fact(VOCABULARY.attributes[p], rng) for p in (left, other) if p}
        facts.pop("context.today", None)
        if wanted is None:
            facts.pop(other if other in facts and rng.random() < 0.5 else left, None)
        if when.eval({**facts, "context.today": TODAY}) is wanted:
            return facts
    return None


def _rules(effect: str, when: Any) -> Any:
    base = {"title": "t", "basis": "b", "effect": "permit", "id": "base", "when": True}
    rule = {**base, "id": "rule", "effect": effect, "when": when}
    if effect == "require":
        rule["obligations"] = {"handling": "high"}
    return generated.of([rule] if effect == "permit" else [base, rule])


def _outcome(effect: str, value: Truth) -> tuple[Outcome, bool]:
    """Return what a rule of this effect and value must lead to: outcome, and obligation attached."""
    if effect == "permit":
        return (Outcome.PERMIT if value is True else Outcome.DENY), False
    if effect == "deny":
        return (Outcome.PERMIT if value is False else Outcome.DENY), False
    return Outcome.PERMIT, value is not False


@pytest.mark.parametrize("op", [*OPERATORS])
def test_an_operator_has_every_value_under_every_effect(op: str) -> None:
    seen = set()
    for left, right in _cases(op):
        for value, effect in itertools.product(VALUES, EFFECTS):
            facts = _made(op, left, right, value)
            if facts is None:
                continue
            verdict = _rules(effect, {op: [left, right]}).judge(facts, TODAY)
            got = (verdict.outcome, "handling" in verdict.terms)
            assert got == _outcome(effect, value), (op, left, right, facts, effect)
            seen.add((isinstance(right, str) and right.startswith("$"), value, effect))
    assert seen == {*itertools.product((True, False), VALUES, EFFECTS)}, "none is left out"


@pytest.mark.parametrize(
    ("when", "value"),
    [
        ({"exists": "item.x.bool1"}, True),
        ({"exists": "item.x.bool2"}, False),
        ({"not": {"eq": ["item.x.bool1", True]}}, False),
        ({"not": {"eq": ["item.x.bool1", False]}}, True),
        ({"not": {"eq": ["item.x.bool2", True]}}, None),
        ({"all": [True, {"eq": ["item.x.bool1", True]}]}, True),
        ({"all": [{"eq": ["item.x.bool2", True]}, {"eq": ["item.x.bool1", False]}]}, False),
        ({"all": [True, {"eq": ["item.x.bool2", True]}]}, None),
        ({"any": [{"eq": ["item.x.bool2", True]}, True]}, True),
        ({"any": [{"eq": ["item.x.bool1", False]}]}, False),
        ({"any": [{"eq": ["item.x.bool1", False]}, {"eq": ["item.x.bool2", True]}]}, None),
        (True, True),
    ],
)
@pytest.mark.parametrize("effect", EFFECTS)
def test_what_joins_conditions_has_every_value_under_every_effect(
    effect: str, when: Any, value: Truth
) -> None:
    verdict = _rules(effect, when).judge({"item.x.bool1": True}, TODAY)
    assert (verdict.outcome, "handling" in verdict.terms) == _outcome(effect, value)
