"""Clearances: who counts for what a hold asks, and what no clearance ever meets."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Clearance, Decision, Outcome, load, missing
from tests.policy.test_policy import VOCABULARY

OBLIGATIONS = b"""
obligations:
  approval: {join: roles, phase: before, values: [a, b], label: a}
  consultation: {join: union, phase: before, values: [source, originator], label: c}
  assurance: {join: union, phase: before, values: [specialty, fair_trial], label: s}
  training: {join: union, phase: before, values: [done], label: t}
  handling: {join: order, phase: with, values: [low, high], label: h}
"""
STALE = "0" * 64


def hold(**obligations: object) -> Decision:
    """Return the decision of a set that permits everything under these obligations."""
    return hold_under(OBLIGATIONS, obligations)


def hold_under(kinds: bytes, obligations: dict[str, object]) -> Decision:
    rule = {"id": "r", "title": "t", "basis": "b", "effect": "permit", "when": True}
    text = json.dumps({"rules": [{**rule, "obligations": obligations}]}).encode()
    files = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": kinds, "rules/r.yaml": text}
    decision = load(files).decide({}, "2026-05-01")
    assert decision.outcome is Outcome.HOLD
    return decision


def lacking(
    held: Decision, *given_by: tuple[str, str], basis: str | None = None, on_file: str = ""
) -> dict[str, int]:
    """Return what is missing after clearances (person, obligation) on this basis."""
    clearances = [
        Clearance(who, what, basis or held.bases.get(what, STALE)) for who, what in given_by
    ]
    return missing(held, clearances, "requester", frozenset(on_file.split()))


ROLES = "ab"
CLEARANCES = st.lists(st.tuples(st.sampled_from("pqrs"), st.sampled_from(ROLES)), max_size=8)


def satisfied(asked: dict[str, int], given_roles: list[tuple[str, str]]) -> bool:
    """Tell by trying them all whether some way of counting each person once is enough."""
    persons = sorted({person for person, _ in given_roles})
    can = {person: [r for p, r in given_roles if p == person] for person in persons}
    for chosen in itertools.product(*(can[person] for person in persons)):
        if all(chosen.count(role) >= count for role, count in asked.items()):
            return True
    return False


@given(st.dictionaries(st.sampled_from(ROLES), st.integers(1, 2), min_size=1), CLEARANCES)
def test_a_hold_is_cleared_whenever_each_person_can_be_counted_once(
    asked: dict[str, int], given_roles: list[tuple[str, str]]
) -> None:
    held = hold(approval=asked)
    clearances = [
        Clearance(person, what, held.bases.get(what, STALE))
        for person, what in ((p, f"approval:{r}") for p, r in given_roles)
    ]
    left = missing(held, clearances, "requester")
    assert (left == {}) is satisfied(asked, given_roles)
    assert missing(held, [*reversed(clearances), *clearances], "requester") == left
    assert all(0 < count <= asked[key.partition(":")[2]] for key, count in left.items())


def test_one_person_with_two_roles_counts_once() -> None:
    held = hold(approval={"a": 1, "b": 1})
    one = [("p1", "approval:a"), ("p1", "approval:b")]
    assert lacking(held, *one) == {"approval:b": 1}
    assert lacking(held, *one, ("p2", "approval:a")) == {}, "she moves to her other role"
    assert lacking(held, *one, ("p2", "approval:b")) == {}


def test_twice_the_same_person_is_not_two_persons() -> None:
    held = hold(approval={"a": 2})
    assert lacking(held, ("p1", "approval:a"), ("p1", "approval:a")) == {"approval:a": 1}
    assert lacking(held, ("p1", "approval:a"), ("p2", "approval:a")) == {}


def test_the_requester_clears_nothing() -> None:
    held = hold(approval={"a": 1}, consultation=["source"])
    own = (("requester", "approval:a"), ("requester", "consultation:source"))
    assert lacking(held, *own) == {"approval:a": 1, "consultation:source": 1}
    assert lacking(held, *own, ("p1", "approval:a"), ("p1", "consultation:source")) == {}


def test_a_clearance_on_another_basis_is_void() -> None:
    held = hold(approval={"a": 1}, consultation=["source"])
    both = (("p1", "approval:a"), ("p2", "consultation:source"))
    assert lacking(held, *both, basis=STALE) == {"approval:a": 1, "consultation:source": 1}
    assert lacking(held, *both) == {}


def test_a_consultation_is_met_by_its_record_and_by_nothing_else() -> None:
    held = hold(consultation=["source", "originator"])
    assert lacking(held) == {"consultation:originator": 1, "consultation:source": 1}
    assert lacking(held, ("p1", "consultation:source")) == {"consultation:originator": 1}
    others = [("p1", "approval:source"), ("p1", "consultation"), ("p1", "source")]
    assert lacking(held, *others) == {"consultation:originator": 1, "consultation:source": 1}
    assert lacking(held, on_file="source originator") != {}, "an assurance is no consultation"


def test_one_person_may_record_consultations_and_approve() -> None:
    held = hold(approval={"a": 1}, consultation=["originator", "source"])
    every = ("approval:a", "consultation:source", "consultation:originator")
    assert lacking(held, *(("p1", what) for what in every)) == {}


def test_an_assurance_is_met_by_the_fact_on_file_and_by_no_clearance() -> None:
    held = hold(assurance=["specialty", "fair_trial"])
    assert lacking(held) == {"assurance:fair_trial": 1, "assurance:specialty": 1}
    assert lacking(held, on_file="specialty") == {"assurance:fair_trial": 1}
    assert lacking(held, on_file="specialty fair_trial more") == {}
    claimed = [(who, f"assurance:{word}") for who in "pq" for word in ("specialty", "fair_trial")]
    assert lacking(held, *claimed) == {"assurance:fair_trial": 1, "assurance:specialty": 1}


@pytest.mark.parametrize("kind", ["consultation", "assurance"])
def test_an_obligation_that_names_nothing_is_never_met(kind: str) -> None:
    held = hold(**{kind: []})
    given_by = [("p1", kind), ("p1", f"{kind}:"), ("p1", f"{kind}:source")]
    assert lacking(held, *given_by, on_file="specialty source") == {kind: 1}


def test_a_known_kind_with_another_join_is_never_met() -> None:
    """What stands in its term cannot be read as seats or words, so nobody can say that it is met."""
    swapped = OBLIGATIONS.replace(b"approval: {join: roles", b"approval: {join: union")
    swapped = swapped.replace(b"consultation: {join: union", b"consultation: {join: roles")
    held = hold_under(swapped, {"approval": ["a"], "consultation": {"source": 1}})
    given_by = [("p1", "approval:a"), ("p2", "approval:a"), ("p3", "consultation:source")]
    assert lacking(held, *given_by) == {"approval": 1, "consultation": 1}


def test_a_consultation_takes_no_seat_even_if_its_word_is_the_name_of_a_role() -> None:
    held = hold(approval={"a": 1})
    assert lacking(held, ("p1", "consultation:a"), ("p2", "assurance:a")) == {"approval:a": 1}


def test_an_obligation_of_a_kind_that_nobody_can_clear_stays_missing() -> None:
    held = hold(training=["done"], approval={"a": 1})
    given_by = [("p1", "approval:a"), ("p1", "training:done"), ("p1", "training")]
    assert lacking(held, *given_by) == {"training": 1}


def test_an_obligation_due_later_holds_nothing_up() -> None:
    held = hold(approval={"a": 1}, handling="high")
    assert held.before == ("approval",)
    assert lacking(held, ("p1", "approval:a")) == {}


OBLIGATION = st.sampled_from(
    ["approval:a", "approval:b", "consultation:source", "consultation:originator", "assurance:x"]
)
GIVEN = st.lists(st.tuples(st.sampled_from(["p", "q", "r", "requester"]), OBLIGATION), max_size=8)


@given(GIVEN, GIVEN)
def test_one_more_clearance_never_makes_more_missing(
    some: list[tuple[str, str]], more: list[tuple[str, str]]
) -> None:
    held = hold(approval={"a": 1, "b": 2}, consultation=["source", "originator"])
    before, after = lacking(held, *some), lacking(held, *some, *more)
    assert sum(after.values()) <= sum(before.values())
    assert {what for what in after if what.startswith("consultation")} <= set(before)


@given(GIVEN, st.data())
def test_the_order_of_clearances_makes_no_difference(
    some: list[tuple[str, str]], data: st.DataObject
) -> None:
    held = hold(approval={"a": 1, "b": 2}, consultation=["source"])
    assert lacking(held, *data.draw(st.permutations(some))) == lacking(held, *some)
