"""Decisions of sets of 10 to 1,000 rules, and a whole matrix of them, beside Cedar with parsed handles.

The rules are drawn at random over one vocabulary, the same ones for both: three denials, one permit and
one requirement in five, each with two to four conditions. Cedar gets them without the requirements and
answers with an outcome alone; both must agree on every request before anything is timed.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.policy import Fact, Outcome, PolicySet
from tests.benchmarks.figures import Absent, Figure, Plan, median, wall
from tests.policy import generated
from tests.policy.generated import TODAY, WORDS

_EFFECTS = ("deny", "deny", "permit", "deny", "require")
_SIZES = (10, 50, 1000)
_SEED = 7


def drawn(count: int) -> list[dict[str, Any]]:
    """Return so many rules as data."""
    rng = random.Random(_SEED)
    return [_rule(n, _EFFECTS[n % 5], rng) for n in range(count)]


def _rule(n: int, effect: str, rng: random.Random) -> dict[str, Any]:
    one, two = rng.sample(sorted(generated.SIDES.values()), 2)
    when: list[Any] = [
        {"in": [f"{one}.enum1", rng.sample(WORDS, 2)]},
        {"eq": [f"{two}.bool1", rng.random() < 0.5]},
    ]
    if effect == "deny":
        when.append({"not": {"contains": [f"{one}.set1", rng.choice(WORDS)]}})
        when.append({"gt": ["item.x.int1", 4]})
    rule: dict[str, Any] = {"id": f"r{n}", "title": "t", "basis": "b", "effect": effect}
    if effect == "require":
        when.append({"any": [{"eq": [f"{two}.enum2", "a"]}, {"eq": [f"{one}.bool2", True]}]})
        rule["obligations"] = {"redact": ["x"]}
    return {**rule, "when": {"all": when}}


def _facts(count: int) -> list[dict[str, Fact]]:
    return [generated.random_facts(seed, 1 << 30, wrong=False) for seed in range(count)]


def _repeated(policy: PolicySet, facts: Sequence[Mapping[str, Fact]]) -> float:
    """Return the microseconds of one verdict."""
    seconds = wall(lambda: [policy.judge(one, TODAY) for one in facts])
    return seconds / len(facts) * 1e6


class _Cedar:
    """The same rules as a parsed Cedar set, with requests made from the same facts."""

    def __init__(self, rules: list[dict[str, Any]]) -> None:
        import cedarpy

        from gateway.authoring.cedar import policies, request

        permitting = [rule for rule in rules if rule["effect"] != "require"]
        self._authorize = cedarpy.is_authorized
        self._many = cedarpy.is_authorized_batch
        self._set = cedarpy.PolicySet.from_str(policies(generated.of(permitting)))
        self._entities = cedarpy.Entities.from_json_str("[]")
        self._request = request

    def requests(self, facts: Sequence[Mapping[str, Fact]]) -> list[Any]:
        return [
            self._request(generated.VOCABULARY, {**one, "context.today": TODAY}, "Release")
            for one in facts
        ]

    def outcomes(self, requests: list[Any]) -> list[bool]:
        answers = (self._authorize(one, self._set, self._entities) for one in requests)
        return [bool(answer.allowed) for answer in answers]

    def microseconds(self, requests: list[Any]) -> float:
        return wall(lambda: self.outcomes(requests)) / len(requests) * 1e6

    def batch_seconds(self, requests: list[Any]) -> float:
        return wall(lambda: self._many(requests, self._set, self._entities))


def verdicts(plan: Plan, _: Path) -> Iterator[Figure | Absent]:
    """One verdict at 10, 50 and 1,000 rules."""
    facts = _facts(min(plan.decisions, 200))
    for size in _SIZES:
        name = f"verdict at {size:,} rules"
        rules = drawn(size)
        policy = generated.of(rules)
        try:
            cedar = _Cedar(rules)
        except ImportError:
            yield Absent(name, "cedarpy is not installed")
            continue
        requests = cedar.requests(facts)
        allowed = [policy.judge(one, TODAY).outcome is not Outcome.DENY for one in facts]
        if cedar.outcomes(requests) != allowed:
            raise RuntimeError("the two engines decide differently")
        turns = [
            (_repeated(policy, facts), cedar.microseconds(requests)) for _ in range(plan.repeat)
        ]
        ours, theirs = (median(side) for side in zip(*turns, strict=True))
        yield Figure(name, ours, "µs", "cedarpy, parsed handles, µs", theirs)


def matrix(plan: Plan, _: Path) -> Iterator[Figure | Absent]:
    """Many items for 200 jurisdictions at 50 rules; Cedar is timed on a part and multiplied."""
    items, others = plan.decisions, 200
    name = f"{items:,} items x {others} jurisdictions"
    rules = drawn(50)
    policy = generated.of(rules)
    rows = [generated.side(one, item=True) for one in _facts(items)]
    columns = [generated.side(one, item=False) for one in _facts(items + others)[items:]]
    try:
        cedar = _Cedar(rules)
    except ImportError:
        yield Absent(name, "cedarpy is not installed")
        return
    part = [{**row, **column} for row in rows[:5] for column in columns]
    requests = cedar.requests(part)
    turns = [
        (
            wall(lambda: [len(row) for row in policy.matrix(rows, columns, TODAY)]),
            cedar.batch_seconds(requests) * items / 5,
        )
        for _ in range(max(1, plan.repeat // 2))
    ]
    ours, theirs = (median(side) for side in zip(*turns, strict=True))
    yield Figure(name, ours, "s", "cedarpy batch, s, extrapolated", theirs)
