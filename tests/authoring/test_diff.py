"""Two sets compared by what they decide: every difference has a request on which it shows."""

from typing import Any

import pytest
from hypothesis import given, settings

from gateway.authoring.cases import DisagreementError, Ruling, judged, ruling
from gateway.authoring.diff import Diff, Direction, compare, unknown_to
from gateway.authoring.written import spelt
from gateway.policy import Fact, Outcome, PolicySet
from gateway.policy.judge import Verdict
from tests.authoring.sets import (
    CONDITIONS,
    EVERY,
    FACTS,
    OBLIGATIONS,
    VOCABULARY,
    condition,
    make,
    rule,
)
from tests.policy.test_policy import POLICY

RED, FLAG = {"eq": ["item.colour", "red"]}, {"eq": ["item.flag", True]}
BASE = rule("base", "permit", RED)
DAY = "2026-05-01"


def moves(found: Diff) -> set[tuple[str, str, str]]:
    """Return the direction of each difference with what is decided before and after."""
    return {(d.direction.value, d.old.outcome, d.new.outcome) for d in found.differences}


def diff(old: list[dict[str, Any]], new: list[dict[str, Any]], **more: str) -> Diff:
    return compare(make(old), make(new, **more), DAY)


def need(when: Any, **obligations: Any) -> dict[str, Any]:
    return rule("need", "require", when, obligations=obligations)


LOOSER, STRICTER = Direction.LOOSER.value, Direction.STRICTER.value
WEAKER, STRONGER = Direction.WEAKER.value, Direction.STRONGER.value
APPROVAL = {"approval": {"a": 1}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([BASE], [BASE], set()),
        ([BASE], [rule("other", "permit", RED)], set()),
        ([BASE], [rule("base", "permit", {"not": {"not": RED}}, title="new title")], set()),
        ([BASE], [rule("base", "permit", FLAG)], {(LOOSER, "deny", "permit"), (STRICTER, "permit", "deny")}),
        ([BASE, rule("no", "deny", FLAG)], [BASE], {(LOOSER, "deny", "permit")}),
        ([BASE], [BASE, rule("no", "deny", FLAG)], {(STRICTER, "permit", "deny")}),
        ([BASE], [BASE, need(FLAG, **APPROVAL)], {(STRICTER, "permit", "hold")}),
        ([BASE, need(FLAG, **APPROVAL)], [BASE], {(LOOSER, "hold", "permit")}),
        ([rule("base", "permit", RED, obligations=APPROVAL)], [], {(STRICTER, "hold", "deny")}),
        ([], [rule("base", "permit", RED, obligations=APPROVAL)], {(LOOSER, "deny", "hold")}),
        ([BASE, need(FLAG, days=9)], [BASE, need(FLAG, days=8)], {(STRONGER, "permit", "permit")}),
        ([BASE, need(FLAG, handling="high")], [BASE, need(FLAG, handling="mid")], {(WEAKER, "permit", "permit")}),
        (
            [BASE, need(FLAG, approval={"a": 1})],
            [BASE, need(FLAG, approval={"b": 1})],
            {(WEAKER, "hold", "hold"), (STRONGER, "hold", "hold")},
        ),
        ([BASE, need(FLAG, purposes=["p", "q"])], [BASE, need(FLAG, purposes=["p"])], {(STRONGER, "permit", "permit")}),
        ([BASE], [BASE, rule("no", "deny", FLAG, valid_from="2027-01-01")], {(STRICTER, "permit", "deny")}),
        ([BASE, rule("no", "deny", FLAG)], [BASE, rule("no", "deny", {"all": [{"exists": "item.flag"}, FLAG]})], {(LOOSER, "deny", "permit")}),
    ],
)  # fmt: skip
def test_differences_are_found_in_both_directions(
    old: list[dict[str, Any]], new: list[dict[str, Any]], expected: set[tuple[str, str, str]]
) -> None:
    found = diff(old, new)
    assert moves(found) == expected
    assert found.alike is not bool(expected)
    for one in found.differences:  # as anyone can see for herself
        assert ruling(judged(found.old, one.facts)) == one.old
        assert ruling(judged(found.new, one.facts)) == one.new


def test_a_request_names_only_what_the_difference_needs() -> None:
    (one,) = diff([BASE, rule("no", "deny", FLAG)], [BASE]).differences
    assert one.facts == {"item.colour": "red", "item.flag": True, "context.today": DAY}
    assert one.old.words() == "DENY (no)"
    assert one.new.words() == "PERMIT (base)"
    (back,) = diff([BASE], [BASE, rule("no", "deny", FLAG, valid_from="2027-01-01")]).differences
    assert str(back.facts["context.today"]) >= "2027-01-01"


def test_weaker_and_stronger_obligations_are_named_by_their_kind() -> None:
    old, new = need(FLAG, days=3, handling="mid"), need(FLAG, days=4, handling="high")
    found = diff([BASE, old], [BASE, new])
    kinds = {(d.direction.value, d.kind) for d in found.differences}
    assert kinds == {(WEAKER, "days"), (STRONGER, "handling")}
    assert found.to_json()["alike"] is False


def test_what_is_written_differently_is_told_though_it_decides_alike() -> None:
    old = [BASE, rule("a", "deny", FLAG), rule("b", "deny", FLAG, reason="time")]
    new = [BASE, rule("c", "deny", FLAG), rule("b", "deny", FLAG, reason="rights", title="t")]
    found = diff(old, new)
    assert found.alike
    assert found.written.rules.words() == ["added c", "removed a", "changed b: reason, title"]
    assert found.written.facts.words() == found.written.obligations.words() == []
    assert found.to_json()["old"] != found.to_json()["new"]


# Vocabularies that differ


def vocabulary(old: str, new: str) -> str:
    assert old in VOCABULARY
    return VOCABULARY.replace(old, new)


def test_a_fact_that_one_set_does_not_know_is_unknown_to_it() -> None:
    more = vocabulary("attributes:", "attributes:\n  item.secret: {type: bool, label: is secret}")
    no = rule("no", "deny", {"eq": ["item.secret", True]})
    found = diff([BASE], [BASE, no], vocabulary=more)
    assert moves(found) == {(STRICTER, "permit", "deny")}
    (one,) = found.differences
    assert one.facts == {"item.colour": "red", "item.secret": True, "context.today": DAY}
    assert unknown_to(found.old, one.facts) == ["item.secret"]
    assert found.written.facts.words() == ["added item.secret"]
    back = compare(found.new, found.old, DAY)
    assert moves(back) == {(LOOSER, "deny", "permit")}
    yes = rule("more", "permit", {"eq": ["item.secret", True]})
    (third,) = diff([BASE], [BASE, yes], vocabulary=more).differences
    assert third.facts == {"item.secret": True, "context.today": DAY}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{type: enum, values: [red, green, blue], label: the colour}", "{type: enum, values: [green, blue, pink], label: the colour}"),
        ("{type: int, min: -5, max: 9, label: the number}", "{type: int, min: 0, max: 12, label: the number}"),
        ("{type: set, values: [red, green, blue], label: the tags}", "{type: set, values: [red, green], label: the tags}"),
        ("{type: bool, label: the flag}", "{type: enum, values: [yes, no], label: the flag}"),
    ],
)  # fmt: skip
def test_a_value_outside_the_domain_of_one_set_is_unknown_to_it(old: str, new: str) -> None:
    rules = [
        BASE,
        rule("n", "permit", {"lt": ["item.n", 3]}),
        rule("t", "permit", {"intersects": ["item.tags", ["red", "green"]]}),
        rule("f", "permit", {"exists": "item.flag"}),
    ]
    kept = [r for r in rules if "red" not in str(r["when"]) or "colour" not in old]
    found = diff(kept, kept, vocabulary=vocabulary(old, new))
    assert found.written.facts.changed
    for one in found.differences:
        assert one.old.outcome != one.new.outcome
        assert unknown_to(found.old, one.facts) or unknown_to(found.new, one.facts)
    assert found.alike is ("colour" in old)


def test_an_order_with_a_step_more_can_be_compared_and_a_turned_one_is_only_told() -> None:
    rules = [BASE, need(FLAG, handling="high")]
    step = OBLIGATIONS.replace("[low, mid, high]", "[low, mid, higher, high]")
    assert diff(rules, rules, obligations=step).alike
    turned = OBLIGATIONS.replace("[low, mid, high]", "[high, mid, low]")
    found = diff(rules, rules, obligations=turned)
    assert found.alike
    assert found.written.obligations.words() == ["changed handling: values"]
    other = OBLIGATIONS.replace("purposes: {join: intersection", "purposes: {join: union")
    assert diff(rules, rules, obligations=other).written.obligations.words() == [
        "changed purposes: join"
    ]
    later = OBLIGATIONS.replace("phase: with", "phase: before")
    assert moves(diff(rules, rules, obligations=later)) == {(STRICTER, "permit", "hold")}


# All facts, not some


@given(CONDITIONS, CONDITIONS, CONDITIONS, FACTS)
@settings(max_examples=20, deadline=None)
def test_sets_that_decide_alike_do_so_on_any_facts(
    permit: Any, one: Any, two: Any, facts: dict[str, Fact]
) -> None:
    old, new = (
        make(
            [
                rule("p", "permit", permit, obligations={"days": 5}),
                rule("d", "deny", when),
                rule("q", "require", when, obligations={"purposes": ["p"], "approval": {"b": 1}}),
            ]
        )
        for when in (one, two)
    )
    found = compare(old, new, DAY)
    before, after = judged(old, facts), judged(new, facts)
    if found.alike:
        assert (before.outcome, before.terms) == (after.outcome, after.terms)
    rank = [Outcome.PERMIT, Outcome.HOLD, Outcome.DENY]
    if rank.index(after.outcome) < rank.index(before.outcome):
        assert (LOOSER, before.outcome.value, after.outcome.value) in moves(found)


@pytest.mark.parametrize("when", EVERY)
def test_a_condition_is_spelt_as_it_is_written(when: Any) -> None:
    def sorted_sets(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: sorted_sets(v) for k, v in value.items()}
        if isinstance(value, list):
            inner = [sorted_sets(v) for v in value]
            words = all(isinstance(v, str) and v in ("red", "green", "blue") for v in inner)
            return sorted(inner) if words else inner
        return value

    assert spelt(condition(when)) == sorted_sets(when)


@pytest.mark.parametrize("gone", [r.id for r in POLICY.rules][:6])
def test_what_a_rule_of_the_shipped_set_does_shows_when_it_goes(gone: str) -> None:
    rules = tuple(r for r in POLICY.rules if r.id != gone)
    without = PolicySet(POLICY.vocabulary, POLICY.kinds, rules, POLICY.digest)
    found, back = compare(POLICY, without, DAY), compare(without, POLICY, DAY)
    assert found.written.rules.removed == back.written.rules.added == (gone,)
    turned = {
        (LOOSER, STRICTER, WEAKER, STRONGER)[(STRICTER, LOOSER, STRONGER, WEAKER).index(d)]
        for d, _, _ in moves(found)
    }
    assert turned == {d for d, _, _ in moves(back)}


def test_a_request_on_which_the_evaluator_sees_no_difference_is_a_defect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deny(*_: object) -> Verdict:
        return Verdict(Outcome.DENY, (), {})

    monkeypatch.setattr(PolicySet, "judge", deny)
    with pytest.raises(DisagreementError, match="newly permitted: the evaluator differs"):
        diff([BASE, rule("no", "deny", FLAG)], [BASE])


def test_a_ruling_is_told_in_a_line() -> None:
    assert Ruling("deny", (), {}).words() == "DENY (no rule permits it)"
    held = Ruling("hold", ("a", "b"), {"days": 3})
    assert held.words() == "HOLD (a, b): days 3"
