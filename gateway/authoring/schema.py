"""JSON Schemas of the policy files, so that editors complete and check while somebody types.

They are made from the set itself: attributes, literals, obligations and rules are listed with their
labels. The loader remains the judge; a schema knows neither duplicate keys nor what stands twice.
"""

from collections.abc import Mapping

from gateway.authoring.accepted import SUBJECTS, WARNINGS
from gateway.authoring.schema_conditions import DATE, conditions, constants, literal, ref
from gateway.kernel.encoding import Json
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Outcome
from gateway.policy.obligations import Join, Obligation, Phase
from gateway.policy.rules import Effect, Reason
from gateway.policy.vocabulary import Attribute, Type

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Json]


def schemas(policy: PolicySet) -> dict[str, Schema]:
    """Return a schema for each kind of file, by the name of its schema file."""
    found = {
        "vocabulary": _vocabulary(),
        "obligations": _obligations(),
        "rules": _rules(policy),
        "tests": _cases(policy),
        "jurisdictions": _jurisdiction(policy),
        "lint": _lint(policy),
        "survivors": _survivors(),
    }
    return {f"{kind}.schema.json": _headed(kind, body) for kind, body in found.items()}


_FILES = {"rules": "rules/*.yaml", "tests": "tests/*.yaml", "jurisdictions": "jurisdictions/*.yaml"}


def schema_of(name: str) -> str | None:
    """Return the schema file for a file of the policy folder; None if it has none."""
    kind = name.partition("/")[0] if "/" in name else name.removesuffix(".yaml")
    known = {"vocabulary", "obligations", "rules", "tests", "jurisdictions", "lint", "survivors"}
    return f"{kind}.schema.json" if kind in known else None


def modeline(name: str) -> str:
    """Return the first line that tells an editor which schema a policy file has."""
    up = "../" if "/" in name else ""
    return f"# yaml-language-server: $schema={up}schema/{schema_of(name)}"


def _headed(kind: str, body: Schema) -> Schema:
    name = _FILES.get(kind, f"{kind}.yaml")
    return {
        "$schema": DIALECT,
        "title": f"Disclosure policy: {name}",
        "$comment": (
            f"made by `gateway policy schema`; make it anew when the vocabulary changes. For {name}, with"
            f" this file in the folder schema/ beside them, write as the first line: {modeline(name)}"
        ),
        **body,
    }


def mapping(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Schema:
    """Return the schema of a mapping with just these keys."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": [*required],
        "additionalProperties": False,
    }


def _list(of: Json) -> Schema:
    return {"type": "array", "items": of}


def _text(about: str) -> Schema:
    return {"type": "string", "minLength": 1, "description": about}


def _named(words: Mapping[str, str], about: str) -> Schema:
    """Return the schema of one of some words, each with what it means."""
    return {"description": about, "oneOf": constants(words)}


_EFFECTS = {
    Effect.PERMIT.value: "opens when the condition is true, never when a fact is missing",
    Effect.DENY.value: "refuses when the condition is true or a fact is missing; overrides permits",
    Effect.REQUIRE.value: "adds its obligations when the condition is true or a fact is missing",
}


def _rules(policy: PolicySet) -> Schema:
    required: dict[str, Json] = {
        "id": {"type": "string", "pattern": r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$"},
        "effect": _named(_EFFECTS, "what the rule does"),
        "title": _text("the rule in one sentence, as it stands in explanations"),
        "basis": _text("the legal basis"),
        "when": {**ref("condition"), "description": "when the rule speaks"},
    }
    optional: dict[str, Json] = {
        "obligations": {**ref("obligations"), "description": "what must be so besides"},
        "reason": {
            "enum": [reason.value for reason in Reason],
            "description": "what the recipient may be told of a refusal",
        },
        "valid_from": {**DATE, "description": "the first day on which the rule applies"},
        "valid_to": {**DATE, "description": "the last day on which the rule applies"},
    }
    rule = mapping(required, optional)
    rule["allOf"] = [
        _when_effect("deny", {"not": {"required": ["obligations"]}}),
        _when_effect("require", {"required": ["obligations"]}),
    ]
    own = {"rule": rule, "obligations": _terms(policy.kinds)}
    return {**mapping({"rules": _list(ref("rule"))}), "$defs": {**own, **conditions(policy)}}


def _when_effect(effect: str, then: Json) -> Schema:
    said: Json = {"properties": {"effect": {"const": effect}}, "required": ["effect"]}
    return {"if": said, "then": then}


def _terms(kinds: Mapping[str, Obligation]) -> Schema:
    terms: dict[str, Json] = {name: _term(kind) for name, kind in kinds.items()}
    return {"type": "object", "properties": terms, "additionalProperties": False}


def _term(kind: Obligation) -> Schema:
    words: Json = {"enum": [*kind.values]}
    shape: Schema
    match kind.join:
        case Join.MIN:
            shape = {"type": "integer", "minimum": 0}
        case Join.ORDER:
            shape = {"enum": [*kind.values]}
        case Join.ROLES:
            count: Json = {"type": "integer", "minimum": 1}
            counts: Json = dict.fromkeys(kind.values, count)
            shape = {"type": "object", "properties": counts, "additionalProperties": False}
            shape["minProperties"] = 1
        case _:
            shape = _list(words)
    return {"description": f"{kind.label} ({kind.phase.value} release)", **shape}


def _cases(policy: PolicySet) -> Schema:
    expect = mapping(
        {"outcome": {"enum": [outcome.value for outcome in Outcome]}},
        {
            "rules": _list({"oneOf": constants({r.id: r.title for r in policy.rules}) or [False]}),
            "obligations": _terms(policy.kinds),
            "reasons": _list({"enum": [reason.value for reason in Reason]}),
        },
    )
    case = mapping({"id": _text("the name of the case"), "expect": expect}, {"set": ref("facts")})
    known: dict[str, Json] = {
        path: {"description": a.label, "anyOf": [literal(a), {"type": "null"}]}
        for path, a in policy.vocabulary.attributes.items()
    }
    facts: Json = {"type": "object", "properties": known, "additionalProperties": False}
    body = mapping({"cases": _list(ref("case"))}, {"base": ref("facts")})
    return {**body, "$defs": {"facts": facts, "case": case}}


def _jurisdiction(policy: PolicySet) -> Schema:
    own = [a for p, a in policy.vocabulary.attributes.items() if p.startswith("recipient.")]
    codes = policy.vocabulary.attributes.get("recipient.jurisdiction")
    code: Json = literal(codes) if codes is not None else {"type": "string"}
    facts: Json = {"anyOf": [_attested(attribute) for attribute in own] or [False]}
    required = {"jurisdiction": code, "name": _text("the state"), "facts": _list(facts)}
    return mapping(required)


def _attested(attribute: Attribute) -> Schema:
    fact: Json = {"const": attribute.path, "description": attribute.label}
    required = {
        "fact": fact,
        "value": literal(attribute),
        "evidence": _text("the document that the fact rests on"),
    }
    optional: dict[str, Json] = {
        "valid_from": {**DATE, "description": "the first day on which the fact counts"},
        "valid_to": {**DATE, "description": "the last day on which the fact counts"},
        "case": _text("the one case it is about"),
        "authority": _text("the short name of the one authority it is about"),
    }
    return mapping(required, optional)


def _vocabulary() -> Schema:
    kind: Json = {"enum": [kind.value for kind in Type]}
    flags: dict[str, Json] = {
        "optional": {"type": "boolean", "description": "its absence is usual"},
        "derived": {"type": "boolean", "description": "the gateway finds it out itself"},
        "protected": {"type": "boolean", "description": "it is about people's safety"},
        "obtain": _text("what the mechanism would do to bring it about"),
        "values": _list({"type": "string"}),
        "min": {"type": "integer"},
        "max": {"type": "integer"},
    }
    attribute = mapping({"type": kind, "label": _text("the fact in words")}, flags)
    bounded: list[Json] = ["min", "max"]
    attribute["allOf"] = [
        _exactly_for(["enum", "set"], ["values"]),
        _exactly_for(["int"], bounded),
    ]
    name = r"^(item|recipient|context)(\.[a-z][a-z0-9_]*)+$"
    attributes: Json = {
        "type": "object",
        "patternProperties": {name: attribute},
        "additionalProperties": False,
        "required": ["context.today"],
    }
    return mapping({"attributes": attributes})


def _exactly_for(types: list[Json], keys: list[Json]) -> Schema:
    """Return that these keys stand with these types of attribute and with no other."""
    absent: list[Json] = [{"not": {"required": [key]}} for key in keys]
    said: Json = {"properties": {"type": {"enum": types}}, "required": ["type"]}
    return {"if": said, "then": {"required": keys}, "else": {"allOf": absent}}


def _obligations() -> Schema:
    joins = {
        "union": "all that any rule names",
        "intersection": "only what every rule names; none left is a deny",
        "roles": "persons for each role, the larger number of each",
        "order": "words from mild to strict, the stricter",
        "min": "numbers, the smaller",
    }
    phases = {phase.value: f"met {phase.value} release" for phase in Phase}
    required = {
        "join": _named(joins, "how two of one kind become one"),
        "phase": _named(phases, "when it is met; `before` makes a hold"),
        "label": _text("the obligation in words"),
    }
    optional: dict[str, Json] = {
        "values": _list({"type": "string"}),
        "by_recipient": {"type": "boolean", "description": "the recipient's system must honour it"},
    }
    kind = mapping(required, optional)
    number: Json = {"properties": {"join": {"const": "min"}}, "required": ["join"]}
    kind |= {
        "if": number,
        "then": {"not": {"required": ["values"]}},
        "else": {"required": ["values"]},
    }
    kinds: Json = {"type": "object", "additionalProperties": kind}
    return mapping({"obligations": kinds})


def _lint(policy: PolicySet) -> Schema:
    subjects: dict[str, Json] = {
        "rule": {"oneOf": constants({r.id: r.title for r in policy.rules}) or [False]},
        "attribute": {
            "oneOf": constants({p: a.label for p, a in policy.vocabulary.attributes.items()})
        },
        "obligation": {
            "oneOf": constants({k: o.label for k, o in policy.kinds.items()}) or [False]
        },
    }
    required = {"lint": _named(WARNINGS, "the finding"), "why": _text("why it is right as it is")}
    accepted = mapping(required, subjects)
    accepted["oneOf"] = [{"required": [subject]} for subject in sorted(SUBJECTS)]
    return mapping({"accepted": _list(accepted)})


def _survivors() -> Schema:
    one = mapping({"mutant": _text("its name"), "why": _text("why no case can tell it")})
    return mapping({"survivors": _list(one)})
