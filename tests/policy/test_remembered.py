"""What a set remembers of earlier decisions is bounded, and forgetting it changes none."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.policy import Decision, PolicySet, load

VOCABULARY = b"""
attributes:
  context.today: {type: date, label: today}
  item.name: {type: text, label: name}
  item.other: {type: text, label: other name}
  item.kinds: {type: set, values: [a, b], label: kinds}
  item.more: {type: set, values: [a, b], label: more kinds}
"""
OBLIGATIONS = b"obligations:\n  care: {join: union, phase: with, values: [much], label: care}\n"
RULES = b"""
rules:
- {id: any, effect: permit, title: t, basis: b, when: true}
- {id: past, effect: permit, title: t, basis: b, when: true, valid_to: "2026-05-02"}
- {id: one, effect: require, title: t, basis: b, when: {eq: [item.name, x1]}, obligations: {care: [much]}}
- {id: same, effect: deny, title: t, basis: b, when: {eq: [item.name, $item.other]}}
- {id: kind, effect: deny, title: t, basis: b, when: {contains: [item.kinds, a]}}
- {id: both, effect: deny, title: t, basis: b, when: {intersects: [item.kinds, $item.more]}}
"""
NONE: frozenset[str] = frozenset()


def policy() -> PolicySet:
    files = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": OBLIGATIONS, "rules/r.yaml": RULES}
    return load(files)


def every() -> list[tuple[Mapping[str, Any], str]]:
    """Facts and days, more different ones than are remembered; some of a type without a hash."""
    plain = {"item.kinds": NONE, "item.more": NONE}
    made: list[tuple[Mapping[str, Any], str]] = [
        ({**plain, "item.name": f"x{n}", "item.other": f"x{other}"}, f"2026-05-0{1 + n}")
        for n in range(5)
        for other in range(5)
    ]
    made.append(
        ({**plain, "item.name": "x1", "item.other": "x2", "item.kinds": ["a"]}, "2026-05-01")
    )
    made.append(({"item.name": "x9", "item.other": "x2"}, "2026-05-01"))
    return made


def decided(policy: PolicySet, facts: Mapping[str, Any], today: str) -> Decision:
    return policy.decide(dict(facts), today)


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_forgetting_changes_no_decision(monkeypatch: pytest.MonkeyPatch, bound: int) -> None:
    alone = [decided(policy(), facts, today) for facts, today in every()]
    assert len({one.outcome for one in alone}) == 2, "they are not all alike"
    monkeypatch.setattr("gateway.policy.index._REMEMBERED", bound)
    monkeypatch.setattr("gateway.policy.judge._REMEMBERED", bound)
    kept = policy()
    for _ in range(2):
        assert [decided(kept, facts, today) for facts, today in every()] == alone
    judge = kept._judge
    assert len(judge._live) <= bound
    assert len(judge._verdicts) <= bound
