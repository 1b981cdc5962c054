"""The schemas take every file that the gateway takes, and turn typing mistakes away."""

import json
from typing import Any

import jsonschema_rs
import pytest

from gateway.authoring.schema import DIALECT, modeline, schema_of, schemas
from gateway.kernel.errors import MalformedError
from gateway.policy import PolicySet, load, read, read_cases
from gateway.policy.conditions import OPERATORS
from tests.authoring.small import FILES, SMALL, changed
from tests.policy.test_policy import FILES as SHIPPED
from tests.policy.test_policy import POLICY


def validators(policy: PolicySet) -> dict[str, Any]:
    return {
        name: jsonschema_rs.Draft202012Validator(schema) for name, schema in schemas(policy).items()
    }


OWN, OTHERS = validators(SMALL), validators(POLICY)
LISTS = {
    "lint.yaml": b"accepted:\n- {lint: no-test, rule: secret, why: b}\n",
    "survivors.yaml": b"survivors:\n- {mutant: secret dropped, why: b}\n",
}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_file_fits_its_schema(name: str) -> None:
    schema = schema_of(name)
    if schema is not None:
        OTHERS[schema].validate(read(name, SHIPPED[name]).json())


@pytest.mark.parametrize("name", sorted(FILES | LISTS))
def test_every_kind_of_file_has_a_schema_that_takes_it(name: str) -> None:
    schema = schema_of(name)
    assert schema is not None
    OWN[schema].validate(read(name, (FILES | LISTS)[name]).json())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("rules/all.yaml", "basis: Statute, s. 1", "bassis: Statute, s. 1"),
        ("rules/all.yaml", "effect: deny", "effect: dney"),
        ("rules/all.yaml", "reason: time", "reason: tiem"),
        ("rules/all.yaml", "item.secret", "item.secrt"),
        ("rules/all.yaml", "paper, film", "papr, film"),
        ("rules/all.yaml", "[item.grade, 5]", "[item.grade, 7]"),
        ("rules/all.yaml", "[item.grade, 5]", "[item.grade, '5']"),
        ("rules/all.yaml", "ge:", "gee:"),
        ("rules/all.yaml", "ge:", "after:"),
        ("rules/all.yaml", "$context.today", "$context.todya"),
        ("rules/all.yaml", "$context.today", "$item.grade"),
        ("rules/all.yaml", "[recipient.promises, fair_trial]", "[recipient.promises, fair]"),
        ("rules/all.yaml", "valid_to: 2026-12-31", "valid_to: 31.12.2026"),
        ("rules/all.yaml", "lawyer: 2", "lawyr: 2"),
        ("rules/all.yaml", "lawyer: 2", "lawyer: 0"),
        ("rules/all.yaml", "handling: AMBER", "handling: AMBRE"),
        ("rules/all.yaml", "expiry_days: 30", "expiry_dys: 30"),
        ("rules/all.yaml", "effect: require", "effect: deny"),
        ("rules/all.yaml", "effect: permit", "effect: deny"),
        ("vocabulary.yaml", "type: int, min: 1", "type: int"),
        ("vocabulary.yaml", "type: bool", "type: boolean"),
        ("vocabulary.yaml", "type: bool", "type: bool, values: [a]"),
        ("vocabulary.yaml", "item.secret", "items.secret"),
        ("vocabulary.yaml", "protected: true", "protcted: true"),
        ("vocabulary.yaml", "context.today", "context.now"),
        ("obligations.yaml", "join: union", "join: onion"),
        ("obligations.yaml", "phase: before", "phase: befor"),
        ("obligations.yaml", "{join: min,", "{join: min, values: [a],"),
        ("obligations.yaml", ", values: [names, faces]", ""),
        ("tests/all.yaml", "item.grade: 5", "item.grade: 9"),
        ("tests/all.yaml", "outcome: hold", "outcome: held"),
        ("tests/all.yaml", "rules: [embargo]", "rules: [embrgo]"),
        ("tests/all.yaml", "reasons: [protection]", "reasons: [protecton]"),
        ("jurisdictions/xa.yaml", "valid_to", "valid_till"),
        ("jurisdictions/xa.yaml", "[fair_trial]", "[fair]"),
        ("jurisdictions/xa.yaml", "jurisdiction: XA", "jurisdiction: XX"),
        ("jurisdictions/xa.yaml", "recipient.promises", "recipient.promise"),
    ],
)
def test_what_the_gateway_would_refuse_is_refused_while_somebody_types(
    name: str, old: str, new: str
) -> None:
    files = changed(name, old, new)
    schema = schema_of(name)
    assert schema is not None
    assert not OWN[schema].is_valid(read(name, files[name]).json())
    if name.startswith("rules/") or "/" not in name:
        with pytest.raises(MalformedError):
            load(files)
    elif name.startswith("tests/") and "embrgo" not in new:
        with pytest.raises(MalformedError):
            read_cases(SMALL, files)


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_an_operator_takes_in_the_schema_what_it_takes_in_the_loader(op: str) -> None:
    attributes = [
        "item.secret",
        "item.grade",
        "item.kind",
        "item.marks",
        "item.until",
        "context.case",
    ]
    literals = [True, 3, "film", ["a"], ["film"], [], "a", "2026-05-01", "text", 9, "$item.kind"]
    literals += [f"${path}" for path in attributes] + ["$item.nothing", None]
    for left in attributes:
        for right in literals:
            rule = {"id": "a", "effect": "deny", "title": "t", "basis": "b"}
            rules = {"rules": [{**rule, "when": {op: [left, right]}}]}
            try:
                load({**FILES, "rules/all.yaml": json.dumps(rules).encode()})
                loads = True
            except MalformedError:
                loads = False
            assert OWN["rules.schema.json"].is_valid(rules) is loads, (left, right)


def test_a_schema_says_how_to_use_it_and_shows_labels() -> None:
    made = schemas(SMALL)
    assert all(one["$schema"] == DIALECT and "$comment" in one for one in made.values())
    assert "the embargo's end" in json.dumps(made["rules.schema.json"])
    assert "Secret items stay" in json.dumps(made["tests.schema.json"])
    assert modeline("rules/a.yaml") == "# yaml-language-server: $schema=../schema/rules.schema.json"
    assert modeline("lint.yaml") == "# yaml-language-server: $schema=schema/lint.schema.json"
    assert schema_of("sources/a.yaml") is None


def test_a_set_without_rules_or_kinds_has_schemas_too() -> None:
    bare = load({**FILES, "rules/all.yaml": b"rules: []", "obligations.yaml": b"obligations: {}"})
    for schema in schemas(bare).values():
        jsonschema_rs.Draft202012Validator(schema)
    assert not validators(bare)["lint.schema.json"].is_valid(
        {"accepted": [{"lint": "no-test", "rule": "a", "why": "b"}]}
    )
