"""Rules that do nothing are found, each under its name, and no other rule is."""

import time
from typing import Any

import pytest

from gateway.authoring import extras
from gateway.authoring.analyses import Finding, explained, findings, prepare
from gateway.authoring.proofs import prove
from gateway.kernel.errors import MalformedError, UnavailableError
from gateway.policy import PolicySet, load_invariants
from tests.authoring.sets import flow, make, rule
from tests.policy.test_policy import FILES, POLICY

RED, FLAG = {"eq": ["item.colour", "red"]}, {"eq": ["item.flag", True]}
GREEN, BOTH = {"eq": ["item.colour", "green"]}, {"all": [RED, FLAG]}
BASE = rule("base", "permit", {"in": ["item.colour", ["red", "green"]]})


def found(policy: PolicySet) -> list[Finding]:
    return list(findings(*prepare(policy, ())))


def said(*rules: dict[str, Any]) -> set[tuple[str, str]]:
    return {(finding.kind.value, finding.rule) for finding in found(make([*rules]))}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([BASE], set()),
        ([BASE, rule("x", "deny", {"all": [RED, GREEN]})], {("never-applies", "x")}),
        ([BASE, rule("x", "deny", {"gt": ["item.n", 9]})], {("never-applies", "x")}),
        ([BASE, rule("x", "deny", {"gt": ["item.n", 8]})], set()),
        (
            [BASE, rule("x", "deny", {"all": [{"before": ["item.day", "2026-05-02"]}, {"after": ["item.day", "2026-05-01"]}]})],
            {("never-applies", "x")},
        ),
        (
            [BASE, rule("x", "deny", {"all": [{"before": ["item.day", "2026-03-02"]}, {"after": ["item.day", "2026-02-28"]}]})],
            set(),
        ),
        ([BASE, rule("x", "deny", RED, valid_from="2026-05-02", valid_to="2026-05-01")], {("never-applies", "x")}),
        (
            [BASE, rule("x", "deny", {"before": ["context.today", "2026-01-01"]}, valid_from="2026-01-01")],
            {("never-applies", "x")},
        ),
        ([BASE, rule("x", "deny", {"not": BOTH}), rule("y", "deny", True)], {("always-applies", "y"), ("shadowed", "x"), ("dead-permit", "base")}),
        ([BASE, rule("x", "deny", {"any": [{"exists": "item.n"}, {"not": {"exists": "item.n"}}]}, valid_to="2026-05-01")], {("always-applies", "x")}),
        ([BASE, rule("x", "permit", True)], {("always-applies", "x"), ("shadowed", "base")}),
        ([BASE, rule("x", "deny", FLAG), rule("y", "deny", {"all": [FLAG, GREEN]})], {("shadowed", "y")}),
        ([BASE, rule("x", "deny", FLAG, valid_to="2026-05-01"), rule("y", "deny", {"all": [FLAG, GREEN]})], set()),
        ([BASE, rule("x", "permit", BOTH)], {("shadowed", "x")}),
        ([BASE, rule("x", "permit", BOTH, obligations={"days": 3})], set()),
        ([BASE, rule("x", "deny", {"ne": ["item.colour", "blue"]})], {("dead-permit", "base")}),
        ([BASE, rule("x", "require", {"eq": ["item.colour", "blue"]})], {("moot-obligation", "x")}),
        ([BASE, rule("x", "require", True)], set()),
        ([BASE, rule("x", "require", {"any": [FLAG, {"not": FLAG}]})], {("always-applies", "x")}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_and_nothing_else(
    rules: list[dict[str, Any]], expected: set[tuple[str, str]]
) -> None:
    assert said(*rules) == expected


def need(name: str, when: Any, **obligations: Any) -> dict[str, Any]:
    return rule(name, "require", when, obligations=obligations)


@pytest.mark.parametrize(
    ("strict", "mild"),
    [
        ({"handling": "high"}, {"handling": "mid"}),
        ({"days": 3}, {"days": 4}),
        ({"approval": {"a": 2, "b": 1}}, {"approval": {"a": 1}}),
        ({"consultation": ["source", "other"]}, {"consultation": ["other"]}),
        ({"purposes": ["p"]}, {"purposes": ["p", "q"]}),
    ],
)
def test_a_milder_obligation_is_shadowed_and_a_stricter_one_is_not(strict: Any, mild: Any) -> None:
    assert said(BASE, need("x", FLAG, **strict), need("y", BOTH, **mild)) == {("shadowed", "y")}
    assert said(BASE, need("x", FLAG, **mild), need("y", BOTH, **strict)) == set()
    assert said(BASE, need("x", BOTH, **strict), need("y", FLAG, **mild)) == set()


def test_of_two_obligations_the_one_that_adds_nothing_is_named() -> None:
    policy = make([BASE, need("x", FLAG, days=3), need("y", BOTH, days=4, handling="mid")])
    (one,) = found(policy)
    assert (one.kind, one.rule) == ("moot-obligation", "y")
    assert "its obligation days adds nothing" in one.words
    assert one.place == "rules/r.yaml:4"


def test_several_rules_together_shadow_one() -> None:
    rules = [need("x", FLAG, days=3), need("y", {"not": FLAG}, days=2), need("z", RED, days=3)]
    assert said(BASE, *rules) == {("shadowed", "z")}


# What its author means so


def explanation(**more: str) -> dict[str, bytes]:
    one = {"finding": "shadowed", "rule": "y", "why": "until the statute is in force", **more}
    return {"analysis.yaml": f"explained: {flow([one])}\n".encode()}


def test_a_finding_can_be_explained() -> None:
    all_found = found(make([BASE, rule("x", "deny", FLAG), rule("y", "deny", BOTH)]))
    assert [f.why for f in explained(all_found, {})] == [None]
    (one,) = explained(all_found, explanation())
    assert one.why == "until the statute is in force"
    assert one.to_json()["explained"] == one.why


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"rule": "x"}, "shadowed is not found of rule x: take the explanation out"),
        ({"finding": "shadow"}, "unknown finding 'shadow'; did you mean 'shadowed'"),
        ({"because": "x"}, "unknown key 'because'"),
    ],
)
def test_an_explanation_of_nothing_is_refused(more: dict[str, str], message: str) -> None:
    all_found = found(make([BASE, rule("x", "deny", FLAG), rule("y", "deny", BOTH)]))
    with pytest.raises(MalformedError) as refused:
        explained(all_found, explanation(**more))
    assert message in str(refused.value)


# The shipped set


def test_every_finding_of_the_shipped_set_is_explained() -> None:
    assert [f.words for f in explained(found(POLICY), FILES) if f.why is None] == []


def test_the_shipped_set_is_analysed_and_its_invariants_proved_within_two_seconds() -> None:
    invariants = load_invariants(FILES, POLICY)
    extras.library("z3")
    begun = time.process_time()
    model, solver = prepare(POLICY, invariants)
    list(findings(model, solver))
    list(prove(model, solver, invariants))
    assert time.process_time() - begun < 2


def test_a_missing_library_is_named_with_the_extra_that_has_it() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "z3", None)
        with pytest.raises(UnavailableError, match="z3-solver is not installed.*extra `author`"):
            prepare(POLICY, ())
