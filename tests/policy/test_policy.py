"""The shipped set, the published fail-open cases, and the laws of the evaluator."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.errors import MalformedError
from gateway.policy import (
    ENGINE,
    Fact,
    Facts,
    Outcome,
    PolicySet,
    apply,
    check_codes,
    explain,
    explain_to_recipient,
    join,
    load,
    load_register,
    recipient_facts,
    render_text,
    run,
)
from tests.vectors import ROOT, vectors

FILES = {
    str(p.relative_to(ROOT / "policies")): p.read_bytes()
    for p in sorted((ROOT / "policies").rglob("*.yaml"))
}
POLICY = load(FILES)
VOCABULARY = b"""
attributes:
  item.t: {type: bool, label: t}
  item.f: {type: bool, label: f}
  item.u: {type: bool, label: u}
  item.sgbv: {type: bool, label: s}
  item.orcon: {type: bool, label: o}
  item.tags: {type: set, values: [minor], label: t}
  item.n: {type: int, min: 0, max: 9, label: n}
  item.embargo_until: {type: date, label: e}
  item.consent.recipients: {type: set, values: [XA, XB], label: r}
  recipient.id: {type: enum, values: [XA, XB], label: id}
  recipient.death_penalty: {type: enum, values: [retained], label: d}
  recipient.fair_trial: {type: enum, values: [ok, excluded], label: f}
  context.case: {type: text, label: c}
  context.today: {type: date, label: today}
"""
OBLIGATIONS = b"""
obligations:
  redact: {join: union, phase: with, values: [x, y], label: r}
  approval: {join: roles, phase: before, values: [a, b], label: a}
  purposes: {join: intersection, phase: after, values: [p, q], label: p}
  expiry: {join: min, phase: after, label: e}
  tlp: {join: order, phase: with, values: [low, high], label: t}
"""


def small(*rules: dict[str, object]) -> PolicySet:
    """Load rules, given as data, over a small vocabulary."""
    full = [{"id": f"r{i}", "title": "t", "basis": "b", **rule} for i, rule in enumerate(rules)]
    text = json.dumps({"rules": full}).encode()
    files = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": OBLIGATIONS, "rules/r.yaml": text}
    return load(files)


def explained(policy: PolicySet, facts: Facts) -> str:
    return render_text(explain(apply(policy, [facts], "2026-05-01")))


def told(policy: PolicySet, facts: Facts) -> object:
    return explain_to_recipient(apply(policy, [facts], "2026-05-01"))


def test_every_case_that_lives_beside_the_rules_passes() -> None:
    results = list(run(POLICY, FILES))
    assert len(results) >= 179
    assert len({r.id for r in results}) == len(results), "an id stands for one case"
    assert [(r.id, r.differences) for r in results if r.differences] == []


def test_a_wrong_expectation_is_reported_with_its_difference() -> None:
    text = FILES["tests/cases.yaml"].replace(
        b"cases:",
        b"cases:\n- {id: w, expect: {outcome: deny, rules: [embargo], obligations: {handling: RED}}}",
    )
    wrong = next(r for r in run(POLICY, {"tests/cases.yaml": text}) if r.id == "w")
    assert len(wrong.differences) == 3
    with pytest.raises(MalformedError):
        spoilt = FILES["tests/cases.yaml"].replace(
            b"context.today: 2026-05-01", b"context.today: null"
        )
        list(run(POLICY, {"tests/cases.yaml": spoilt}))


def test_a_file_of_cases_has_a_base_of_its_own_or_that_of_the_shared_file() -> None:
    theme = b"cases: [{id: a, expect: {outcome: permit}}]"
    files = {"tests/cases.yaml": FILES["tests/cases.yaml"], "tests/zz.yaml": theme}
    assert [r.id for r in run(POLICY, files) if r.place.startswith("tests/zz.yaml")] == ["a"]
    own = theme + b"\nbase: {context.today: 2026-05-01}"
    (result,) = run(POLICY, {"tests/zz.yaml": own})
    assert result.differences == ("outcome is deny, expected permit",)
    with pytest.raises(MalformedError, match=r"tests/cases\.yaml is missing"):
        list(run(POLICY, {"tests/zz.yaml": theme}))


def test_known_ways_to_fail_open_fail_closed() -> None:
    text = (vectors("policy") / "fail_open_cases.yaml").read_text()
    cases = yaml.safe_load(text)["cases"]
    assert len(cases) == 15
    for case in cases:
        rule = json.loads(json.dumps(case["rule"], default=str))
        try:
            policy = small({"effect": "permit", "when": True}, rule)
            facts = {
                k: frozenset(v) if isinstance(v, list) else v
                for k, v in case["facts"].items()
                if v is not None
            }
            got = policy.decide(facts, "2026-05-01").outcome.value
        except MalformedError:
            got = "load_error"
        assert got == case["want"], case["id"]


def test_all_27_combinations_of_rule_values_combine_as_published() -> None:
    rows = json.loads((vectors("policy") / "combining.json").read_text())["rows"]
    leaf = {v: {"eq": [f"item.{v.lower()}", True]} for v in "TFU"}
    count = 0
    for deny, permits, requires, outcome, attached in rows:
        for permit in "TFU" if permits == "*" else permits:
            for require in "TFU" if requires == "*" else requires:
                policy = small(
                    {"effect": "deny", "when": leaf[deny]},
                    {"effect": "permit", "when": leaf[permit]},
                    {"effect": "require", "when": leaf[require], "obligations": {"redact": ["x"]}},
                )
                decision = policy.decide({"item.t": True, "item.f": False}, "2026-05-01")
                assert (decision.outcome.value, bool(decision.terms)) == (outcome, attached)
                count += 1
    assert count == 27


FACTS: dict[str, Fact] = {
    "item.t": True,
    "item.f": False,
    "item.n": 5,
    "item.tags": frozenset({"minor"}),
    "item.embargo_until": "2026-06-01",
    "item.consent.recipients": frozenset({"XA"}),
    "recipient.id": "XA",
    "context.case": "case-7",
}


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ({"eq": ["item.n", 5]}, True),
        ({"ne": ["item.n", 5]}, False),
        ({"eq": ["item.tags", ["minor"]]}, True),
        ({"eq": ["context.case", "case-8"]}, False),
        ({"in": ["recipient.id", ["XA", "XB"]]}, True),
        ({"in": ["recipient.id", "$item.consent.recipients"]}, True),
        ({"contains": ["item.tags", "minor"]}, True),
        ({"contains": ["item.consent.recipients", "$recipient.id"]}, True),
        ({"subset": ["item.tags", ["minor"]]}, True),
        ({"subset": ["item.tags", []]}, False),
        ({"intersects": ["item.tags", ["minor"]]}, True),
        ({"intersects": ["item.tags", []]}, False),
        ({"before": ["item.embargo_until", "2026-06-02"]}, True),
        ({"after": ["item.embargo_until", "$context.today"]}, True),
        ({"lt": ["item.n", 5]}, False),
        ({"le": ["item.n", 5]}, True),
        ({"gt": ["item.n", 4]}, True),
        ({"ge": ["item.n", 6]}, False),
        ({"exists": "item.u"}, False),
        ({"exists": "item.t"}, True),
        ({"eq": ["item.u", True]}, None),
        ({"not": {"eq": ["item.u", True]}}, None),
        ({"eq": ["item.t", "$item.u"]}, None),
        ({"any": [{"eq": ["item.u", True]}, {"eq": ["item.t", True]}]}, True),
        ({"any": [{"eq": ["item.u", True]}, {"eq": ["item.f", True]}]}, None),
        ({"any": [{"eq": ["item.f", True]}, {"eq": ["item.f", True]}]}, False),
        ({"all": [{"eq": ["item.u", True]}, {"eq": ["item.f", True]}]}, False),
        ({"all": [{"eq": ["item.u", True]}, {"eq": ["item.t", True]}]}, None),
        ({"all": [{"eq": ["item.t", True]}, {"not": {"eq": ["item.f", True]}}]}, True),
    ],
)
def test_every_operator_has_its_three_valued_meaning(
    condition: dict[str, object], value: bool | None
) -> None:
    policy = small({"effect": "permit", "when": True}, {"effect": "deny", "when": condition})
    decision = policy.decide(FACTS, "2026-05-01")
    denies = [f.truth for f in decision.fired if f.rule == "r1"]
    assert denies == ([] if value is False else [value])
    text = explained(policy, FACTS)
    assert decision.outcome.value.upper() in text


@pytest.mark.parametrize(
    ("name", "old", "new", "place", "says"),
    [
        (
            "rules/20-consent.yaml",
            "effect: deny",
            "effect: Deny",
            "rules/20-consent.yaml:3",
            "deny",
        ),
        ("rules/20-consent.yaml", "item.consent.status", "item.consent.statos", ":7", "status"),
        ("rules/20-consent.yaml", "refused]", "refuse]", ":7", "refused"),
        ("rules/20-consent.yaml", "eq:", "equals:", ":7", "unknown operator"),
        ("rules/20-consent.yaml", "basis:", "bassis:", ":6", "unknown key"),
        ("rules/20-consent.yaml", "id: consent.refused", "id: embargo", "", "stands already"),
        ("rules/20-consent.yaml", "id: consent.refused", "id: Consent!", ":2", "lower-case"),
        ("rules/20-consent.yaml", "rules:", "rules: &a", ":1", "anchors"),
        ("rules/20-consent.yaml", "rules:", "rules: !!set", ":1", "anchors"),
        ("rules/20-consent.yaml", "rules:", "rules: {", "", ""),
        ("rules/20-consent.yaml", "reason: consent", "reason: consnt", ":4", "consent"),
        (
            "rules/20-consent.yaml",
            "  effect: deny",
            "  effect: deny\n  effect: deny",
            ":4",
            "twice",
        ),
        ("rules/20-consent.yaml", "[source]}", "[sourse]}", ":28", "source"),
        ("rules/20-consent.yaml", "[source]}", "{source: 1}}", ":28", "expected a list"),
        ("rules/20-consent.yaml", "consultation:", "consultatoin:", "", "consultation"),
        ("rules/30-rights.yaml", "head_of_mechanism: 1", "head_of_mecanism: 1", "", "head_of_mech"),
        (
            "rules/30-rights.yaml",
            "head_of_mechanism: 1",
            "head_of_mechanism: 0",
            "",
            "at least one",
        ),
        (
            "rules/30-rights.yaml",
            "{legal_adviser: 1, head_of_mechanism: 1}",
            "{}",
            "",
            "least one role",
        ),
        ("rules/30-rights.yaml", "approval:", "aproval:", "", "approval"),
        ("rules/20-consent.yaml", "effect: require", "effect: deny", "", "no obligations"),
        (
            "rules/20-consent.yaml",
            "  when: {eq: [item.consent.status, consult_first]}",
            "  when: {eq: [item.consent.status]}",
            "",
            "takes",
        ),
        (
            "rules/20-consent.yaml",
            "  when: {eq: [item.consent.status, consult_first]}",
            "  when: {lt: [item.consent.status, refused]}",
            "",
            "does not apply",
        ),
        (
            "rules/20-consent.yaml",
            "$item.consent.purposes",
            "$item.has_embargo",
            "",
            "cannot compare",
        ),
        (
            "rules/20-consent.yaml",
            "  when: {eq: [item.consent.status, consult_first]}",
            "  when: false",
            "",
            "exactly one operator",
        ),
        (
            "rules/20-consent.yaml",
            "  when: {eq: [item.consent.status, consult_first]}",
            "  when: {any: []}",
            "",
            "at least one",
        ),
        (
            "rules/20-consent.yaml",
            "  when: {eq: [item.consent.status, consult_first]}",
            "  when: {any: 1}",
            "",
            "expected a list",
        ),
        (
            "rules/20-consent.yaml",
            "  title: The source refused sharing",
            "  title: 5",
            "",
            "expected text",
        ),
        (
            "rules/20-consent.yaml",
            "  title: The source refused sharing",
            "  valid_from: soon",
            "",
            "title",
        ),
        (
            "rules/20-consent.yaml",
            "  title: The source refused sharing",
            "  title: a\n  valid_from: soon",
            "",
            "date",
        ),
        ("rules/20-consent.yaml", "rules:", "? [a]\n: 1\nrules:", "", "key is text"),
        (
            "rules/20-consent.yaml",
            "  title: The source refused sharing",
            "  title: " + "[" * 40 + "]" * 40,
            "",
            "nested",
        ),
        ("rules/40-protection.yaml", "item.sgbv, true", "item.sgbv, 1", "", "bool"),
        ("vocabulary.yaml", "type: bool", "type: boolean", "", "bool"),
        ("vocabulary.yaml", "item.product", "thing.product", "", "a path is"),
        (
            "vocabulary.yaml",
            "{type: bool, label: the source asks",
            "{type: bool, values: [a], label: the source asks",
            "",
            "enums and sets",
        ),
        (
            "vocabulary.yaml",
            "context.today: {type: date",
            "context.today: {type: text",
            "",
            "must be a date",
        ),
        (
            "vocabulary.yaml",
            "{type: date, optional: true, label: the end of the embargo}",
            "{type: int, min: a, max: 3, label: l}",
            "",
            "integer",
        ),
        ("vocabulary.yaml", "derived: true", "derived: yes", "", "true or false"),
        ("obligations.yaml", "join: roles", "join: rols", "", "roles"),
        ("obligations.yaml", "phase: before", "phase: befor", "", "before"),
        ("obligations.yaml", "{join: min,", "{join: min, values: [a],", "", "min has none"),
        (
            "rules/10-release.yaml",
            "purposes: [criminal], handling: AMBER}\n- id: competence",
            "expiry_days: -1}\n- id: competence",
            "",
            "number",
        ),
        ("rules/10-release.yaml", "rules:", "- a", "", "mapping"),
    ],
)
def test_a_mistake_fails_the_whole_set_and_says_where(
    name: str, old: str, new: str, place: str, says: str
) -> None:
    text = FILES[name].decode()
    assert old in text
    with pytest.raises(MalformedError) as caught:
        load({**FILES, name: text.replace(old, new, 1).encode()})
    assert name in str(caught.value)
    assert place in caught.value.field
    assert says in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff", b"x" * ((1 << 20) + 1)])
def test_unreadable_files_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        load({**FILES, "rules/99.yaml": data})
    with pytest.raises(MalformedError):
        load({"vocabulary.yaml": VOCABULARY})


def test_a_country_named_no_stays_a_country() -> None:
    text = OBLIGATIONS.replace(b"[x, y]", b"[NO, on]")
    rule = b"rules: [{id: r, effect: require, title: t, basis: b, when: true, obligations: {redact: [NO]}}]"
    policy = load({"vocabulary.yaml": VOCABULARY, "obligations.yaml": text, "rules/r.yaml": rule})
    assert policy.rules[0].terms == {"redact": ("NO",)}


def test_how_rules_are_split_and_ordered_makes_no_difference() -> None:
    names = [n for n in FILES if n.startswith("rules/")]
    merged = b"rules:\n" + b"".join(FILES[n].split(b"rules:\n", 1)[1] for n in reversed(names))
    other = {k: v for k, v in FILES.items() if k not in names} | {"rules/all.yaml": merged}
    policy = load(other)
    assert policy.digest == POLICY.digest
    facts: dict[str, Fact] = {"recipient.competent": True, "context.mode": "requested"}
    assert policy.decide(facts, "2026-05-01") == POLICY.decide(facts, "2026-05-01")


@st.composite
def facts_of_set(draw: st.DrawFn) -> dict[str, Fact]:
    """Draw any facts over the shipped vocabulary, each of them absent at times."""
    found: dict[str, Fact] = {}
    for path, attribute in POLICY.vocabulary.attributes.items():
        if path.startswith("context.today") or draw(st.integers(0, 3)) == 0:
            continue
        match attribute.type.value:
            case "bool":
                found[path] = draw(st.booleans())
            case "enum":
                found[path] = draw(st.sampled_from(sorted(attribute.values)))
            case "set":
                found[path] = draw(st.frozensets(st.sampled_from(sorted(attribute.values))))
            case "date":
                found[path] = draw(st.sampled_from(["2026-04-30", "2026-05-01", "2026-05-02"]))
            case _:
                found[path] = "case-7"
    return found


RANK = {Outcome.PERMIT: 0, Outcome.HOLD: 1, Outcome.DENY: 2}


@given(facts=facts_of_set(), data=st.data())
def test_learning_a_fact_never_opens_unless_it_resolves_an_unknown(
    facts: dict[str, Fact], data: st.DataObject
) -> None:
    before = POLICY.decide(facts, "2026-05-01")
    if not facts:
        return
    path = data.draw(st.sampled_from(sorted(facts)))
    less = {k: v for k, v in facts.items() if k != path}
    poorer = POLICY.decide(less, "2026-05-01")
    assert RANK[poorer.outcome] >= RANK[before.outcome]


@settings(max_examples=25)
@given(facts=facts_of_set())
def test_adding_a_deny_or_a_requirement_never_loosens(facts: dict[str, Fact]) -> None:
    base = POLICY.decide(facts, "2026-05-01")
    for extra in (
        "effect: deny, when: {eq: [item.sgbv, true]}",
        "effect: require, when: {eq: [item.sgbv, true]}, obligations: {approval: {legal_adviser: 2}}",
    ):
        rule = f"rules: [{{id: extra, title: t, basis: b, {extra}}}]".encode()
        more = load({**FILES, "rules/extra.yaml": rule}).decide(facts, "2026-05-01")
        assert RANK[more.outcome] >= RANK[base.outcome]


terms = st.fixed_dictionaries(
    {},
    optional={
        "redact": st.sets(st.sampled_from("xy")).map(sorted),
        "purposes": st.sets(st.sampled_from("pq")).map(sorted),
        "approval": st.dictionaries(st.sampled_from("ab"), st.integers(1, 3), min_size=1),
        "expiry": st.integers(0, 9),
        "tlp": st.sampled_from(["low", "high"]),
    },
)


@given(many=st.lists(terms.filter(bool), min_size=1, max_size=4), data=st.data())
def test_obligations_merge_in_any_order_and_repetition(
    many: list[dict[str, object]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*many, *many]))
    sets = [
        small(
            {"effect": "permit", "when": True},
            *({"effect": "require", "when": True, "obligations": t} for t in rules),
        )
        for rules in (many, shuffled)
    ]
    one, two = (s.decide({}, "2026-05-01") for s in sets)
    assert (one.outcome, one.terms) == (two.outcome, two.terms)
    empty = one.terms.get("purposes") == ()
    assert one.outcome is (
        Outcome.DENY if empty else Outcome.HOLD if "approval" in one.terms else Outcome.PERMIT
    )


def test_a_rule_counts_only_within_its_term() -> None:
    policy = small(
        {"effect": "permit", "when": True},
        {"effect": "deny", "when": True, "valid_from": "2026-02-01", "valid_to": "2026-02-28"},
    )
    outcomes = [
        policy.decide({}, day).outcome.value
        for day in ("2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")
    ]
    assert outcomes == ["permit", "deny", "deny", "permit"]
    assert policy.decide({}, "2026-01-31").good_until == "2026-02-01"
    assert policy.decide({}, "2026-03-01").good_until is None


def test_the_facts_digest_leaves_the_clock_out_and_basis_survives_unrelated_rules() -> None:
    facts: dict[str, Fact] = {"item.t": True}
    one = small({"effect": "permit", "when": {"eq": ["item.t", True]}})
    other = small(
        {"effect": "permit", "when": {"eq": ["item.t", True]}},
        {"effect": "deny", "when": {"eq": ["item.t", False]}},
    )
    a, b = one.decide(facts, "2026-05-01"), other.decide(facts, "2026-06-01")
    assert a.facts_digest == b.facts_digest
    assert a.basis_digest == b.basis_digest
    assert a.policy_digest != b.policy_digest
    changed = one.decide({**facts, "item.f": True}, "2026-05-01")
    assert (changed.basis_digest == a.basis_digest) and changed.facts_digest != a.facts_digest
    embargo = small(
        {
            "effect": "permit",
            "when": {
                "not": {
                    "all": [
                        {"before": ["item.embargo_until", "$context.today"]},
                        {"any": [{"after": ["context.today", "2026-07-01"]}, {"exists": "item.t"}]},
                    ]
                }
            },
        }
    )
    assert (
        embargo.decide({"item.embargo_until": "2026-05-20"}, "2026-05-01").good_until
        == "2026-05-20"
    )


def test_a_share_is_its_worst_item_with_every_obligation() -> None:
    policy = small(
        {"effect": "permit", "when": True, "obligations": {"tlp": "low", "purposes": ["p", "q"]}},
        {"effect": "deny", "when": {"eq": ["item.sgbv", True]}},
        {
            "effect": "require",
            "when": {"eq": ["item.orcon", True]},
            "obligations": {"tlp": "high", "purposes": ["p"]},
        },
        {"effect": "require", "when": {"eq": ["item.t", True]}, "obligations": {"purposes": ["q"]}},
    )
    no = {"item.sgbv": False, "item.orcon": False, "item.t": False}
    plain = policy.decide(no, "2026-05-01")
    strict = policy.decide({**no, "item.orcon": True}, "2026-05-01")
    narrow = policy.decide({**no, "item.t": True}, "2026-05-01")
    denied = policy.decide({**no, "item.sgbv": True}, "2026-05-01")
    both = join(policy, [plain, strict])
    assert (both.outcome, both.terms) == (Outcome.PERMIT, {"tlp": "high", "purposes": ("p",)})
    worst = join(policy, [strict, denied])
    assert (worst.outcome, dict(worst.terms)) == (Outcome.DENY, {})
    assert [f.rule for f in worst.fired] == ["r1"]
    assert join(policy, [strict, narrow]).outcome is Outcome.DENY, "no common purpose is left"
    with pytest.raises(ValueError, match="items"):
        join(policy, [])


def _permitted() -> dict[str, Fact]:
    return {
        "item.product": "evidence",
        "item.crimes": frozenset({"war_crimes"}),
        "item.consent.status": "granted",
        "item.consent.purposes": frozenset({"criminal"}),
        "item.consent.scope": "any",
        "item.consent.excluded": frozenset(),
        "item.consent.limits": frozenset(),
        "item.consent.no_death_penalty": False,
        "item.witness_protected": False,
        "item.sgbv": False,
        "item.identifies": frozenset(),
        "item.personal_data": "ordinary",
        "item.originator_control": "none",
        "item.lead_only": False,
        "item.tlp": "AMBER",
        "item.police_codes": frozenset(),
        "item.has_embargo": False,
        "recipient.jurisdiction": "XA",
        "recipient.competent": True,
        "recipient.crimes": frozenset({"war_crimes"}),
        "recipient.death_penalty": "abolished",
        "recipient.fair_trial": "ok",
        "recipient.in_absentia": "none",
        "recipient.torture_risk": "low",
        "recipient.assurances": frozenset({"specialty"}),
        "recipient.data_protection": "adequate",
        "recipient.arrangements": frozenset({"mutual_assistance"}),
        "context.items_given": 1,
        "context.mode": "requested",
        "context.purpose": "criminal",
        "context.rfa.of_recipient": True,
        "context.rfa.admitted": True,
    }


def test_a_recipient_learns_a_category_and_never_a_rule() -> None:
    facts = {**_permitted(), "recipient.death_penalty": "retained"}
    assert told(POLICY, facts) == {"outcome": "not available", "reasons": ["rights"]}
    assert "embargo" not in json.dumps(told(POLICY, {}))
    assert told(POLICY, _permitted()) == {"outcome": "permit", "reasons": []}
    silent = small({"effect": "permit", "when": {"eq": ["item.t", True]}})
    assert told(silent, {}) == {"outcome": "not available", "reasons": ["other"]}


def test_the_internal_explanation_names_rule_basis_and_facts() -> None:
    facts = {**_permitted(), "recipient.death_penalty": "retained", "item.sgbv": True}
    del facts["recipient.assurances"]
    text = explained(POLICY, facts)
    for part in (
        "rights.death_penalty",
        "para. 14",
        "[met]",
        "[cannot be established]",
        "retained",
    ):
        assert part in text
    facts = {**_permitted(), "item.sgbv": True, "item.consent.recipients": frozenset()}
    text = explained(POLICY, facts)
    assert "obligation (before release): approval" in text
    silent = small({"effect": "permit", "when": {"exists": "item.t"}})
    assert "no rule permits" in explained(silent, {})


def test_facts_of_a_deposit_are_checked_against_the_vocabulary() -> None:
    vocabulary = POLICY.vocabulary
    raw = {"item.sgbv": True, "item.consent.purposes": ["criminal"], "item.has_embargo": None}
    assert vocabulary.facts(raw, "item") == {  # type: ignore[arg-type]
        "item.sgbv": True,
        "item.consent.purposes": frozenset({"criminal"}),
    }
    for bad, says in (
        ({"item.sgvb": True}, "item.sgbv"),
        ({"recipient.competent": True}, "unknown fact"),
        ({"item.sgbv": 1}, "bool"),
        ({"item.consent.status": "refuse"}, "refused"),
        ({"item.consent.purposes": [1]}, "set"),
        ({"item.embargo_until": "soon"}, "date"),
        ({"item.product": {}}, "enum"),
        ({"item.consent.purposes": ["criminal", "criminal"]}, "set"),
    ):
        with pytest.raises(MalformedError, match=says):
            vocabulary.facts(bad, "item")  # type: ignore[arg-type]


def test_what_the_gateway_finds_out_is_stated_by_nobody() -> None:
    found = {"item.suite": "pq"}
    assert POLICY.vocabulary.facts(found, "item") == found
    with pytest.raises(MalformedError, match="found out by the gateway"):
        POLICY.vocabulary.facts(found, "item", stated=True)


def test_an_assurance_counts_for_its_case_and_until_it_lapses() -> None:
    register = load_register(FILES, POLICY.vocabulary)
    check_codes(register, POLICY.vocabulary)
    assert len(register) == 17

    def assured(case: str, today: str) -> bool:
        facts, _ = recipient_facts(register, "XG", "xg-prosecutor", case, today)
        found = facts.get("recipient.assurances")
        return isinstance(found, frozenset) and "death_penalty" in found

    assert assured("case-7", "2026-05-01")
    assert not assured("case-8", "2026-05-01")
    assert not assured("case-7", "2035-07-01")
    assert not assured("case-7", "2025-12-31")
    facts, until = recipient_facts(register, "XG", "xg-prosecutor", "case-7", "2026-05-01")
    assert until == "2035-06-30"
    assert facts["recipient.jurisdiction"] == "XG"
    assert "recipient.competent" not in recipient_facts(register, "XG", "a", "c", "2040-01-01")[0]
    police, _ = recipient_facts(register, "XH", "xh-police", "case-7", "2026-05-01")
    court, _ = recipient_facts(register, "XH", "xh-prosecutor", "case-7", "2026-05-01")
    assert (police["recipient.competent"], court["recipient.competent"]) == (False, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("jurisdiction: XA", "jurisdiction: XB"),
        ("recipient.competent, value: true", "item.sgbv, value: true"),
        ("valid_to: 2035-12-31", "valid_to: never"),
        ("value: true", "value: perhaps"),
    ],
)
def test_a_mistaken_register_is_refused(old: str, new: str) -> None:
    text = FILES["jurisdictions/xa.yaml"].decode().replace(old, new, 1)
    files = {**FILES, "jurisdictions/xa.yaml": text.encode()}
    with pytest.raises(MalformedError):
        load_register(files, POLICY.vocabulary)
    unknown = {"jurisdictions/zz.yaml": b"jurisdiction: ZZ\nname: Z\nfacts: []\n"}
    with pytest.raises(MalformedError):
        check_codes(load_register(unknown, POLICY.vocabulary), POLICY.vocabulary)


def test_a_decision_is_recorded_with_what_it_takes_to_compute_it_again() -> None:
    recorded = POLICY.decide(_permitted(), "2026-05-01").to_json()
    assert recorded["policy"] == POLICY.digest
    assert recorded["engine"] == ENGINE
