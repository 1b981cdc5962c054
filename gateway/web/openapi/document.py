"""The document itself: a pure function of the routes, the operations that describe them, and the schemas."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gateway.exchange.acts import MAX_ITEMS
from gateway.web.openapi import authority, keys, officers, policy, reading, team
from gateway.web.openapi.errors import HEADERS, errors_of, responses
from gateway.web.openapi.examples import BODIES, example_id, order
from gateway.web.openapi.operation import TUS_PART, Caller, Operation, Parameter, Success, Tag
from gateway.web.openapi.schemas import PREFIX, SIGNED, components, ref
from gateway.web.openapi.shapes import DIGEST, Schema, identifier, whole
from gateway.web.openapi.words import ABOUT, SCHEME, TAGS

OPERATIONS: Sequence[Operation] = (
    *team.DEPOSIT,
    *team.SHARES,
    *authority.PULL,
    *officers.RFAS,
    *officers.WITHHELD,
    *officers.FACTS,
    *policy.POLICY,
    *keys.KEYS,
    *officers.OVERVIEW,
    *reading.LEDGER,
    *reading.ABOUT,
)

_PATH: Mapping[str, tuple[str, str]] = {
    "upload": ("The upload.", "upl"),
    "share": ("The share.", "shr"),
    "rfa": ("The RFA.", "rfa"),
    "message": ("The message.", "msg"),
    "withheld": ("The record of what is kept back.", "wth"),
    "attestation": ("The attestation.", "att"),
    "item": ("The item.", "itm"),
    "package": ("The package.", "pkg"),
    "challenge": ("The challenge.", "chl"),
    "authority": ("The authority.", "pty"),
}
_N: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_ITEMS - 1}
_PLAIN: Mapping[str, dict[str, Any]] = {
    "n": {"description": "The item's number in the manifest.", "schema": _N, "example": 0},
    "number": {"description": "The set's number.", "schema": whole(1, 10**9 - 1), "example": 1},
    "key": {"description": "The key's fingerprint.", "schema": DIGEST, "example": "1" * 64},
    "digest": {"description": "Its digest.", "schema": DIGEST, "example": "1" * 64},
}
_NAME = re.compile(r"\{(\w+)\}")
Route = tuple[str, str]
"""Method and path template."""


def described() -> dict[Route, Operation]:
    """Every operation by its route. What answers GET answers HEAD, with a token made for HEAD."""
    found = {(one.method, one.path): one for one in OPERATIONS}
    for one in OPERATIONS:
        if one.method == "GET":
            found["HEAD", one.path] = _head(one)
    return found


def _head(one: Operation) -> Operation:
    answer = replace(one.answers[0], text="What GET would answer, without its body.", media="")
    # No range of nothing is asked for too often: HEAD sends no byte.
    errors = tuple(status for status in one.errors if status != 429)
    name = "head" + one.id[0].upper() + one.id[1:]
    return replace(
        one,
        method="HEAD",
        id=name,
        summary=f"{one.summary}: headers alone",
        answers=(answer,),
        errors=errors,
    )


@lru_cache(maxsize=4)  # it says the same at every start of a process
def spelled(routes: tuple[Route, ...]) -> bytes:
    """Return the document of *routes* as JSON in UTF-8."""
    return json.dumps(document(routes), ensure_ascii=False).encode()


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of *routes*. One that nobody described is left out."""
    known = described()
    paths: dict[str, Any] = {}
    for method, path in routes:
        if (method, path) in known:
            paths.setdefault(path, {})[method.lower()] = _operation(known[method, path])
    return {
        "openapi": "3.1.1",
        "info": {"title": "Evidence gateway", "version": "1", "description": ABOUT},
        "security": [{"requestToken": []}],
        "tags": [{"name": tag.value, "description": TAGS[tag]} for tag in Tag],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components(),
            "responses": responses(),
            "headers": dict(HEADERS),
            "securitySchemes": {
                "requestToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "fx-req+jwt",
                    "description": SCHEME,
                }
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.tag.value],
        "summary": one.summary,
        "description": " ".join(part for part in (f"For {one.who}.", one.text) if part),
        "x-callers": one.who,
        "parameters": [_from_path(name) for name in _NAME.findall(one.path)]
        + [_parameter(said) for said in one.parameters],
        "responses": {
            **{str(answer.status): _success(answer) for answer in one.answers},
            **errors_of(one.statuses),
        },
    }
    if one.caller is Caller.ANYONE:
        made["security"] = []
    if one.acts or one.body:
        made["requestBody"] = {"required": True, "content": {one.media: _body(one)}}
    return made


def _from_path(name: str) -> dict[str, Any]:
    said: dict[str, Any] = {"name": name, "in": "path", "required": True}
    if name in _PLAIN:
        return {**said, **_PLAIN[name]}
    text, prefix = _PATH[name]
    schema, example = identifier(prefix), example_id(prefix)
    return {**said, "description": text, "schema": schema, "example": example}


def _parameter(said: Parameter) -> dict[str, Any]:
    return {
        "name": said.name,
        "in": said.where,
        "required": said.required,
        "description": said.text,
        "schema": dict(said.schema),
    }


def _body(one: Operation) -> dict[str, Any]:
    if one.media == TUS_PART:
        return {"schema": {"description": "Bytes."}}
    if not one.acts:
        return {"schema": ref(one.body), "examples": {one.body: {"value": BODIES[one.body]}}}
    names = [act.__name__ for act in one.acts]
    act: dict[str, Any] = ref(names[0])
    if len(names) > 1:
        act = {"oneOf": [ref(name) for name in names], "discriminator": _by_type(one.acts)}
    schema = {
        "type": "object",
        "properties": {"act": act, "sig2": {"type": ["string", "null"]}},
        "required": ["act", "sig2"],
        "additionalProperties": False,
    }
    examples = {kind.__name__: {"value": order(kind)} for kind in one.acts}
    return {"schema": schema, "examples": examples}


def _by_type(acts: Sequence[type]) -> dict[str, Any]:
    tags = {act.__struct_config__.tag: PREFIX + act.__name__ for act in acts}  # type: ignore[attr-defined]
    return {"propertyName": "type", "mapping": tags}


def _success(answer: Success) -> dict[str, Any]:
    names = ("Cache-Control", *answer.headers)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    made: dict[str, Any] = {"description": answer.text, "headers": headers}
    if answer.media:
        made["content"] = {answer.media: _content(answer)}
    return made


def _content(answer: Success) -> dict[str, Any]:
    if not answer.schema:
        # Binary: its media type says it all (OpenAPI 3.1.1, section 4.7.14.2.1).
        plain = {"text/plain": {"type": "string"}, "application/json": {"type": "object"}}
        return {"schema": plain[answer.media]} if answer.media in plain else {}
    made: dict[str, Any] = {"schema": ref(answer.schema)}
    if answer.schema in SIGNED:
        made["examples"] = {answer.schema: {"value": BODIES[answer.schema]}}
    return made
