"""Nothing in the set is for show: every fact, operator and obligation changes what comes out somewhere."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from gateway.policy import (
    TODAY,
    Circumstances,
    Fact,
    Outcome,
    PolicySet,
    Value,
    join,
    load,
    missing,
    read,
    reasons_of,
    unmet,
)
from gateway.policy.conditions import OPERATORS, attributes
from gateway.policy.obligations import Phase
from gateway.policy.sources import SOURCE
from gateway.policy.vocabulary import Attribute, Type
from tests.policy.test_policy import FACTS, FILES, POLICY, small

NO_RULE_READS = {
    SOURCE: "the gateway puts the terms of this source in the place of what was stated"
}
"""Facts that change an outcome otherwise than through a rule; see test_sources.py."""


def _case_facts() -> Iterator[tuple[Mapping[str, Fact], str]]:
    """Yield the facts and the day of every case that lives beside the rules."""
    base = read("tests/cases.yaml", FILES["tests/cases.yaml"]).members()["base"].members()
    for name in sorted(n for n in FILES if n.startswith("tests/")):
        for case in read(name, FILES[name]).members()["cases"].sequence():
            parts = case.members()
            changed = parts["set"].members() if "set" in parts else {}
            facts = {
                path: POLICY.vocabulary.get(Value(path, value.place)).literal(value)
                for path, value in {**base, **changed}.items()
                if value.raw is not None
            }
            yield facts, str(facts.pop(TODAY))


CASES = list(_case_facts())


def _others(attribute: Attribute) -> list[Fact]:
    """Return values of an attribute: all of a small domain, some of a large one."""
    values = sorted(attribute.values)
    some: dict[Type, list[Fact]] = {
        Type.BOOL: [True, False],
        Type.ENUM: [*values],
        Type.SET: [frozenset(), frozenset(values), *(frozenset({value}) for value in values)],
        Type.INT: [attribute.low, attribute.high],
        Type.DATE: ["2000-01-01", "2099-12-31"],
        Type.TEXT: ["another"],
    }
    return some[attribute.type]


def _matters(attribute: Attribute) -> bool:
    """Tell whether in some case another value of this fact alone leads elsewhere."""
    for facts, today in CASES:
        if attribute.path not in {**facts, TODAY: today}:
            continue
        before = POLICY.judge(facts, today)
        for value in _others(attribute):
            if attribute.path == TODAY:
                after = POLICY.judge(facts, str(value))
            else:
                after = POLICY.judge({**facts, attribute.path: value}, today)
            if (after.outcome, after.terms) != (before.outcome, before.terms):
                return True
    return False


@pytest.mark.parametrize("path", sorted(POLICY.vocabulary.attributes))
def test_every_fact_is_read_by_a_rule_and_changes_what_comes_out(path: str) -> None:
    attribute = POLICY.vocabulary.attributes[path]
    readers = {r.id for r in POLICY.rules if attribute in set(attributes(r.when))}
    if path in NO_RULE_READS:
        assert not readers
    else:
        assert readers, f"no rule reads {path}"
        assert _matters(attribute), f"{path} alone changes no outcome and no obligation"


DECIDING: dict[str, tuple[list[object], dict[str, Fact], dict[str, Fact]]] = {
    "eq": (["item.n", 5], {"item.n": 5}, {"item.n": 6}),
    "ne": (["item.n", 5], {"item.n": 6}, {"item.n": 5}),
    "in": (["recipient.id", ["XA"]], {"recipient.id": "XA"}, {"recipient.id": "XB"}),
    "contains": (
        ["item.consent.recipients", "XA"],
        {"item.consent.recipients": frozenset({"XA", "XB"})},
        {"item.consent.recipients": frozenset({"XB"})},
    ),
    "subset": (
        ["item.consent.recipients", ["XA"]],
        {"item.consent.recipients": frozenset({"XA"})},
        {"item.consent.recipients": frozenset({"XA", "XB"})},
    ),
    "intersects": (
        ["item.consent.recipients", ["XA"]],
        {"item.consent.recipients": frozenset({"XA", "XB"})},
        {"item.consent.recipients": frozenset({"XB"})},
    ),
    "before": (
        ["item.embargo_until", "2026-06-02"],
        {"item.embargo_until": "2026-06-01"},
        {"item.embargo_until": "2026-06-02"},
    ),
    "after": (
        ["item.embargo_until", "2026-06-02"],
        {"item.embargo_until": "2026-06-03"},
        {"item.embargo_until": "2026-06-02"},
    ),
    "lt": (["item.n", 5], {"item.n": 4}, {"item.n": 5}),
    "le": (["item.n", 5], {"item.n": 5}, {"item.n": 6}),
    "gt": (["item.n", 5], {"item.n": 6}, {"item.n": 5}),
    "ge": (["item.n", 5], {"item.n": 5}, {"item.n": 4}),
}
"""For each operator its operands, facts for which it holds, and facts for which it does not."""


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_every_operator_changes_an_outcome(op: str) -> None:
    operands, met, not_met = DECIDING[op]
    permits = small({"effect": "permit", "when": {op: operands}})
    denies = small({"effect": "permit", "when": True}, {"effect": "deny", "when": {op: operands}})
    for facts, permitted in ((met, True), (not_met, False)):
        said = {**FACTS, **facts}
        assert (permits.judge(said, "2026-05-01").outcome is Outcome.PERMIT) is permitted
        assert (denies.judge(said, "2026-05-01").outcome is Outcome.DENY) is permitted


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"exists": "item.t"}, Outcome.PERMIT),
        ({"exists": "item.u"}, Outcome.DENY),
        ({"not": {"exists": "item.u"}}, Outcome.PERMIT),
        ({"all": [True, {"exists": "item.u"}]}, Outcome.DENY),
        ({"any": [True, {"exists": "item.u"}]}, Outcome.PERMIT),
    ],
)
def test_every_connective_changes_an_outcome(
    condition: dict[str, object], outcome: Outcome
) -> None:
    assert small({"effect": "permit", "when": condition}).judge(FACTS, "2026-05-01").outcome is (
        outcome
    )


ENOUGH = Circumstances(
    supports=frozenset(POLICY.kinds),
    removed=(frozenset({"location"}),),
    marked=("forensic",),
    foreign=(False,),
    given=1,
)
"""Circumstances that leave nothing unmet of the terms below."""

BITING: dict[str, tuple[object, Circumstances]] = {
    "redact": (["location"], replace(ENOUGH, removed=(frozenset(),))),
    "watermark": ("visible", replace(ENOUGH, marked=("none",))),
    "max_items": (1, replace(ENOUGH, given=2)),
}
"""Obligations that the gateway checks itself: a term, and circumstances that leave it unmet."""

HONOURED: dict[str, object] = {
    "handling": "RED",
    "onward": "prohibited",
    "purposes": ["criminal"],
    "expiry_days": 1,
    "terms": "signed",
}
"""Obligations that the recipient's system has to honour: without its word for it, nothing goes."""


def _requiring(kind: str, term: object, *, by_recipient: bool = False) -> PolicySet:
    """Return the shipped vocabulary with one rule, that permits and asks for *term*."""
    kinds = json.loads(json.dumps(read("o", FILES["obligations.yaml"]).json()))
    kinds["obligations"][kind]["by_recipient"] = by_recipient
    rule = {
        "id": "r", "effect": "permit", "title": "t", "basis": "b", "when": True,
        "obligations": {kind: term},
    }  # fmt: skip
    return load(
        {
            "vocabulary.yaml": FILES["vocabulary.yaml"],
            "obligations.yaml": json.dumps(kinds).encode(),
            "rules/r.yaml": json.dumps({"rules": [rule]}).encode(),
        }
    )


def _unmet(policy: PolicySet, circumstances: Circumstances) -> dict[str, tuple[str, ...]]:
    single = [policy.decide({}, "2026-05-01")]
    assert single[0].outcome is Outcome.PERMIT
    return unmet(policy, single, join(policy, single), circumstances)


def test_every_kind_of_obligation_is_asked_for_by_a_rule_and_belongs_to_somebody() -> None:
    assert {kind for rule in POLICY.rules for kind in rule.terms} == set(POLICY.kinds)
    before = {kind for kind, said in POLICY.kinds.items() if said.phase is Phase.BEFORE}
    assert before | set(BITING) | set(HONOURED) == set(POLICY.kinds)
    assert len(before) + len(BITING) + len(HONOURED) == len(POLICY.kinds)


@pytest.mark.parametrize(
    "kind", sorted(k for k, said in POLICY.kinds.items() if said.phase is Phase.BEFORE)
)
def test_what_is_due_before_release_holds_the_share(kind: str) -> None:
    word = POLICY.kinds[kind].values[0]
    term: object = {word: 1} if kind == "approval" else [word]
    decision = _requiring(kind, term).decide({}, "2026-05-01")
    assert decision.outcome is Outcome.HOLD
    assert missing(decision, [], "per_x") == {f"{kind}:{word}": 1}


@pytest.mark.parametrize("kind", sorted(BITING))
def test_what_the_gateway_checks_itself_is_unmet_until_it_is_so(kind: str) -> None:
    term, lacking = BITING[kind]
    policy = _requiring(kind, term)
    assert set(_unmet(policy, lacking)) == {kind}
    assert _unmet(policy, ENOUGH) == {}
    assert reasons_of(_unmet(policy, lacking)) in (("protection",), ("quantity",))


def test_nothing_is_unmet_of_what_is_denied_anyway() -> None:
    policy = small({"effect": "deny", "when": True})
    single = [policy.decide({}, "2026-05-01")]
    assert unmet(policy, single, join(policy, single), ENOUGH) == {}


@pytest.mark.parametrize("kind", sorted(HONOURED))
def test_what_the_recipient_has_to_honour_is_unmet_until_its_system_says_so(kind: str) -> None:
    policy = _requiring(kind, HONOURED[kind], by_recipient=True)
    nobody = replace(ENOUGH, supports=frozenset())
    assert _unmet(policy, nobody) == {"support": (kind,)}
    assert _unmet(policy, ENOUGH) == {}
