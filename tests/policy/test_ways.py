"""What is missing: each way told leads to a permit, no part of it does, and no way is overlooked."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy import (
    Applied,
    Circumstances,
    Clearance,
    Fact,
    Facts,
    Missing,
    Outcome,
    PolicySet,
    apply,
    in_words,
    load,
    what_is_missing,
)
from gateway.policy.ways import Change, Way, changed
from tests.policy.test_policy import POLICY

DAY = "2026-05-01"
VOCABULARY = b"""
attributes:
  item.a: {type: bool, label: a, obtain: "a, made so"}
  item.u: {type: bool, label: u}
  item.minor: {type: bool, label: m, protected: true, obtain: never}
  item.n: {type: int, min: 0, max: 3, label: n, obtain: "n, counted"}
  item.word: {type: text, label: w, obtain: "the word \xe2\x80\xa6"}
  item.ends: {type: date, label: e, obtain: "an earlier end"}
  item.many: {type: set, values: [A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q], label: m, obtain: "a letter of \xe2\x80\xa6"}
  recipient.id: {type: enum, values: [A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q], label: id}
  recipient.e: {type: enum, values: [x, y, z], label: e, obtain: "e (\xe2\x80\xa6) on paper"}
  recipient.assurances: {type: set, values: [d, f, s], label: s, obtain: "an assurance (\xe2\x80\xa6)"}
  context.today: {type: date, label: today}
"""
OBLIGATIONS = b"""
obligations:
  approval: {join: roles, phase: before, values: [legal_adviser, head], label: a}
  consultation: {join: union, phase: before, values: [source], label: c}
  assurance: {join: union, phase: before, values: [d, f, s], label: s}
  redact: {join: union, phase: with, values: [names, faces], label: r}
  watermark: {join: order, phase: with, values: [none, visible], label: w}
  purposes: {join: intersection, phase: after, values: [p, q], label: p}
  max_items: {join: min, phase: with, label: m}
  expiry: {join: min, phase: after, label: e, by_recipient: true}
"""


def policy_of(*rules: dict[str, object]) -> PolicySet:
    full = [{"id": f"r{i}", "title": "t", "basis": "b", **rule} for i, rule in enumerate(rules)]
    text = json.dumps({"rules": full}).encode()
    files = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": OBLIGATIONS, "rules/r.yaml": text}
    return load(files)


# Random sets over five facts, of which three can be brought about

LEAVES: list[object] = [
    {"eq": ["item.a", True]},
    {"ne": ["item.a", True]},
    {"exists": "item.a"},
    {"eq": ["item.u", True]},
    {"eq": ["item.minor", True]},
    {"ge": ["item.n", 2]},
    {"eq": ["item.n", 1]},
    {"eq": ["recipient.e", "x"]},
    {"in": ["recipient.e", ["y", "z"]]},
    {"contains": ["recipient.assurances", "d"]},
    {"intersects": ["recipient.assurances", ["f", "s"]]},
    {"subset": ["recipient.assurances", ["d", "f"]]},
    {"exists": "recipient.assurances"},
    True,
]
CONDITIONS: st.SearchStrategy[object] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"all": parts})
        | st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"any": parts})
        | inner.map(lambda part: {"not": part})
    ),
    max_leaves=4,
)
TERMS = st.sampled_from(
    [
        {"approval": {"legal_adviser": 1}},
        {"approval": {"legal_adviser": 2, "head": 1}},
        {"consultation": ["source"]},
        {"assurance": ["d"]},
        {"redact": ["names"]},
        {"purposes": ["p"]},
        {"purposes": ["q"]},
        {"max_items": 0},
        {"expiry": 3},
        {"watermark": "visible"},
    ]
)
DENY = CONDITIONS.map(lambda when: {"effect": "deny", "when": when})
PERMIT = CONDITIONS.map(lambda when: {"effect": "permit", "when": when})
REQUIRE = st.tuples(CONDITIONS, TERMS).map(
    lambda said: {"effect": "require", "when": said[0], "obligations": said[1]}
)
SETS = st.lists(DENY | PERMIT | REQUIRE, min_size=2, max_size=5).map(
    lambda rules: policy_of({"effect": "permit", "when": {"eq": ["item.u", True]}}, *rules)
)
FACTS: st.SearchStrategy[dict[str, Fact]] = st.fixed_dictionaries(
    {},
    optional={
        "item.a": st.booleans(),
        "item.u": st.booleans(),
        "item.minor": st.booleans(),
        "item.n": st.integers(0, 3),
        "recipient.e": st.sampled_from(["x", "y", "z"]),
        "recipient.assurances": st.frozensets(st.sampled_from("dfs")),
    },
)
KNOWN = Circumstances(frozenset(), (frozenset(),), ("none",), (False,), 1)


def solved(policy: PolicySet, facts: Facts, changes: Sequence[Change], way: Way) -> Applied:
    """Apply changes and everything else that a way asks for."""
    took = {kind: {w for k, w in way.measures if k == kind} for kind, _ in way.measures}
    circumstances = Circumstances(
        supports=frozenset(took.get("support", ())),
        removed=(frozenset(took.get("redact", ())),),
        marked=("visible" if "watermark" in took else "none",),
        foreign=(False,),
        given=1,
    )
    after = changed(facts, changes)
    bases = apply(policy, [after], DAY).decision.bases
    clearances = [
        Clearance(f"person {n} as {what}", what, bases.get(what, ""))
        for what, count in way.clearances
        for n in range(count)
    ]
    return apply(policy, [after], DAY, clearances, "proposer", circumstances)


@settings(max_examples=60, deadline=None)
@given(SETS, FACTS)
def test_a_way_leads_to_a_permit_and_no_part_of_its_changes_does(
    policy: PolicySet, facts: dict[str, Fact]
) -> None:
    found = what_is_missing(apply(policy, [facts], DAY, circumstances=KNOWN))
    for way in found.ways:
        assert solved(policy, facts, way.changes, way).outcome is Outcome.PERMIT
        for n in range(len(way.changes)):
            for part in itertools.combinations(way.changes, n):
                assert solved(policy, facts, part, way).outcome is not Outcome.PERMIT
        for n in range(len(way.clearances)):
            fewer = replace(way, clearances=way.clearances[:n] + way.clearances[n + 1 :])
            assert solved(policy, facts, way.changes, fewer).outcome is not Outcome.PERMIT
        for n in range(len(way.measures)):
            fewer = replace(way, measures=way.measures[:n] + way.measures[n + 1 :])
            assert solved(policy, facts, way.changes, fewer).outcome is not Outcome.PERMIT


def every_change(facts: Facts) -> Iterator[tuple[Change, ...]]:
    """Yield every combination of values of what can be brought about."""
    on_file = facts.get("recipient.assurances", frozenset())
    assert isinstance(on_file, frozenset)
    values: dict[str, list[Fact]] = {
        "item.a": [True, False],
        "item.n": [0, 1, 2, 3],
        "recipient.e": ["x", "y", "z"],
    }
    choices: list[list[Change | None]] = [
        [None, *(_change(path, v) for v in some if v != facts.get(path))]
        for path, some in values.items()
    ]
    for word in sorted(frozenset("dfs") - on_file):
        choices.append([None, _change("recipient.assurances", frozenset({word}))])
    for chosen in itertools.product(*choices):
        yield tuple(change for change in chosen if change is not None)


def _change(path: str, value: Fact) -> Change:
    return Change(path, value, (0,) if path.startswith("item.") else ())


def brute(policy: PolicySet, facts: Facts) -> set[Way]:
    """Return, with values left out, the least of all ways there are, by trying everything."""
    ways: set[Way] = set()
    for changes in every_change(facts):
        after = changed(facts, changes)
        if policy.judge(after, DAY).outcome is Outcome.DENY:
            continue
        now = apply(policy, [after], DAY, circumstances=KNOWN)
        if "max_items" not in now.unmet and not any(w.startswith("assurance") for w in now.lacking):
            measures = tuple((kind, word) for kind in sorted(now.unmet) for word in now.unmet[kind])
            ways.add(bare(Way(changes, tuple(sorted(now.lacking.items())), measures)))
    return {way for way in ways if not any(w.within(way) for w in ways if w != way)}


def bare(way: Way) -> Way:
    """Return a way without the values to which facts are brought, but for words of a set."""
    some = {
        Change(c.path, c.value if isinstance(c.value, frozenset) else "", c.items)
        for c in way.changes
    }
    return replace(way, changes=tuple(sorted(some, key=repr)))


@settings(max_examples=25, deadline=None)
@given(SETS, FACTS)
def test_the_ways_found_are_those_that_trying_everything_finds(
    policy: PolicySet, facts: dict[str, Fact]
) -> None:
    found = what_is_missing(
        apply(policy, [facts], DAY, circumstances=KNOWN), most=1000, bound=1_000_000
    )
    assert found.complete
    assert set(map(bare, found.ways)) == brute(policy, facts)
    assert [way.size for way in found.ways] == sorted(way.size for way in found.ways)


@settings(max_examples=30, deadline=None)
@given(SETS, st.lists(FACTS, min_size=1, max_size=3))
def test_what_cannot_be_brought_about_is_never_changed(
    policy: PolicySet, every: list[dict[str, Fact]]
) -> None:
    shared = {k: v for k, v in every[0].items() if k.startswith("recipient.")}
    alike = [{**facts, **shared} for facts in (*every, every[0])]
    found = what_is_missing(apply(policy, alike, DAY))
    for way in found.ways:
        assert {c.path for c in way.changes} <= {
            "item.a",
            "item.n",
            "recipient.e",
            "recipient.assurances",
        }
        after = [
            changed(facts, [c for c in way.changes if not c.items or n in c.items])
            for n, facts in enumerate(alike)
        ]
        now = apply(policy, after, DAY)
        assert now.outcome is (Outcome.HOLD if way.clearances else Outcome.PERMIT)
        assert dict(way.clearances) == now.lacking


# Single cases

NEVER = policy_of(
    {"effect": "permit", "when": True}, {"effect": "deny", "when": {"eq": ["item.minor", True]}}
)


def test_nothing_is_said_to_help_where_a_refusal_rests_on_what_nobody_can_change() -> None:
    found = what_is_missing(apply(NEVER, [{"item.minor": True}], DAY))
    assert (found.ways, found.complete) == ((), True)


def test_a_search_that_is_cut_short_says_so() -> None:
    policy = policy_of(
        {"effect": "permit", "when": True},
        {"effect": "deny", "when": {"not": {"eq": ["item.a", True]}}},
    )
    applied = apply(policy, [{"item.a": False}], DAY)
    assert what_is_missing(applied, bound=1) == Missing((), False, 1)
    assert len(what_is_missing(applied).ways) == 1
    choice = policy_of(
        {"effect": "permit", "when": {"eq": ["item.a", True]}},
        {"effect": "permit", "when": {"eq": ["recipient.e", "x"]}},
    )
    one = what_is_missing(apply(choice, [{}], DAY), most=1)
    assert (len(one.ways), one.complete) == (1, False)


def words_of(policy: PolicySet, facts: dict[str, Fact]) -> list[list[str]]:
    found = what_is_missing(apply(policy, [facts], DAY, circumstances=KNOWN))
    return [in_words(policy.vocabulary, way) for way in found.ways]


@pytest.mark.parametrize(
    ("condition", "facts", "said"),
    [
        ({"eq": ["item.a", True]}, {}, "a, made so"),
        ({"eq": ["item.a", False]}, {}, "a, made so: no"),
        ({"gt": ["item.n", 2]}, {"item.n": 0}, "n, counted: 3"),
        ({"eq": ["item.word", "go"]}, {}, "the word go"),
        ({"ne": ["item.word", "go"]}, {}, None),
        ({"before": ["item.ends", "$context.today"]}, {}, "an earlier end: 2026-04-30"),
        ({"before": ["item.ends", "0001-01-01"]}, {}, None),
        ({"exists": "item.word"}, {}, None),
        ({"in": ["recipient.e", ["y"]]}, {"recipient.e": "x"}, "e (y) on paper"),
        ({"in": ["recipient.id", "$item.many"]}, {"recipient.id": "Q"}, "a letter of Q"),
        ({"intersects": ["item.many", ["B"]]}, {}, "a letter of B"),
        ({"in": ["recipient.id", "$item.many"]}, {}, None),
        ({"eq": ["item.minor", False]}, {"item.minor": True}, None),
    ],
)
def test_each_type_of_fact_is_brought_about_in_its_own_words(
    condition: object, facts: dict[str, Fact], said: str | None
) -> None:
    policy = policy_of({"effect": "permit", "when": condition})
    assert words_of(policy, facts) == ([] if said is None else [[said]])


def test_clearances_and_measures_are_part_of_a_way() -> None:
    asks = {"approval": {"legal_adviser": 2, "head": 1}, "consultation": ["source"]}
    does = {"redact": ["names"], "watermark": "visible", "expiry": 5, "assurance": ["d"]}
    policy = policy_of({"effect": "permit", "when": True, "obligations": {**asks, **does}})
    assert words_of(policy, {}) == [
        [
            "an assurance (d)",
            "an approval as head",
            "2 approvals as legal adviser",
            "the agreement of the source, consulted",
            "a derivative without names",
            "the announcement of the recipient's system that it honours expiry",
            "for the recipient alone, a copy with mark visible",
        ]
    ]


@pytest.mark.parametrize(
    "terms",
    [{"max_items": 0}, {"redact": []}, {"consultation": []}],
)
def test_what_nobody_can_meet_leaves_no_way(terms: dict[str, object]) -> None:
    policy = policy_of({"effect": "permit", "when": True, "obligations": terms})
    assert words_of(policy, {}) == []


def test_an_assurance_that_no_vocabulary_knows_cannot_be_brought_about() -> None:
    files = {
        "vocabulary.yaml": b"attributes: {context.today: {type: date, label: t}}",
        "obligations.yaml": OBLIGATIONS,
        "rules/r.yaml": b"rules: [{id: r, effect: permit, title: t, basis: b, when: true, "
        b"obligations: {assurance: [d]}}]",
    }
    assert words_of(load(files), {}) == []


def test_clearances_already_given_for_all_items_count() -> None:
    policy = policy_of(
        {"effect": "permit", "when": True, "obligations": {"approval": {"legal_adviser": 1}}},
        {"effect": "require", "when": True, "obligations": {"consultation": ["source"]}},
    )
    every: list[Facts] = [{"item.a": True}, {"item.a": True}, {"item.a": False}]
    bases = apply(policy, every, DAY).decision.bases
    given_ = [Clearance("legal", "approval:legal_adviser", bases["approval:legal_adviser"])]
    (way,) = what_is_missing(apply(policy, every, DAY, given_, "proposer")).ways
    assert way == Way((), (("consultation:source", 1),), ())


def test_items_are_named_a_few_of_many() -> None:
    policy = policy_of({"effect": "permit", "when": {"eq": ["item.a", True]}})
    every: list[Facts] = [{"item.n": n % 4} for n in range(7)]
    names = [f"note-{n}" for n in range(7)]
    (way,) = what_is_missing(apply(policy, every, DAY)).ways
    (said,) = in_words(policy.vocabulary, way, names)
    assert said == "a, made so, for note-0, note-1, note-2, note-3, note-4 and 2 more"


def test_an_item_changed_once_is_not_changed_again_but_another_may_be() -> None:
    policy = policy_of(
        {"effect": "permit", "when": True},
        {"effect": "deny", "when": {"lt": ["item.n", 3]}},
        {"effect": "deny", "when": {"not": {"contains": ["recipient.assurances", "d"]}}},
        {"effect": "deny", "when": {"not": {"contains": ["recipient.assurances", "f"]}}},
    )
    (way,) = what_is_missing(apply(policy, [{"item.n": 0}, {"item.n": 1}], DAY)).ways
    assert {(c.path, c.items) for c in way.changes} == {
        ("item.n", (0,)),
        ("item.n", (1,)),
        ("recipient.assurances", ()),
    }
    assert way.size == 4


# The shipped set


def test_the_shipped_set_asks_for_an_assurance_and_never_for_another_person() -> None:
    for path, attribute in POLICY.vocabulary.attributes.items():
        if attribute.obtain is not None:
            assert not attribute.protected, path
    obtainable = {p for p, a in POLICY.vocabulary.attributes.items() if a.obtain is not None}
    assert obtainable >= {"recipient.assurances", "item.consent.status"}
    assert not obtainable & {"recipient.fair_trial", "recipient.competent"}
