"""Cedar decides as we do, request for request and rule for rule; and would notice if we did not."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from gateway.authoring import cedar
from gateway.authoring.analyses import prepare
from gateway.authoring.extras import library
from gateway.authoring.oracle import Answer, Oracle, disagreements
from gateway.authoring.requests import Requests, bases_of
from gateway.policy import Effect, Facts, Outcome, PolicySet, index
from gateway.policy import compiled as closures
from gateway.policy.compiled import Known, Test
from gateway.policy.conditions import (
    OPERATORS,
    Compare,
    Condition,
    Every,
    Exists,
    Not,
    Some,
    Truth,
)
from tests.authoring.sets import every_operator, make, rule
from tests.policy.test_policy import POLICY

Answers = list[tuple[Facts, Answer | None]]
EFFECTS = [effect.value for effect in Effect]
WORDS = ["all", "any", "not", "exists", *OPERATORS]


def answers(policy: PolicySet, count: int, seed: int) -> Answers:
    """Return what Cedar says of requests near and far from what is permitted."""
    bases = bases_of(policy, *prepare(policy, ()))
    return list(Oracle(policy).answers(Requests(policy, bases, seed).some(count)))


shipped: Callable[[], Answers] = cache(lambda: answers(POLICY, 2000, 1))
SETS = {effect: every_operator(effect) for effect in EFFECTS}


@cache
def generated(effect: str) -> Answers:
    return answers(SETS[effect], 500, 2)


# Agreement


def test_cedar_decides_the_shipped_set_as_we_do() -> None:
    assert list(disagreements(POLICY, shipped())) == []
    outcomes = Counter(answer.outcome for _, answer in shipped() if answer)
    assert min(outcomes[outcome] for outcome in Outcome) > 30


def test_every_rule_of_the_shipped_set_speaks_and_is_silent_in_some_request() -> None:
    spoke = Counter(name for _, answer in shipped() if answer for name in answer.rules)
    assert {r.id for r in POLICY.rules if not 0 < spoke[r.id] < 2000} == set()


@pytest.mark.slow
def test_cedar_decides_twenty_thousand_requests_as_we_do() -> None:
    assert list(disagreements(POLICY, answers(POLICY, 20_000, 3))) == []


@pytest.mark.parametrize("effect", EFFECTS)
def test_cedar_reads_every_operator_as_we_do_for_every_effect(effect: str) -> None:
    assert list(disagreements(SETS[effect], generated(effect))) == []


@pytest.mark.parametrize("policy", [POLICY, *SETS.values()], ids=["shipped", *EFFECTS])
def test_the_policies_are_valid_under_the_schema(policy: PolicySet) -> None:
    cedarpy = library("cedarpy")
    said = cedarpy.validate_policies(cedar.policies(policy), cedar.schema(policy))
    assert [str(error) for error in said.errors] == []
    assert said.validation_passed


def test_nothing_left_of_an_intersection_is_a_deny_to_both() -> None:
    policy = make(
        [
            rule("one", "permit", True, obligations={"purposes": ["p"]}),
            rule("two", "require", {"eq": ["item.flag", True]}, obligations={"purposes": ["q"]}),
            rule("hold", "require", {"gt": ["item.n", 3]}, obligations={"approval": {"a": 1}}),
        ]
    )
    given = answers(policy, 300, 4)
    assert list(disagreements(policy, given)) == []
    assert {answer.outcome for _, answer in given if answer} == set(Outcome)


# Sabotage

NEAR: dict[str, Callable[..., bool]] = {
    "eq": lambda a, b: True,
    "ne": lambda a, b: True,
    "in": lambda a, b: True,
    "contains": lambda a, b: True,
    "subset": lambda a, b: a < b,
    "intersects": lambda a, b: a <= b,
    "before": lambda a, b: a <= b,
    "after": lambda a, b: a >= b,
    "lt": lambda a, b: a <= b,
    "le": lambda a, b: a < b,
    "gt": lambda a, b: a >= b,
    "ge": lambda a, b: a > b,
}
REAL = closures.compiled


def word_of(condition: Condition) -> str:
    kinds = {Every: "all", Some: "any", Not: "not", Exists: "exists"}
    return condition.op if isinstance(condition, Compare) else kinds.get(type(condition), "true")


def opposite(condition: Condition) -> Test:
    inner = REAL(condition)
    return lambda facts: None if (v := inner(facts)) is None else not v


def near(condition: Condition) -> Test:
    """Return what a slip of the pen would make of a condition."""
    match condition:
        case Every(parts):
            return REAL(Some(parts))
        case Some(parts):
            return REAL(Every(parts))
        case Not(part):
            return closures.compiled(part)
        case Compare(op, left, right, other):

            def test(facts: Known) -> Truth:
                a, b = facts.get(left.path), facts.get(other.path) if other else right
                return None if a is None or b is None else NEAR[op](a, b)

            return test
        case _:
            return lambda _: True


def certain(condition: Condition) -> Test:
    """Return a condition that takes what is unknown for false."""
    inner = REAL(condition)
    return lambda facts: inner(facts) is True


def sabotaged(
    policy: PolicySet, word: str, how: Callable[[Condition], Test], patch: pytest.MonkeyPatch
) -> PolicySet:
    """Return the set with one operator of the compiled form broken."""

    def compiled(condition: Condition) -> Test:
        return how(condition) if word_of(condition) == word else REAL(condition)

    with patch.context() as broken:
        broken.setattr(closures, "compiled", compiled)
        broken.setattr(index, "compiled", compiled)
        if word == "all":  # which the index takes apart itself, unless it does not know it
            broken.setattr(index, "Every", type("Unknown", (), {}))
        return PolicySet(policy.vocabulary, policy.kinds, policy.rules, policy.digest)


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("how", [opposite, near])
@pytest.mark.parametrize("word", WORDS)
def test_every_operator_sabotaged_is_noticed(
    word: str, how: Callable[[Condition], Test], effect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = sabotaged(SETS[effect], word, how, monkeypatch)
    assert any(disagreements(broken, generated(effect)))


@pytest.mark.parametrize("effect", ["deny", "require"])
@pytest.mark.parametrize("word", [word for word in WORDS if word != "exists"])
def test_a_precaution_that_is_lost_is_noticed(
    word: str, effect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = sabotaged(SETS[effect], word, certain, monkeypatch)
    assert any(disagreements(broken, generated(effect)))


def test_the_same_seed_makes_the_same_requests() -> None:
    one, two, other = (list(Requests(POLICY, [], seed).some(20)) for seed in (1, 1, 2))
    assert one == two != other
    assert all(POLICY.vocabulary.attributes[p].valid(v) for facts in one for p, v in facts.items())
