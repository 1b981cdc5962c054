"""The schema of conditions: each operator with the attributes and literals that it takes."""

from collections.abc import Iterable, Mapping

from gateway.kernel.encoding import Json
from gateway.policy.conditions import OPERATORS
from gateway.policy.decide import PolicySet
from gateway.policy.vocabulary import Attribute, Type

DATE: dict[str, Json] = {
    "type": "string",
    "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
}


def ref(name: str) -> dict[str, Json]:
    """Return a reference to a definition of the same schema."""
    return {"$ref": f"#/$defs/{name}"}


def constants(words: Mapping[str, str]) -> list[Json]:
    """Return words with what each means, as editors show it."""
    return [{"const": word, "description": about} for word, about in words.items()]


def literal(attribute: Attribute) -> dict[str, Json]:
    """Return the schema of an attribute's literals."""
    words: list[Json] = [*sorted(attribute.values)]
    match attribute.type:
        case Type.BOOL:
            return {"type": "boolean"}
        case Type.INT:
            return {"type": "integer", "minimum": attribute.low, "maximum": attribute.high}
        case Type.ENUM:
            return {"enum": words}
        case Type.SET:
            return {"type": "array", "items": {"enum": words}}
        case Type.DATE:
            return DATE
        case _:  # what begins with $ is another attribute
            return {"type": "string", "pattern": "^([^$]|$)"}


def conditions(policy: PolicySet) -> dict[str, Json]:
    """Return the definitions that `condition` needs."""
    attributes = policy.vocabulary.attributes
    parts: Json = {"type": "array", "items": ref("condition"), "minItems": 1}
    known: Json = {"oneOf": constants({path: a.label for path, a in attributes.items()})}
    operators: dict[str, Json] = {
        "all": {"description": "every one of these", **_object(parts)},
        "any": {"description": "at least one of these", **_object(parts)},
        "not": {"description": "the opposite; unknown stays unknown", **ref("condition")},
        "exists": {"description": "the fact is recorded at all", **_object(known)},
    }
    operands = {op: _operands(op, attributes.values()) for op in OPERATORS}
    for op, said in operands.items():
        operators[op] = {"description": OPERATORS[op].words, **said}
    tree: Json = {
        "type": "object",
        "properties": operators,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    others = {f"of_{t.value}": _others(t, attributes.values()) for t in Type}
    always: Json = {"const": True, "description": "always"}
    return {"condition": {"anyOf": [always, tree]}, **others}


def _object(schema: Json) -> dict[str, Json]:
    assert isinstance(schema, dict), "a schema with keywords"
    return schema


def _others(type_: Type, attributes: Iterable[Attribute]) -> Json:
    """Return the attributes of a type as the other side of a comparison, each with its `$`."""
    words = {f"${a.path}": a.label for a in attributes if a.type is type_}
    return {"oneOf": constants(words)} if words else False


def _operands(op: str, attributes: Iterable[Attribute]) -> dict[str, Json]:
    """Return the two operands: an attribute the operator applies to, and what it compares it with."""
    pairs: list[Json] = []
    for attribute in attributes:
        rights = sorted(b.value for a, b in OPERATORS[op].sides if a is attribute.type)
        if rights:
            left: Json = {"const": attribute.path, "description": attribute.label}
            right: Json = {"anyOf": [_literal(op, attribute), *(ref(f"of_{b}") for b in rights)]}
            pairs.append(_pair(left, right))
    return {"anyOf": pairs or [False]}


def _pair(left: Json, right: Json) -> Json:
    return {
        "type": "array",
        "prefixItems": [left, right],
        "minItems": 2,
        "maxItems": 2,
        "items": False,
    }


def _literal(op: str, attribute: Attribute) -> Json:
    words: Json = {"enum": [*sorted(attribute.values)]}
    if op == "in":
        return {"type": "array", "items": words}
    return words if op == "contains" else literal(attribute)
