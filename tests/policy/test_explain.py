"""Explanations say everything to the mechanism, and to a recipient nothing but a category."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.encoding import Json
from gateway.policy import (
    TODAY,
    Applied,
    Circumstances,
    Clearance,
    Effect,
    Explanation,
    Fact,
    Facts,
    Outcome,
    Reason,
    apply,
    as_recorded,
    explain,
    explain_to_recipient,
    facts_of,
    load,
    read,
    render_json,
    render_text,
    tell,
    to_json,
)
from gateway.policy.conditions import attributes
from gateway.policy.vocabulary import Attribute, Type
from gateway.web.openapi import explanation_answers
from tests.policy.test_policy import FILES, POLICY, small

DAY = "2026-05-01"


def case_facts() -> list[tuple[str, dict[str, Fact]]]:
    """Return the facts of every shipped case, with the day of each."""
    found: list[tuple[str, dict[str, Fact]]] = []
    shared = read("tests/cases.yaml", FILES["tests/cases.yaml"]).members()["base"]
    for name in sorted(n for n in FILES if n.startswith("tests/") and n.endswith(".yaml")):
        parts = read(name, FILES[name]).members()
        base: Any = parts.get("base", shared).json()
        for case in parts["cases"].sequence():
            said: Any = case.json()
            facts = facts_of([{**base, **said.get("set", {})}])[0]
            found.append((str(facts.pop(TODAY)), facts))
    return found


CASES = case_facts()


def a_value(attribute: Attribute) -> st.SearchStrategy[Fact]:
    kinds: dict[Type, st.SearchStrategy[Fact]] = {
        Type.BOOL: st.booleans(),
        Type.INT: st.integers(attribute.low, attribute.high),
        Type.DATE: st.sampled_from(["2026-04-30", DAY, "2026-05-02"]),
        Type.TEXT: st.sampled_from(["case-7", "case-8"]),
    }
    words = sorted(attribute.values)
    if attribute.type is Type.ENUM:
        return st.sampled_from(words)
    if attribute.type is Type.SET:
        return st.frozensets(st.sampled_from(words))
    return kinds[attribute.type]


ANY_FACTS: st.SearchStrategy[dict[str, Fact]] = st.fixed_dictionaries(
    {},
    optional={
        path: a_value(attribute)
        for path, attribute in POLICY.vocabulary.attributes.items()
        if path != TODAY
    },
)


def near(facts: Facts) -> st.SearchStrategy[dict[str, Fact]]:
    """Return facts near those of a case, so that all outcomes are met and not refusals alone."""
    return ANY_FACTS.flatmap(
        lambda other: (
            st.lists(st.sampled_from(sorted(other)), max_size=3).map(
                lambda paths: {**facts, **{path: other[path] for path in paths}}
            )
            if other
            else st.just(dict(facts))
        )
    )


# What a recipient is told

CATEGORIES = {reason.value for reason in Reason}


def check_told(told: dict[str, Json]) -> None:
    """Check that an answer has two members, of values of a small closed set."""
    assert set(told) == {"outcome", "reasons"}
    assert told["outcome"] in ("permit", "not available")
    reasons = told["reasons"]
    assert isinstance(reasons, list)
    assert set(map(str, reasons)) <= CATEGORIES
    assert reasons == sorted(set(map(str, reasons)))
    assert bool(reasons) is (told["outcome"] == "not available")


@pytest.mark.parametrize(("day", "facts"), CASES)
def test_of_every_shipped_case_a_recipient_is_told_outcome_and_category_alone(
    day: str, facts: dict[str, Fact]
) -> None:
    applied = apply(POLICY, [facts], day)
    told = explain_to_recipient(applied)
    check_told(told)
    assert (told["outcome"] == "permit") is (applied.outcome is Outcome.PERMIT)


UNMET = st.dictionaries(
    st.sampled_from(["redact", "watermark", "support"]),
    st.lists(st.text(min_size=1), min_size=1).map(tuple),
    max_size=2,
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CASES).flatmap(lambda c: near(c[1])), UNMET), min_size=2, max_size=4)
)  # fmt: skip
def test_whoever_is_refused_for_the_same_categories_is_told_the_same(
    shares: list[tuple[dict[str, Fact], dict[str, tuple[str, ...]]]],
) -> None:
    seen: dict[tuple[bool, frozenset[str]], dict[str, Json]] = {}
    for facts, unmet in shares:
        applied = left_unmet(apply(POLICY, [facts], DAY), unmet)
        told = explain_to_recipient(applied)
        check_told(told)
        kinds = {"redact": "protection", "watermark": "protection", "support": "terms"}
        reasons = {r.value for r in applied.decision.reasons} | {kinds[k] for k in unmet}
        key = applied.outcome is Outcome.PERMIT, frozenset(reasons or {"other"})
        assert seen.setdefault(key, told) == told


def left_unmet(applied: Applied, unmet: dict[str, tuple[str, ...]]) -> Applied:
    """Return what was applied, with obligations left unmet."""
    outcome = Outcome.DENY if unmet else applied.outcome
    return replace(applied, unmet=unmet, outcome=outcome)


def test_a_hold_is_told_as_a_refusal_for_which_no_category_is_given() -> None:
    held = apply(small({"effect": "permit", "when": True, "obligations": {"approval": {"a": 1}}}), [{}], DAY)  # fmt: skip
    assert held.outcome is Outcome.HOLD
    silent = apply(small({"effect": "permit", "when": {"eq": ["item.t", True]}}), [{}], DAY)
    assert explain_to_recipient(held) == explain_to_recipient(silent)
    assert tell(Outcome.HOLD, [Reason.CONSENT]) == tell(Outcome.DENY, [])
    with pytest.raises(ValueError, match="not a valid Reason"):
        tell(Outcome.DENY, ["originator"])


def test_no_category_is_told_of_originator_control_alone() -> None:
    """A recipient who knew that would know of an originator who is to be asked."""
    denials = [rule for rule in POLICY.rules if rule.effect is Effect.DENY]
    about = {
        rule.id
        for rule in denials
        if any("orcon" in a.path or "originator" in a.path for a in attributes(rule.when))
    }
    others = {rule.reason for rule in denials if rule.id not in about} | {Reason.OTHER}
    assert {rule.reason for rule in denials if rule.id in about} <= others


# What the mechanism is told


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(CASES).flatmap(lambda c: near(c[1])), min_size=1, max_size=3))
def test_text_and_data_of_an_explanation_name_every_rule_that_fired(
    every: list[dict[str, Fact]],
) -> None:
    applied = apply(POLICY, every, DAY)
    found = explain(applied, look=200)
    data, text = render_json(found), render_text(found)
    msgspec.convert(data, explanation_answers.Explanation)
    for one in applied.single:
        for fired in one.fired:
            rule = POLICY.rule(fired.rule)
            for part in (rule.id, rule.title, rule.basis):
                assert part in text
                assert json.dumps(part, ensure_ascii=False) in json.dumps(data, ensure_ascii=False)
    positions = sorted(i for members, _ in found.groups for i in members)
    assert positions == list(range(len(every)))
    assert (found.missing is None) is (applied.outcome is Outcome.PERMIT)


def alone(rules: list[dict[str, object]], *every: Facts, **known: Any) -> Explanation:
    return explain(apply(small(*rules), every or [{}], DAY, **known))


def test_items_of_which_the_same_is_to_be_said_are_said_once() -> None:
    rules: list[dict[str, object]] = [
        {"effect": "permit", "when": True},
        {"effect": "deny", "when": {"eq": ["item.t", True]}},
    ]
    applied = apply(small(*rules), [{"item.t": False}, {"item.t": True}, {"item.t": False}], DAY)
    found = explain(applied, ("a", "b", "c"))
    assert [members for members, _ in found.groups] == [(0, 2), (1,)]
    text = render_text(found)
    assert "2 items, a, c: permit" in text
    assert "b: deny" in text
    many = explain(apply(small(*rules), [{"item.t": False}] * 7, DAY))
    assert "7 items, item 1, item 2, item 3, item 4, item 5 and 2 more: permit" in render_text(many)


def test_of_silence_each_permit_is_named_with_the_conditions_that_failed() -> None:
    condition = {
        "all": [
            {"eq": ["item.t", True]},
            {"eq": ["item.f", True]},
            {"not": {"eq": ["item.n", 3]}},
            {"any": [{"eq": ["item.u", True]}, {"eq": ["item.sgbv", True]}]},
        ]
    }
    found = alone(
        [
            {"effect": "permit", "when": condition},
            {"effect": "permit", "when": True, "valid_from": "2027-01-01"},
        ],
        {"item.t": True, "item.f": False, "item.n": 3},
    )
    text = render_text(found)
    assert "r0 would permit" in text
    assert "[not met] f: yes; recorded: no" in text
    assert "[not met] not:" in text
    assert "[met] n is 3; recorded: 3" in text
    assert "[cannot be established] u: yes; recorded: nothing" in text
    assert "t: yes" not in text
    assert "r1 would permit" in text
    assert "it is not in force on this day" in text


def test_each_obligation_says_which_rules_ask_for_it_and_for_how_much() -> None:
    found = alone(
        [
            {"effect": "permit", "when": True, "obligations": {"expiry": 9, "approval": {"a": 1}}},
            {"effect": "require", "when": True, "obligations": {"expiry": 5, "redact": []}},
        ]
    )
    owed = {one.kind: one for one in found.obligations}
    assert owed["expiry"].asked_by == (("r0", 9), ("r1", 5))
    text = render_text(found)
    assert "obligation (after release): expiry 5" in text
    assert "asked for by r0: 9" in text
    assert "asked for by r1\n" in text
    assert "approval 1 a" in text
    assert "redact none" in text


def test_a_permit_that_leaves_no_purpose_says_so_of_one_item_and_of_all_together() -> None:
    p, q = ({"obligations": {"purposes": [word]}} for word in "pq")
    rules: list[dict[str, object]] = [
        {"effect": "permit", "when": {"eq": ["item.t", True]}, **p},
        {"effect": "permit", "when": {"eq": ["item.f", True]}, **q},
    ]
    single = alone(rules, {"item.t": True, "item.f": True})
    assert single.outcome is Outcome.DENY
    assert "the rules leave no purposes that all of them allow" in render_text(single)
    both = alone(rules, {"item.t": True, "item.f": False}, {"item.t": False, "item.f": True})
    assert "together the items leave no purposes" in render_text(both)
    assert both.outcome is Outcome.DENY


def test_a_clearance_that_does_not_count_says_why() -> None:
    policy = small({"effect": "permit", "when": True, "obligations": {"approval": {"a": 2}}})
    basis = apply(policy, [{}], DAY).decision.bases["approval:a"]
    given_ = [
        Clearance("anna", "approval:a", basis),
        Clearance("paul", "approval:a", basis),
        Clearance("mary", "approval:a", "0" * 64),
        Clearance("john", "approval:b", basis),
    ]
    found = explain(apply(policy, [{}], DAY, given_, "paul"))
    text = render_text(found)
    assert "cleared: approval:a by anna; counts" in text
    assert "by paul; does not count: given by the person who proposed the share" in text
    assert "by mary; does not count: given on another basis" in text
    assert "by john; does not count: not asked for now" in text
    assert "lacking: approval:a (1)" in text
    assert found.outcome is Outcome.HOLD


BITING = small({"effect": "permit", "when": True, "obligations": {"redact": ["x"], "tlp": "high"}})


def test_what_circumstances_leave_unmet_turns_a_permit_into_a_deny_and_is_said() -> None:
    known = Circumstances(frozenset(), (frozenset(),), ("none",), (False,), 1)
    applied = apply(BITING, [{}], DAY, circumstances=known)
    text = render_text(explain(applied))
    assert text.startswith("DENY")
    assert "the rules alone say permit" in text
    assert "unmet: redact: x" in text
    assert explain_to_recipient(applied) == {"outcome": "not available", "reasons": ["protection"]}


def test_circumstances_are_put_together_again_from_what_was_recorded_as_unmet() -> None:
    files = {
        "vocabulary.yaml": b"attributes: {context.today: {type: date, label: t}}",
        "obligations.yaml": b"""obligations:
  redact: {join: union, phase: with, values: [x, y], label: r}
  watermark: {join: order, phase: with, values: [none, seen], label: w}
  max_items: {join: min, phase: with, label: m}
  expiry: {join: min, phase: after, label: e, by_recipient: true}
""",
        "rules/r.yaml": b"""rules:
- {id: r, effect: permit, title: t, basis: b, when: true,
   obligations: {redact: [x, y], watermark: seen, max_items: 1, expiry: 1}}
""",
    }
    policy = load(files)
    for known in (
        Circumstances(
            frozenset(), (frozenset("x"), frozenset()), ("none", "seen"), (False, True), 2
        ),
        Circumstances(
            frozenset({"expiry"}), (frozenset("xy"),) * 2, ("seen",) * 2, (False,) * 2, 1
        ),
    ):
        applied = apply(policy, [{}, {}], DAY, circumstances=known)
        again = as_recorded(policy, applied.unmet, 2)
        assert apply(policy, [{}, {}], DAY, circumstances=again).unmet == applied.unmet
    plain = as_recorded(small({"effect": "permit", "when": True}), {}, 1)
    assert plain.marked == ("none",)


def test_facts_come_back_from_their_record_as_they_were() -> None:
    facts: dict[str, Fact] = {"item.t": True, "item.n": 3, "item.tags": frozenset({"minor"})}
    assert facts_of([to_json(facts)]) == (facts,)
    assert facts_of([{"item.t": None, "item.n": {"a": 1}}]) == ({},)


def test_assurances_that_are_no_set_are_none_on_file() -> None:
    policy = small({"effect": "permit", "when": True})
    assert apply(policy, [{"recipient.assurances": "death_penalty"}], DAY).lacking == {}


def test_what_is_missing_is_told_way_by_way() -> None:
    facts = dict(CASES[0][1])
    day = CASES[0][0]
    refused: Facts = {**facts, "item.consent.status": "refused", "recipient.competent": False}
    text = render_text(explain(apply(POLICY, [refused], day), look=500))
    assert "nothing the mechanism could bring about would change this" in text
    refused = {**facts, "item.consent.status": "refused"}
    text = render_text(explain(apply(POLICY, [refused], day), look=500))
    assert "what is missing:\n  - ask the source for its consent: granted" in text
    cut = render_text(explain(apply(POLICY, [refused], day), look=1))
    assert "no way to a permit was found within 1 decisions" in cut
    either: list[dict[str, object]] = [{"effect": "permit", "when": True, "obligations": {"approval": {"a": 1}}}]  # fmt: skip
    text = render_text(explain(apply(small(*either), [{}], DAY), look=3))
    assert text.endswith("what is missing:\n  - an approval as a")
    first: Facts = {**facts, "item.consent.status": "consult_first"}
    text = render_text(explain(apply(POLICY, [first], day), look=1))
    assert text.endswith("- the agreement of the source, consulted\nthere may be other ways")
    text = render_text(explain(apply(POLICY, [first], day), look=500))
    assert "\nor:\n  - " in text


def test_when_a_decision_is_to_be_made_again_is_said() -> None:
    rules: list[dict[str, object]] = [
        {"effect": "permit", "when": {"exists": "item.t"}, "valid_to": "2026-06-01"},
        {"effect": "deny", "when": {"ne": ["item.t", "$item.f"]}},
    ]
    text = render_text(alone(rules, {"item.t": True, "item.f": False}))
    assert "to be decided again on 2026-06-01" in text
    assert "t is not f (no); recorded: yes" in text
    text = render_text(alone(rules[:1], {"item.t": True}))
    assert "[met] t is recorded" in text
