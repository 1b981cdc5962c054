"""What a clearance is bound to: an edit voids exactly the clearances whose rules, counts or facts it touches."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.policy import Clearance, Decision, Fact, Outcome, PolicySet, join, load, missing
from tests.policy.test_policy import VOCABULARY

Rule = dict[str, Any]
KINDS: dict[str, Any] = {
    "approval": {"join": "roles", "phase": "before", "values": ["a", "b", "c"], "label": "a"},
    "consultation": {
        "join": "union", "phase": "before", "values": ["source", "originator"], "label": "c",
    },
    "assurance": {"join": "union", "phase": "before", "values": ["specialty"], "label": "s"},
    "handling": {"join": "order", "phase": "with", "values": ["low", "high"], "label": "h"},
}  # fmt: skip
FACTS: dict[str, Fact] = {"item.t": True, "item.f": False, "item.sgbv": True, "item.n": 5}
PERMIT: Rule = {"id": "permit", "effect": "permit", "when": True, "obligations": {}}
# Each reads a fact of its own and asks for something of its own; none of the obligations overlap.
ASKING: dict[str, Rule] = {
    "approval:a": {"when": {"eq": ["item.t", True]}, "obligations": {"approval": {"a": 1}}},
    "approval:b": {"when": {"eq": ["item.f", False]}, "obligations": {"approval": {"b": 2}}},
    "approval:c": {"when": {"eq": ["item.orcon", True]}, "obligations": {"approval": {"c": 1}}},
    "consultation:source": {
        "when": {"eq": ["item.n", 5]}, "obligations": {"consultation": ["source"]},
    },
    "assurance:specialty": {
        "when": {"eq": ["item.sgbv", True]}, "obligations": {"assurance": ["specialty"]},
    },
}  # fmt: skip
"""What each of them asks for; `approval:c` as a precaution, since its fact is missing."""
OTHERS = {
    "item.t": "approval:a",
    "item.f": "approval:b",
    "item.orcon": "approval:c",
    "item.n": "consultation:source",
    "item.sgbv": "assurance:specialty",
}


def loaded(rules: list[Rule], kinds: dict[str, Any] = KINDS) -> PolicySet:
    full = [{"title": "t", "basis": "b", "effect": "require", **rule} for rule in rules]
    files = {
        "vocabulary.yaml": VOCABULARY,
        "obligations.yaml": json.dumps({"obligations": kinds}).encode(),
        "rules/r.yaml": json.dumps({"rules": full}).encode(),
    }
    return load(files)


def rules_of(asking: dict[str, Rule] = ASKING) -> list[Rule]:
    named = [{"id": what.replace(":", "."), **rule} for what, rule in asking.items()]
    return copy.deepcopy([PERMIT, *named])


def held(
    rules: list[Rule], facts: dict[str, Fact] = FACTS, kinds: dict[str, Any] = KINDS
) -> Decision:
    decision = loaded(rules, kinds).decide(facts, "2026-05-01")
    assert decision.outcome is Outcome.HOLD
    return decision


BEFORE = held(rules_of())


def voided(after: Decision) -> set[str]:
    """Return what was cleared on the basis of before and does not count any more."""
    given_ = [
        Clearance(f"p{n}{m}", what, basis)
        for n, (what, basis) in enumerate(BEFORE.bases.items())
        for m in range(3)
        if not what.startswith("assurance")
    ]
    on_file = frozenset({"specialty"})
    assert missing(BEFORE, given_, "requester", on_file) == {}
    lacking = set(missing(after, given_, "requester", on_file))
    counted = {what for what, basis in after.bases.items() if BEFORE.bases.get(what) == basis}
    assert lacking == set(after.bases) - counted - {"assurance:specialty"}
    return set(BEFORE.bases) - counted


def at(rules: list[Rule], what: str) -> Rule:
    return next(rule for rule in rules if rule["id"] == what.replace(":", "."))


# --- what voids nothing -------------------------------------------------------------------------------
NEW_RULES: list[Rule] = [
    {"effect": "permit", "when": {"eq": ["item.t", True]}, "obligations": {"handling": "high"}},
    {"effect": "require", "when": {"eq": ["item.n", 5]}, "obligations": {"handling": "high"}},
    {"effect": "require", "when": {"eq": ["item.t", False]}, "obligations": {"approval": {"a": 3}}},
    {"effect": "deny", "reason": "other", "when": {"eq": ["item.t", False]}},
    {"effect": "require", "when": True, "obligations": {"consultation": ["originator"]}},
]


@given(
    st.lists(st.sampled_from(NEW_RULES), max_size=3),
    st.booleans(),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_an_unrelated_edit_voids_no_clearance(
    more: list[Rule], titles: bool, kinds: bool, draw: Any
) -> None:
    """Other rules, other kinds, other titles and legal bases, another order, facts that nobody reads."""
    rules = rules_of() + [{**rule, "id": f"new{n}"} for n, rule in enumerate(more)]
    if titles:
        rules = [{**rule, "title": f"title of {rule['id']}", "basis": "revised"} for rule in rules]
    draw.shuffle(rules)
    known = {**KINDS, "training": {"join": "min", "phase": "after", "label": "t"}}
    facts: dict[str, Fact] = {**FACTS, "item.embargo_until": "2026-01-01", "context.case": "c"}
    after = held(rules, facts, known if kinds else KINDS)
    assert voided(after) == set()


def test_another_day_voids_no_clearance() -> None:
    after = loaded(rules_of()).decide(FACTS, "2031-05-01")
    assert voided(after) == set()


# --- what voids exactly what it touches ---------------------------------------------------------------
def another_fact(rule: Rule) -> None:
    """Read one fact more; the condition is as true as before, whether the fact is known or not."""
    rule["when"] = {"any": [rule["when"], {"eq": ["context.case", "no such case"]}]}


def more_asked(rule: Rule) -> None:
    approval = rule["obligations"].get("approval")
    if approval:
        rule["obligations"]["approval"] = {role: count + 1 for role, count in approval.items()}
    else:
        rule["when"] = {"all": [rule["when"], {"not": {"eq": ["item.tags", []]}}]}


def renamed(rule: Rule) -> None:
    rule["id"] += ".new"


EDITS: list[Callable[[Rule], None]] = [another_fact, more_asked, renamed]


@given(st.sampled_from(sorted(ASKING)), st.sampled_from(EDITS))
def test_an_edit_of_one_rule_voids_exactly_what_that_rule_asks_for(
    what: str, edit: Callable[[Rule], None]
) -> None:
    rules = rules_of()
    edit(at(rules, what))
    assert voided(held(rules)) == {what}


@given(st.sampled_from(sorted(ASKING)))
def test_a_rule_that_is_gone_takes_what_was_given_for_it_along(what: str) -> None:
    rules = [rule for rule in rules_of() if rule["id"] != what.replace(":", ".")]
    after = held(rules)
    assert voided(after) == {what}
    assert what not in after.bases
    stale = Clearance("p", what, BEFORE.bases[what])
    lacking = missing(after, [], "requester")
    assert missing(after, [stale], "requester") == lacking, "it clears nothing else"


@pytest.mark.parametrize(
    ("path", "value"), [("item.t", None), ("item.f", None), ("item.n", None), ("item.orcon", True)]
)
def test_a_fact_that_changes_voids_exactly_what_rests_on_it(path: str, value: Fact | None) -> None:
    """The rules ask as before: for a missing fact as a precaution, and that is another basis."""
    facts = {k: v for k, v in {**FACTS, path: value}.items() if v is not None}
    assert voided(held(rules_of(), facts)) == {OTHERS[path]}


@given(st.sampled_from(sorted(ASKING)), st.sampled_from(["a", "b", "c"]))
def test_a_second_rule_that_asks_for_the_same_voids_it_and_nothing_else(
    beside: str, role: str
) -> None:
    """The approver has not seen the second reason; where it asks for the more, the more is due."""
    second: Rule = {**ASKING[beside], "id": "second", "obligations": {"approval": {role: 1}}}
    after = held([*rules_of(), second])
    assert voided(after) == {f"approval:{role}"}


def test_what_one_asking_rule_reads_counts_though_another_reads_it_as_well() -> None:
    one: Rule = {
        "id": "one",
        "when": {"eq": ["item.t", True]},
        "obligations": {"approval": {"a": 1}},
    }
    two: Rule = {**one, "id": "two", "when": {"eq": ["item.f", False]}}
    more: Rule = {**one, "when": {"all": [one["when"], two["when"]]}}
    assert held([PERMIT, one, two]).bases != held([PERMIT, more, two]).bases


def test_two_roles_of_one_rule_are_bound_apart() -> None:
    both: Rule = {
        "id": "both", "when": {"eq": ["item.t", True]}, "obligations": {"approval": {"a": 1, "b": 1}},
    }  # fmt: skip
    one = held([PERMIT, both])
    two = held([PERMIT, {**both, "obligations": {"approval": {"a": 1, "b": 2}}}])
    assert one.bases["approval:a"] == two.bases["approval:a"]
    assert one.bases["approval:b"] != two.bases["approval:b"]
    gone = held([PERMIT, {**both, "obligations": {"approval": {"a": 1}}}])
    assert gone.bases == {"approval:a": one.bases["approval:a"]}


# --- items ---------------------------------------------------------------------------------------------
ITEM = st.fixed_dictionaries(
    {}, optional={path: st.booleans() for path in ("item.t", "item.f", "item.sgbv", "item.orcon")}
)


@given(st.lists(ITEM, min_size=1, max_size=3), ITEM, st.integers(0, 2))
def test_another_item_in_the_package_voids_every_clearance(
    items: list[dict[str, Fact]], more: dict[str, Fact], place: int
) -> None:
    """A share's package never changes, so this is about another one: no basis is that of both."""
    policy = loaded(rules_of())
    before = join(policy, [policy.decide(facts, "2026-05-01") for facts in items])
    grown = [*items[:place], more, *items[place:]]
    after = join(policy, [policy.decide(facts, "2026-05-01") for facts in grown])
    assume(before.outcome is Outcome.HOLD)
    assert not set(before.bases.values()) & set(after.bases.values())


@given(st.lists(ITEM, min_size=2, max_size=3), st.sampled_from(sorted(OTHERS)))
def test_a_fact_of_one_item_voids_what_rests_on_it_and_nothing_of_the_others(
    items: list[dict[str, Fact]], path: str
) -> None:
    policy = loaded(rules_of())
    value: Fact = 5 if path == "item.n" else not items[0].get(path, False)
    changed = [{**items[0], path: value}, *items[1:]]
    before, after = (
        join(policy, [policy.decide(facts, "2026-05-01") for facts in some])
        for some in (items, changed)
    )
    kept = {w for w, basis in before.bases.items() if after.bases.get(w) == basis}
    assert set(before.bases) - kept <= {OTHERS[path]}
