"""The laws that whole sets obey, over random rules with every operator and random facts."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.policy import Decision, Effect, Fact, Outcome, PolicySet, Verdict
from gateway.policy.compiled import compiled
from gateway.policy.conditions import Truth
from gateway.policy.obligations import Term, merge
from gateway.policy.rules import Rule
from tests.policy import generated
from tests.policy.generated import TODAY, VOCABULARY

RANK = {Outcome.PERMIT: 0, Outcome.HOLD: 1, Outcome.DENY: 2}
Facts = Mapping[str, Fact]
slowly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def as_written(policy: PolicySet, facts: Facts) -> tuple[Outcome, set[str], dict[str, Term]]:
    """Judge as the format's text says it, in the plainest way."""
    seen = {**facts, "context.today": TODAY}
    spoken: dict[Effect, list[tuple[Rule, Truth]]] = {effect: [] for effect in Effect}
    for rule in policy.rules:
        value = rule.when.eval(seen)
        if rule.applies_on(TODAY) and value is not False:
            spoken[rule.effect].append((rule, value))
    if spoken[Effect.DENY]:
        return Outcome.DENY, {rule.id for rule, _ in spoken[Effect.DENY]}, {}
    if not any(value for _, value in spoken[Effect.PERMIT]):
        return Outcome.DENY, set(), {}
    attached = [
        rule
        for rule, value in (*spoken[Effect.PERMIT], *spoken[Effect.REQUIRE])
        if value or rule.terms
    ]
    terms = merge(policy.kinds, (rule.terms for rule in attached))
    before = {"approval", "consultation"} & set(terms)
    outcome = Outcome.HOLD if before else Outcome.PERMIT
    if terms.get("purposes") == ():
        outcome = Outcome.DENY
    return outcome, {rule.id for rule in attached}, terms


def told(verdict: Verdict) -> tuple[Outcome, set[str], dict[str, Term]]:
    return verdict.outcome, {rule.id for rule, _ in verdict.fired}, dict(verdict.terms)


@slowly
@given(generated.rules(), st.lists(generated.facts(), min_size=1, max_size=4))
def test_a_verdict_is_what_the_text_of_the_format_says(
    rules: list[dict[str, Any]], many: list[dict[str, Fact]]
) -> None:
    policy = generated.of(rules)
    for facts in many:
        assert told(policy.judge(facts, TODAY)) == as_written(policy, facts)


@slowly
@given(generated.conditions(), st.lists(generated.facts(), min_size=1, max_size=4))
def test_a_compiled_condition_has_the_value_of_the_condition(
    condition: Any, many: list[dict[str, Fact]]
) -> None:
    rule = {"id": "r", "title": "t", "basis": "b", "effect": "permit", "when": condition}
    when = generated.of([rule]).rules[0].when
    for facts in many:
        assert compiled(when)(VOCABULARY.known(facts)) is when.eval(facts)


@slowly
@given(
    generated.rules(),
    st.lists(generated.facts(), min_size=1, max_size=3),
    st.lists(generated.facts(), min_size=1, max_size=3),
)
def test_the_matrix_says_of_each_pair_what_is_said_of_it_alone(
    rules: list[dict[str, Any]], items: list[dict[str, Fact]], others: list[dict[str, Fact]]
) -> None:
    policy = generated.of(rules)
    rows = [generated.side(facts, item=True) for facts in items]
    columns = [generated.side(facts, item=False) for facts in others]
    for row, verdicts in zip(rows, policy.matrix(rows, columns, TODAY), strict=True):
        for column, verdict in zip(columns, verdicts, strict=True):
            assert verdict == policy.judge({**row, **column}, TODAY)


@slowly
@given(generated.rules(), generated.facts(), st.data())
def test_the_order_of_rules_and_files_never_matters(
    rules: list[dict[str, Any]], facts: dict[str, Fact], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rules))
    at = data.draw(st.integers(0, len(rules)))
    one = generated.of(rules)
    other = generated.of(shuffled[:at], zz=shuffled[at:])
    assert one.digest == other.digest
    assert one.decide(facts, TODAY) == other.decide(facts, TODAY)


def as_strict(policy: PolicySet, one: Mapping[str, Term], two: Mapping[str, Term]) -> bool:
    """Tell whether terms *one* are at least as strict as *two*: joining them adds nothing."""
    return merge(policy.kinds, [one, two]) == dict(sorted(one.items()))


@slowly
@given(
    generated.rules(),
    generated.rules(most=2, effects="deny require"),
    generated.facts(),
)
def test_adding_a_deny_or_an_obligation_never_loosens(
    rules: list[dict[str, Any]], more: list[dict[str, Any]], facts: dict[str, Fact]
) -> None:
    before = generated.of(rules).judge(facts, TODAY)
    added = [{**rule, "id": f"x{n}"} for n, rule in enumerate(more)]
    policy = generated.of([*rules, *added])
    after = policy.judge(facts, TODAY)
    assert RANK[after.outcome] >= RANK[before.outcome]
    if after.outcome is not Outcome.DENY:
        assert as_strict(policy, after.terms, before.terms)


@slowly
@given(
    generated.rules(exists=False, effects="permit permit deny require"),
    generated.facts(unknown=2, wrong=False),
    st.data(),
)
def test_a_permit_with_facts_unknown_is_a_permit_under_every_completion_of_them(
    rules: list[dict[str, Any]], facts: dict[str, Fact], data: st.DataObject
) -> None:
    policy = generated.of(rules)
    before = policy.judge(facts, TODAY)
    if before.outcome is Outcome.DENY:
        return
    learnt = data.draw(generated.facts(wrong=False))
    completed = {**learnt, **facts}
    after = policy.judge(completed, TODAY)
    assert RANK[after.outcome] <= RANK[before.outcome]
    assert as_strict(policy, before.terms, after.terms), "no stronger obligations"


def test_a_permit_that_becomes_known_adds_no_obligation() -> None:
    sure = {"id": "a", "title": "t", "basis": "b", "effect": "permit", "when": True}
    when = {"eq": ["item.x.bool1", True]}
    perhaps = {**sure, "id": "b", "when": when, "obligations": {"approval": {"r": 1}}}
    policy = generated.of([sure, perhaps])
    unknown = policy.judge({}, TODAY)
    assert unknown.outcome is Outcome.HOLD, "its obligation is attached as a precaution"
    assert policy.judge({"item.x.bool1": True}, TODAY).outcome is Outcome.HOLD
    assert policy.judge({"item.x.bool1": False}, TODAY).outcome is Outcome.PERMIT
    assert generated.of([perhaps]).judge({}, TODAY).outcome is Outcome.DENY, "it permits nothing"


VALUES: Sequence[Truth] = (True, False, None)
LEAF: dict[Truth, str] = {True: "item.x.bool1", False: "item.x.bool2", None: "recipient.x.bool1"}
KNOWN: dict[str, Fact] = {"item.x.bool1": True, "item.x.bool2": False}


def _with(effect: str, value: Truth) -> dict[str, Any]:
    rule = {"id": effect, "title": "t", "basis": "b", "effect": effect}
    said = {"when": {"eq": [LEAF[value], True]}}
    return {
        **rule,
        **said,
        **({"obligations": {"handling": "high"}} if effect == "require" else {}),
    }


def test_every_effect_reads_true_false_and_unknown_in_its_own_way() -> None:
    for deny, permit, require in itertools.product(VALUES, repeat=3):
        every = [_with("deny", deny), _with("permit", permit), _with("require", require)]
        verdict = generated.of(every).judge(KNOWN, TODAY)
        permitted = deny is False and permit is True
        assert verdict.outcome is (Outcome.PERMIT if permitted else Outcome.DENY)
        assert ("handling" in verdict.terms) is (permitted and require is not False)


def test_decisions_carry_the_verdict() -> None:
    policy = generated.of([_with("permit", True), _with("require", None)])
    decision: Decision = policy.decide(KNOWN, TODAY)
    assert [(f.rule, f.truth) for f in decision.fired] == [("permit", True), ("require", None)]
