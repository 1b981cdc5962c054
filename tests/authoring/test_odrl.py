"""ODRL that says what it can in ODRL's own words, and the rest in ours, leaving nothing out."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.kernel.encoding import canonical_json, parse_json
from gateway.policy import Effect, PolicySet
from gateway.policy.odrl import PROFILE, odrl_rules, odrl_terms
from tests.authoring.sets import every_operator, make, rule
from tests.policy.test_policy import POLICY

# From the ODRL 2.2 vocabulary (W3C Recommendation, 15 February 2018): what of it is used here.
ACTIONS = {"use", "distribute", "obtainConsent"}
OPERANDS = {"purpose", "elapsedTime", "count", "dateTime", "recipient", "product"}
OPERATORS = {"eq", "neq", "lt", "lteq", "gt", "gteq", "isAnyOf", "isNoneOf"}
RULES = {"permission", "prohibition", "obligation", "duty"}
PROPERTIES = {
    *RULES, "@context", "@type", "uid", "profile", "conflict", "assigner", "assignee", "target",
    "action", "constraint", "refinement", "leftOperand", "operator", "rightOperand", "and", "or",
    "consentingParty", "rdf:value", "dcterms:title", "dcterms:source",
}  # fmt: skip


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    if isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def check(policy: dict[str, Any]) -> None:
    """Check a policy's structure against the information model of ODRL 2.2."""
    assert parse_json(canonical_json(policy)) == policy
    assert policy["@type"] in {"Set", "Offer", "Agreement"}
    assert policy["@context"][0] == "http://www.w3.org/ns/odrl.jsonld"
    assert policy["profile"] == PROFILE
    assert policy["conflict"] == "prohibit"
    assert ":" in policy["uid"]
    for kind in RULES & set(policy):
        for one in policy[kind]:
            check_rule(one)
    body = {k: v for k, v in policy.items() if k != "@context"}
    for node in nodes(body):
        check_node(node)


def check_rule(one: dict[str, Any]) -> None:
    actions = one["action"] if isinstance(one["action"], list) else [one["action"]]
    for action in actions:
        name = action["rdf:value"]["@id"] if isinstance(action, dict) else action
        assert name in ACTIONS or name.startswith("eg:")
    for duty in one.get("duty", []):
        check_rule(duty)


def check_node(node: dict[str, Any]) -> None:
    own = {k for k in node if not k.startswith("eg:") and k not in ("@id", "@value", "@list")}
    assert own <= PROPERTIES
    if "leftOperand" in node:
        assert set(node) == {"leftOperand", "operator", "rightOperand"}
        assert node["leftOperand"] in OPERANDS or node["leftOperand"].startswith("eg:")
        assert node["operator"] in OPERATORS or node["operator"].startswith("eg:")
    if node.get("@type") == "LogicalConstraint":
        assert len({"and", "or"} & set(node)) == 1


@pytest.mark.parametrize(
    "policy",
    [POLICY, *(every_operator(effect.value) for effect in Effect)],
    ids=["shipped", *(effect.value for effect in Effect)],
)
def test_a_set_of_rules_becomes_an_odrl_set(policy: PolicySet) -> None:
    told: Any = odrl_rules(policy)
    check(told)
    said = {one["uid"] for kind in ("permission", "prohibition") for one in told[kind]}
    said |= {one["uid"].rpartition(":")[0] for one in told["obligation"]}
    assert said == {f"{PROFILE}:rule:{r.id}" for r in policy.rules}


def one_of(when: Any, effect: str = "deny", **more: Any) -> Any:
    told: Any = odrl_rules(make([rule("r", effect, when, **more)]))
    return told[{"deny": "prohibition", "permit": "permission", "require": "obligation"}[effect]][0]


def limit(left: str, operator: str, right: Any) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


DAY = {"@value": "2026-05-01", "@type": "xsd:date"}


@pytest.mark.parametrize(
    ("when", "constraints"),
    [
        (True, []),
        ({"not": True}, [limit("eg:always", "eq", False)]),
        ({"eq": ["item.colour", "red"]}, [limit("eg:item.colour", "eq", "red")]),
        ({"not": {"eq": ["item.n", 3]}}, [limit("eg:item.n", "neq", 3)]),
        ({"not": {"ne": ["item.n", 3]}}, [limit("eg:item.n", "eq", 3)]),
        ({"in": ["item.colour", ["red"]]}, [limit("eg:item.colour", "isAnyOf", ["red"])]),
        ({"not": {"in": ["item.colour", ["red"]]}}, [limit("eg:item.colour", "isNoneOf", ["red"])]),
        (
            {"in": ["item.shade", "$item.tags"]},
            [limit("eg:item.shade", "eg:oneOf", {"@id": "eg:item.tags"})],
        ),
        ({"not": {"lt": ["item.n", 3]}}, [limit("eg:item.n", "gteq", 3)]),
        ({"after": ["context.today", "2026-05-01"]}, [limit("dateTime", "gt", DAY)]),
        ({"not": {"exists": "item.n"}}, [limit("eg:item.n", "eg:notRecorded", True)]),
        (
            {"not": {"any": [{"ge": ["item.n", 3]}, {"contains": ["item.tags", "red"]}]}},
            [
                {
                    "@type": "LogicalConstraint",
                    "and": {
                        "@list": [
                            limit("eg:item.n", "lt", 3),
                            limit("eg:item.tags", "eg:excludes", "red"),
                        ]
                    },
                }
            ],
        ),
        (
            {"not": {"all": [{"subset": ["item.tags", ["red"]]}, {"exists": "item.n"}]}},
            [
                {
                    "@type": "LogicalConstraint",
                    "or": {
                        "@list": [
                            limit("eg:item.tags", "eg:notWithin", ["red"]),
                            limit("eg:item.n", "eg:notRecorded", True),
                        ]
                    },
                }
            ],
        ),
        (
            {"all": [{"gt": ["item.n", 3]}, {"all": [{"le": ["item.m", 3]}]}]},
            [limit("eg:item.n", "gt", 3), limit("eg:item.m", "lteq", 3)],
        ),
    ],
)
def test_conditions_become_constraints(when: Any, constraints: Any) -> None:
    assert one_of(when)["constraint"] == constraints


def test_what_odrl_cannot_say_of_a_rule_stands_in_the_profile() -> None:
    deny = one_of(True, valid_from="2026-05-01", valid_to="2026-05-01", reason="time")
    assert deny["constraint"] == [limit("dateTime", "gteq", DAY), limit("dateTime", "lteq", DAY)]
    assert (deny["eg:onUnknown"], deny["eg:reason"]) == ("eg:applies", "time")
    asked = {"approval": {"a": 2}, "purposes": ["p", "q"], "consultation": []}
    permit = one_of(True, "permit", obligations=asked)
    assert permit["eg:onUnknown"] == "eg:doesNotApply"
    approval, purposes, consultation = permit["duty"]
    (action,) = approval["action"]
    assert action["refinement"] == [limit("eg:approval", "eq", "a"), limit("count", "gteq", 2)]
    assert [duty["eg:phase"] for duty in permit["duty"]] == ["before", "after", "before"]
    assert purposes["action"][0]["refinement"] == [limit("eg:purposes", "isAnyOf", ["p", "q"])]
    assert consultation["action"] == "eg:consultation"
    assert one_of(True, "require")["uid"].endswith(":rule:r:1")


WHO = {"uid": "urn:example:share:1", "assigner": "urn:example:m", "assignee": "urn:example:xa"}


def terms(said: dict[str, Any], **more: Any) -> Any:
    told = odrl_terms(said, **WHO, targets=["urn:example:item:1"], **more)
    check(told)
    return told


def test_terms_become_an_agreement_that_leaves_nothing_out() -> None:
    said = {
        "approval": {"legal_adviser": 1},
        "expiry_days": 90,
        "handling": "AMBER",
        "max_items": 20,
        "onward": "with_consent",
        "purposes": ["criminal"],
        "redact": ["name", "address"],
        "strange": True,
    }
    told = terms(said)
    assert told["@type"] == "Agreement"
    assert told["target"] == ["urn:example:item:1"]
    use, onward = told["permission"]
    assert use["constraint"] == [
        limit("purpose", "isAnyOf", ["criminal"]),
        limit("elapsedTime", "lteq", {"@value": "P90D", "@type": "xsd:duration"}),
        limit("count", "lteq", 20),
    ]
    by = [(d["assignee"], d["action"][0]["refinement"][0]) for d in use["duty"]]
    assert by == [
        (WHO["assigner"], limit("eg:approval", "eq", "legal_adviser")),
        (WHO["assignee"], limit("eg:handling", "eq", "AMBER")),
        (WHO["assigner"], limit("eg:redact", "eq", "name")),
        (WHO["assigner"], limit("eg:redact", "eq", "address")),
        (WHO["assignee"], limit("eg:strange", "eq", True)),
    ]
    consent = {"action": "obtainConsent", "consentingParty": WHO["assigner"]}
    assert onward == {"action": "distribute", "duty": [consent]}
    assert told["prohibition"] == []


@pytest.mark.parametrize(
    ("word", "permitted", "prohibited"),
    [("allowed", 1, 0), ("prohibited", 0, 1), (None, 0, 0), ("to_allies", 0, 0)],
)
def test_passing_it_on_is_permitted_only_if_the_terms_say_so(
    word: str | None, permitted: int, prohibited: int
) -> None:
    told = terms({} if word is None else {"onward": word}, form="Offer")
    assert told["@type"] == "Offer"
    passing = [one for one in told["permission"] if one["action"] == "distribute"]
    assert (len(passing), len(told["prohibition"])) == (permitted, prohibited)
    duties = told["permission"][0]["duty"]
    assert bool(duties) is (word == "to_allies")  # a word that is not ours is not dropped


def test_the_terms_of_a_share_are_nothing_but_an_offer_or_an_agreement() -> None:
    with pytest.raises(ValueError, match="are an Agreement or an Offer"):
        odrl_terms({}, **WHO, targets=[], form="Set")
