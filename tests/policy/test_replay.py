"""Recorded facts judged again, and a policy folder taken as a whole."""

from typing import Any

import pytest

from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError
from gateway.policy import (
    ENGINE,
    Fact,
    Flip,
    PolicySet,
    check_cases,
    check_invariants,
    decide_all,
    flip,
    known_to,
    load_files,
    moved,
    revive,
    to_json,
)
from gateway.policy.replay import differences

VOCABULARY = b"""attributes:
  item.product: {type: enum, values: [evidence, information], label: product}
  item.sgbv: {type: bool, label: sexual violence}
  item.tags: {type: set, values: [a, b, c], label: tags}
  recipient.jurisdiction: {type: enum, values: [XA, XB], label: state}
  recipient.competent: {type: bool, label: competent}
  context.today: {type: date, label: today}
  context.case: {type: text, label: case}
"""
OBLIGATIONS = b"""obligations:
  approval: {join: roles, phase: before, values: [legal_adviser], label: approvals}
"""
RULES = """rules:
- {id: open, effect: permit, title: t, basis: b, when: {eq: [recipient.competent, true]}}
"""
DENY = """- id: deny.sgbv
  effect: deny
  title: t
  basis: b
  when: {eq: [item.sgbv, true]}
"""
HOLD = """- id: hold.sgbv
  effect: require
  title: t
  basis: b
  when: {eq: [item.sgbv, true]}
  obligations: {approval: {legal_adviser: 1}}
"""
CASES = b"base: {context.today: 2026-05-01}\ncases:\n- {id: silence, expect: {outcome: deny}}\n"
FACTS: dict[str, Json] = {
    "item.product": "evidence",
    "item.sgbv": True,
    "item.tags": ["a"],
    "recipient.jurisdiction": "XA",
    "recipient.competent": True,
    "context.case": "c-1",
}
DAY = "2026-11-23"


def files(rules: str = RULES, vocabulary: bytes = VOCABULARY) -> dict[str, bytes]:
    return {
        "vocabulary.yaml": vocabulary,
        "obligations.yaml": OBLIGATIONS,
        "rules/a.yaml": rules.encode(),
        "tests/cases.yaml": CASES,
    }


def policy(*more: str) -> PolicySet:
    return load_files(files(RULES + "".join(more))).policy


def turned(before: PolicySet | None, recorded: str, after: PolicySet) -> Flip | None:
    facts = revive(FACTS)
    old = decide_all(before, [facts], DAY) if before is not None else None
    return flip(old, recorded, decide_all(after, [facts], DAY), facts)


def test_facts_come_back_as_they_were_judged() -> None:
    facts = revive(FACTS)
    assert facts["item.tags"] == frozenset({"a"})
    assert to_json(facts) == FACTS
    assert revive({"item.sgbv": None, "item.tags": {"a": 1}}) == {}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ((), (DENY,), ("permit", "deny", ("deny.sgbv",))),
        ((DENY,), (), ("deny", "permit", ("deny.sgbv",))),
        ((DENY,), (HOLD,), ("deny", "hold", ("deny.sgbv", "hold.sgbv"))),
        ((HOLD,), (), ("hold", "permit", ("hold.sgbv",))),
        ((), (), None),
    ],
)
def test_a_flip_names_the_rules_that_make_the_difference(
    before: tuple[str, ...], after: tuple[str, ...], says: tuple[Any, ...] | None
) -> None:
    found = turned(policy(*before), "ignored", policy(*after))
    if says is None:
        assert found is None
        return
    before_, after_, rules = says
    assert found == Flip(before_, after_, rules, "evidence", "XA")
    assert found.opens is (says[1] == "permit")
    assert found.to_json()["rules"] == [*says[2]]


def test_silence_that_is_broken_is_the_permits_doing() -> None:
    silent = load_files(files(RULES.replace("true]}", "false]}"))).policy
    found = turned(silent, "", policy())
    assert found is not None
    assert (found.before, found.after, found.rules) == ("deny", "permit", ("open",))


def test_an_obligation_that_changes_in_a_rule_is_that_rules_doing() -> None:
    milder = HOLD.replace("{approval: {legal_adviser: 1}}", "{note: x}")
    kinds = OBLIGATIONS + b"  note: {join: order, phase: after, values: [x], label: note}\n"
    new = load_files({**files(RULES + milder), "obligations.yaml": kinds}).policy
    found = turned(policy(HOLD), "", new)
    assert found == Flip("hold", "permit", ("hold.sgbv",), "evidence", "XA")


def test_without_a_set_in_force_what_was_recorded_is_compared() -> None:
    found = turned(None, "permit", policy(DENY))
    assert found == Flip("permit", "deny", ("deny.sgbv",), "evidence", "XA")
    assert turned(None, "deny", policy(DENY)) is None
    silent = load_files(files(RULES.replace("true]}", "false]}"))).policy
    assert turned(None, "hold", silent) == Flip("hold", "deny", (), "evidence", "XA")


def test_what_a_vocabulary_does_not_know_is_absent() -> None:
    facts = revive({**FACTS, "item.gone": True, "recipient.jurisdiction": "XZ", "context.odd": "x"})
    known = known_to(policy(), facts)
    assert set(facts) - set(known) == {"item.gone", "recipient.jurisdiction"}


def test_the_register_moves_what_it_said_and_nothing_else() -> None:
    facts = revive({**FACTS, "recipient.competent": True, "item.tags": ["a", "b"]})
    before: dict[str, Fact] = {"recipient.competent": True, "item.tags": frozenset("a"), "x": 1}
    after: dict[str, Fact] = {"recipient.competent": False, "item.tags": frozenset("c"), "y": 2}
    found = moved(facts, before, after)
    assert found["recipient.competent"] is False
    assert found["item.tags"] == frozenset("bc")
    assert (found["y"], "x" in found) == (2, False)
    attested = moved({"recipient.competent": True}, {"recipient.competent": False}, {})
    assert attested == {"recipient.competent": True}, "somebody said so since"
    assert moved(facts, {"recipient.competent": True}, {}).get("recipient.competent") is None
    assert "item.tags" not in moved(facts, {"item.tags": frozenset("ab")}, {})
    assert moved(facts, {}, {"item.tags": frozenset()})["item.tags"] == frozenset("ab")


def recorded(**changes: Json) -> dict[str, Json]:
    made = decide_all(policy(HOLD), [revive(FACTS)], DAY).to_json()
    return {**made, "after_clearances": "permit", "missing": {}, "unmet": {}, **changes}


def test_a_decision_comes_out_the_same() -> None:
    assert differences(policy(HOLD), recorded(), [FACTS], DAY) == []


def test_what_comes_out_otherwise_is_named() -> None:
    said = differences(policy(HOLD), recorded(outcome="permit", engine="0"), [FACTS], DAY)
    assert said == ["outcome was 'permit', is 'hold'", f"engine was '0', is '{ENGINE}'"]
    said = differences(policy(HOLD), recorded(), [{**FACTS, "item.sgbv": False}], DAY)
    assert {one.split(" ")[0] for one in said} >= {"outcome", "fired", "facts", "basis"}


def test_a_decision_may_have_been_good_for_a_shorter_time_but_not_for_longer() -> None:
    dated = HOLD + "  valid_to: 2027-01-31\n"
    made = policy(dated)
    assert decide_all(made, [revive(FACTS)], DAY).good_until == "2027-01-31"

    def until(day: Json) -> list[str]:
        data = decide_all(made, [revive(FACTS)], DAY).to_json()
        return differences(made, {**data, "good_until": day}, [FACTS], DAY)

    assert until("2027-01-31") == until("2026-12-31") == []
    assert until(None) == ["good_until was None, is '2027-01-31'"]
    assert until("2027-02-01") == ["good_until was '2027-02-01', is '2027-01-31'"]


def test_a_folder_is_taken_whole() -> None:
    said = files(RULES + DENY)
    loaded = load_files(said)
    assert check_cases(loaded) == 1
    check_invariants(loaded, [(revive(FACTS), DAY)])
    never = b"""invariants:
- {id: never.open, title: t, basis: b, never: permit_or_hold, when: {exists: context.today}}
"""
    strict = load_files({**said, "invariants.yaml": never})
    with pytest.raises(
        MalformedError, match="invariants.yaml:2: the set breaks invariant never.open"
    ):
        check_invariants(strict, [({"item.sgbv": False, "recipient.competent": True}, DAY)])
    assert set(loaded.rules) == {"open", "deny.sgbv"}
    commented = {**said, "rules/a.yaml": said["rules/a.yaml"] + b"# x"}
    assert load_files(commented).rules == loaded.rules
    del said["tests/cases.yaml"]
    with pytest.raises(MalformedError, match="at least one case"):
        check_cases(load_files(said))
    said["tests/cases.yaml"] = CASES.replace(b"deny", b"permit")
    with pytest.raises(MalformedError, match="cases.yaml:3: case silence: outcome is deny") as bad:
        check_cases(load_files(said))
    assert bad.value.field == "tests/cases.yaml:3"
