"""Invariants: read strictly, checked on one decision's facts, proved or refuted for all of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring.analyses import prepare
from gateway.authoring.proofs import Proof, prove
from gateway.kernel.errors import MalformedError
from gateway.policy import Effect, Fact, Invariant, PolicySet, load_invariants, violated
from tests.authoring.sets import CONDITIONS, FACTS, flow, make, rule
from tests.policy.test_policy import FILES, POLICY

PERMIT = rule("p", "permit", True, obligations={"handling": "mid", "days": 30})
ASK = {"handling": "mid"}


def written(*invariants: Any) -> dict[str, bytes]:
    return {"invariants.yaml": f"invariants: {flow(list(invariants))}\n".encode()}


def never(when: Any, what: str = "permit_or_hold", name: str = "i") -> dict[str, Any]:
    return {"id": name, "title": "t", "basis": "b", "never": what, "when": when}


def always(when: Any, obligations: Any, name: str = "i") -> dict[str, Any]:
    return {"id": name, "title": "t", "basis": "b", "whenever": when, "obligations": obligations}


def proofs(policy: PolicySet, *invariants: Any) -> list[Proof]:
    found = load_invariants(written(*invariants), policy)
    return list(prove(*prepare(policy, found), found, today="2026-05-01"))


# Reading


def test_a_set_without_the_file_has_no_invariants() -> None:
    assert load_invariants({}, POLICY) == ()


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ({**never(True), "never": "permits"}, "never is permit or permit_or_hold; did you mean"),
        ({**never(True), "whenn": True}, "unknown key 'whenn'; did you mean 'when'"),
        ({**never(True), "obligations": ASK}, "unknown key 'obligations'"),
        ({**never(True), "id": "Not an id"}, "an id is lower-case words"),
        (never({"eq": ["item.colou", "red"]}), "unknown attribute 'item.colou'; did you mean"),
        (never({"eq": ["item.colour", "rde"]}), "'rde' is not a value of item.colour"),
        (never({"equal": ["item.colour", "red"]}), "unknown operator 'equal'"),
        (always(True, {}), "names at least one"),
        (always(True, {"handlin": "mid"}), "unknown obligation 'handlin'; did you mean"),
        ({"id": "i", "title": "t", "basis": "b"}, "key 'obligations' is missing"),
        ({"id": "i", "title": "t", "never": "permit", "when": True}, "key 'basis' is missing"),
    ],
)
def test_what_is_written_wrong_is_refused_with_its_line(one: Any, message: str) -> None:
    with pytest.raises(MalformedError, match=r"invariants\.yaml:1: ") as refused:
        load_invariants(written(one), make([]))
    assert message in str(refused.value)


def test_two_invariants_of_one_name_are_refused() -> None:
    with pytest.raises(MalformedError, match=r"invariants\.yaml:1: invariant i stands already at"):
        load_invariants(written(never(True), always(True, ASK)), make([]))


# On the facts of one decision


@pytest.mark.parametrize(
    ("one", "facts", "broken"),
    [
        (never({"eq": ["item.flag", True]}), {"item.flag": True}, True),
        (never({"eq": ["item.flag", True]}), {"item.flag": False}, False),
        (never({"eq": ["item.flag", True]}), {}, True),  # what is unknown is no way out
        (never({"eq": ["item.flag", True]}, "permit"), {"item.flag": True}, True),
        (never({"eq": ["item.flag", True]}, "permit"), {"item.flag": True, "item.n": 9}, False),
        (never({"eq": ["item.flag", True]}), {"item.flag": True, "item.n": 9}, True),
        (never(True), {"item.mark": True}, False),  # denied: nothing is broken
        (always(True, ASK), {}, False),
        (always(True, {"handling": "high"}), {}, True),
        (always(True, {"days": 30}), {}, False),
        (always(True, {"days": 29}), {}, True),
        (always(True, {"days": 31}), {}, False),
        (always(True, {"approval": {"a": 2}}), {}, True),
        (always(True, {"approval": {"a": 2}}), {"item.n": 9}, False),
        (always(True, {"approval": {"a": 3}}), {"item.n": 9}, True),
        (always(True, {"purposes": ["p"]}), {}, True),
        (always({"eq": ["item.flag", True]}, {"days": 1}), {"item.flag": False}, False),
    ],
)
def test_a_set_breaks_an_invariant_on_facts(one: Any, facts: dict[str, Fact], broken: bool) -> None:
    policy = make(
        [
            PERMIT,
            rule(
                "q",
                "require",
                {"all": [{"exists": "item.n"}, {"gt": ["item.n", 5]}]},
                obligations={"approval": {"a": 2}},
            ),
            rule("d", "deny", {"all": [{"exists": "item.mark"}, {"eq": ["item.mark", True]}]}),
        ]
    )
    found = load_invariants(written(one), policy)
    assert violated(policy, found, facts, "2026-05-01") == (["i"] if broken else [])
    # z3 finds a breach where there is one, though it need not be this one.
    assert not broken or proofs(policy, one)[0].counterexample is not None


# For all facts


def test_the_invariants_of_the_shipped_set_are_proved() -> None:
    found = load_invariants(FILES, POLICY)
    assert len(found) >= 10
    results = prove(*prepare(POLICY, found), found)
    assert [proof.invariant.id for proof in results if proof.counterexample is not None] == []


def test_a_set_of_nothing_but_its_permits_is_refuted_and_the_evaluator_agrees() -> None:
    rules = tuple(r for r in POLICY.rules if r.effect is Effect.PERMIT)
    policy = PolicySet(POLICY.vocabulary, POLICY.kinds, rules, POLICY.digest)
    found = load_invariants(FILES, POLICY)
    results = list(prove(*prepare(policy, found), found, today="2026-05-01"))
    refuted = [proof for proof in results if proof.counterexample is not None]
    assert len(refuted) >= 5
    for proof in refuted:
        facts = dict(proof.counterexample or {})
        assert facts.pop("context.today") == "2026-05-01"
        assert proof.invariant.id in violated(policy, found, facts, "2026-05-01")
        # Nothing can be left out: without any one fact it is kept, or not broken for certain.
        seen = {**facts, "context.today": "2026-05-01"}
        assert proof.invariant.when.eval(seen) is True
        for path in facts:
            fewer = {p: fact for p, fact in seen.items() if p != path}
            kept = proof.invariant.id not in violated(policy, found, fewer, "2026-05-01")
            assert kept or proof.invariant.when.eval(fewer) is None


def test_a_counterexample_names_no_fact_that_could_be_left_out() -> None:
    policy = make([rule("p", "permit", {"eq": ["item.flag", True]})])
    (proof,) = proofs(policy, never({"eq": ["item.colour", "red"]}))
    assert proof.counterexample == {
        "item.flag": True,
        "item.colour": "red",
        "context.today": "2026-05-01",
    }
    (proof,) = proofs(
        policy, never({"all": [{"exists": "item.tags"}, {"contains": ["item.tags", "red"]}]})
    )
    assert proof.counterexample == {
        "item.flag": True,
        "item.tags": frozenset({"red"}),
        "context.today": "2026-05-01",
    }
    assert proof.to_json()["counterexample"] == {
        "item.flag": True,
        "item.tags": ["red"],
        "context.today": "2026-05-01",
    }


@given(CONDITIONS, CONDITIONS, CONDITIONS, FACTS)
@settings(max_examples=20, deadline=None)
def test_what_is_proved_is_broken_by_no_facts(
    permit: Any, deny: Any, when: Any, facts: dict[str, Fact]
) -> None:
    policy = make(
        [
            rule("p", "permit", permit, obligations={"days": 9}),
            rule("d", "deny", deny, valid_from="2026-05-01"),
            rule("q", "require", {"lt": ["item.n", 3]}, obligations={"approval": {"a": 1}}),
        ]
    )
    ones = [never(when), never(when, "permit", "j"), always(when, {"approval": {"a": 1}}, "k")]
    found: tuple[Invariant, ...] = load_invariants(written(*ones), policy)
    results = list(prove(*prepare(policy, found), found))
    proved = {proof.invariant.id for proof in results if proof.counterexample is None}
    stated = dict(facts)
    today = str(stated.pop("context.today"))
    assert proved.isdisjoint(violated(policy, found, stated, today))


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_no_facts_break_what_is_proved_of_the_shipped_set(data: st.DataObject) -> None:
    found = load_invariants(FILES, POLICY)
    facts: dict[str, Fact] = {}
    for path, a in POLICY.vocabulary.attributes.items():
        words = sorted(a.values)
        some: dict[str, st.SearchStrategy[Any]] = {
            "enum": st.sampled_from(words or [""]),
            "set": st.frozensets(st.sampled_from(words or [""]), max_size=3),
            "bool": st.booleans(),
        }
        if a.type in some and data.draw(st.booleans()):
            facts[path] = data.draw(some[a.type])
    assert violated(POLICY, found, facts, "2026-05-01") == []
