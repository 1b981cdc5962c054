"""The document as a client gets it, and answers held against it."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from gateway.web.openapi.document import described, document

DOCUMENT = document(described())
METHODS = ("get", "head", "post", "patch", "put", "delete", "options", "trace")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path template and operation."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def follow(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference refers to."""
    while "$ref" in said:
        found: Any = DOCUMENT
        for part in said["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        said = found
    return said


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what of *value* does not conform to a schema of the document."""
    found = _validator(json.dumps(schema)).iter_errors(value)
    return [f"/{'/'.join(map(str, e.instance_path))}: {e.message}"[:300] for e in found]


@lru_cache
def _validator(schema: str) -> Draft202012Validator:
    """Compile a schema; what it refers to is beside it, as in the document."""
    return Draft202012Validator({**json.loads(schema), "components": DOCUMENT["components"]})


def path_of(target: str) -> str | None:
    """Return the path template of a raw target; what is spelt out goes before what is named."""
    parts = target.partition("?")[0].split("/")
    fitting = [
        path
        for path in DOCUMENT["paths"]
        if len(path.split("/")) == len(parts)
        and all(p[:1] == "{" or p == q for p, q in zip(path.split("/"), parts, strict=True))
    ]
    return min(fitting, key=lambda path: path.count("{"), default=None)


def nonconforming(
    method: str, target: str, status: int, headers: Mapping[str, str], body: bytes
) -> list[str]:
    """Return how an answer differs from what the document says of it."""
    path = path_of(target)
    if path is None or method.lower() not in DOCUMENT["paths"][path]:
        return [f"{method} {target}: not in the document"]
    answers = DOCUMENT["paths"][path][method.lower()]["responses"]
    if str(status) not in answers:
        return [f"{method} {path}: {status} is not in the document"]
    said = follow(answers[str(status)])
    where = f"{method} {path} {status}: "
    found = [*_headers(said, headers), *_content(said, headers, body, bodiless=method == "HEAD")]
    return [where + fault for fault in found]


def _headers(said: dict[str, Any], headers: Mapping[str, str]) -> Iterator[str]:
    for name, reference in said.get("headers", {}).items():
        header, text = follow(reference), headers.get(name)
        if text is None:
            if header["required"]:
                yield f"no {name}"
            continue
        value = int(text) if header["schema"].get("type") == "integer" else text
        yield from (f"{name}: {fault}" for fault in faults(header["schema"], value))


def _content(
    said: dict[str, Any], headers: Mapping[str, str], body: bytes, *, bodiless: bool
) -> Iterator[str]:
    if bodiless or "content" not in said:
        if body:
            yield "a body where there is none"
        return
    media = headers.get("Content-Type", "").partition(";")[0]
    if media not in said["content"]:
        yield f"content type {media}"
        return
    schema = said["content"][media].get("schema")
    if schema is not None:
        value = json.loads(body) if media.endswith("json") else body.decode()
        yield from faults(schema, value)
