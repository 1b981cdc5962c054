"""The schemas of the document: from the structures that are decoded, so that they cannot drift apart."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.exchange.acts import RIGHTS, AcceptHead
from gateway.exchange.directory import View
from gateway.exchange.key_acts import KeyProof
from gateway.exchange.manifest import Inner, Manifest
from gateway.exchange.messages import Message
from gateway.exchange.receipts import Receipt
from gateway.exchange.rfa_messages import RfaMessage
from gateway.exchange.terms import SignedTerms
from gateway.exchange.tokens import Claims
from gateway.web.openapi import (
    answers,
    explanation_answers,
    fact_answers,
    key_answers,
    overview_answers,
    policy_answers,
    rfa_answers,
    share_answers,
    withheld_answers,
)
from gateway.web.openapi.shapes import EXCEPTIONS, FACT, LISTS, NUMBERS, TEXTS, Schema

PREFIX = "#/components/schemas/"
_MODULES = (
    answers,
    share_answers,
    explanation_answers,
    rfa_answers,
    fact_answers,
    key_answers,
    overview_answers,
    policy_answers,
    withheld_answers,
)
_ANSWERS = [
    kind
    for module in _MODULES
    for kind in vars(module).values()
    if isinstance(kind, type) and kind.__module__ == module.__name__ and kind is not answers.Answer
]
_ACTS = [kind for kind in RIGHTS if kind is not AcceptHead]  # which no route takes
_NAMES = {
    "gateway.exchange.shares.State": "ShareState",
    "gateway.exchange.rfas.State": "RfaState",
    "Step": "RfaStep",
    "gateway.exchange.messages.About": "MessageAbout",
    "gateway.exchange.rfa_messages.About": "RfaMessageAbout",
    "Entry": "ViewEntry",
    "Status": "KeyStatus",
}
"""Names of two things, or of one that says too little by itself."""

SIGNED: Mapping[str, tuple[str, str]] = {
    "SignedManifest": ("Manifest", "The outer manifest, signed by the mechanism (`eg-manifest`)."),
    "SignedMessage": ("Message", "A message to an inbox, signed by the mechanism (`eg-message`)."),
    "SignedReceipt": ("Receipt", "A receipt, signed by who sends it (`eg-receipt`)."),
    "SignedAcceptance": (
        "SignedTerms",
        "An officer's acceptance of the terms of a share, signed by her (`eg-terms`).",
    ),
    "SignedKeyProof": (
        "KeyProof",
        "An answer to a challenge, signed by its owner (`eg-key-proof`).",
    ),
    "SignedRfaMessage": ("RfaMessage", "A message about an RFA, signed by its sender (`eg-rfa`)."),
}
"""Signed objects by name: what their payload is."""


def components() -> dict[str, Schema]:
    """Return every schema by name."""
    payloads = [Manifest, Inner, Message, Receipt, SignedTerms, RfaMessage, KeyProof, View, Claims]
    _, found = msgspec.json.schema_components(
        [*_ANSWERS, *_ACTS, *payloads], ref_template=PREFIX + "{name}"
    )
    # Text and back makes a copy of plain JSON, in which no two places share a schema.
    schemas: dict[str, Any] = json.loads(json.dumps(found))
    named = {_NAMES.get(name, name): schema for name, schema in schemas.items()}
    for name, schema in named.items():
        _refer(schema)
        _shape(name, schema)
    signed = {name: _signed(inner, text) for name, (inner, text) in SIGNED.items()}
    return dict(sorted({**named, **signed}.items()))


def ref(name: str) -> Schema:
    """Refer to a schema by name; to one of several, if the names are joined by a bar."""
    names = name.split("|")
    refs: list[Any] = [{"$ref": PREFIX + one} for one in names]
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def _refer(schema: Any) -> None:
    """Put the names of this document in the place of msgspec's, wherever a schema refers to another."""
    if isinstance(schema, list):
        for one in schema:
            _refer(one)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if isinstance(value, str) and value.startswith(PREFIX):
                name = value.removeprefix(PREFIX)
                schema[key] = PREFIX + _NAMES.get(name, name)
            else:
                _refer(value)


def _shape(name: str, schema: dict[str, Any]) -> None:
    """Say of every member what its name or structure says."""
    schema["title"] = name
    if "description" in schema:
        schema["description"] = " ".join(inspect.cleandoc(schema["description"]).split())
    for member, said in schema.get("properties", {}).items():
        exception = EXCEPTIONS.get(name, {}).get(member)
        schema["properties"][member] = _member(member, said, exception)
        schema["properties"][member] |= LISTS.get((name, member), {})


def _member(member: str, said: dict[str, Any], exception: Schema | None) -> dict[str, Any]:
    match said:
        case {"anyOf": [{"type": "string"}, {"type": "null"}]}:
            form = exception or TEXTS.get(member)
            return {**said, "anyOf": [form, {"type": "null"}]} if form else said
        case {"type": "array", "items": {"type": "string"}}:
            form = exception or TEXTS.get(member)
            return {**said, "items": form} if form else said
        case {"type": "object", "additionalProperties": {}} if member == "facts":
            return {**said, "additionalProperties": FACT}
        case {"type": "string"}:
            return {**said, **(exception or TEXTS.get(member, {}))}
        case {"type": "integer"}:
            return {**said, **(exception or NUMBERS.get(member, {}))}
    return {**said, **(exception or {})}


def _signed(payload: str, text: str) -> Schema:
    """Describe a signed object: JWS in general JSON serialization, as canonical JSON."""
    base64url: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
    signature: Schema = {
        "type": "object",
        "properties": {
            "protected": dict(base64url),
            "signature": {"type": "string", "pattern": "^[A-Za-z0-9_-]{86}$"},
            "sig2": {"type": ["string", "null"]},
        },
        "required": ["protected", "signature", "sig2"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": f"{text} JWS in general JSON serialization; its bytes are canonical JSON.",
        "properties": {
            "payload": {
                **base64url,
                "contentEncoding": "base64url",
                "contentMediaType": "application/json",
                "contentSchema": ref(payload),
            },
            "signatures": {"type": "array", "items": signature, "minItems": 1, "maxItems": 16},
        },
        "required": ["payload", "signatures"],
        "additionalProperties": False,
    }
