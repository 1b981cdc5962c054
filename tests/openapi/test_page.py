"""The page about the API is drawn from the document."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.web.openapi.words import TAGS
from tests.openapi.tools import DOCUMENT, follow, operations
from tests.vectors import ROOT

PAGE = ROOT / "docs" / "api.md"
REGENERATE = "the API changed: run `.venv/bin/python -m tests.openapi.test_page`"
HEAD = """\
# The API

Drawn from the OpenAPI 3.1 document that every gateway serves at `GET /v1/openapi.json`; do not edit it by
hand. The bytes that are signed are described in [messages](formats/messages.md).
"""
PREFIX = "#/components/schemas/"


def render() -> str:
    """Return the whole page."""
    info = DOCUMENT["info"]["description"].strip()
    scheme = DOCUMENT["components"]["securitySchemes"]["requestToken"]["description"].strip()
    parts = [HEAD, info, "## The request token", scheme, "## Errors", _errors()]
    for tag, text in TAGS.items():
        parts += [f"## {tag.value}", text]
        for method, path, one in operations():
            if one["tags"] == [tag.value] and (method != "head" or "get" not in _at(path)):
                parts += _operation(method, path, one)
    parts += ["## Structures", *_structures()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _at(path: str) -> Mapping[str, Any]:
    return dict(DOCUMENT["paths"][path])


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    spelt = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in (head, *rows)]
    rule = " | ".join("---" for _ in head)
    return "\n".join(f"| {line} |" for line in (spelt[0], rule, *spelt[1:]))


def _errors() -> str:
    rows = (
        (status, said["description"])
        for status, said in sorted(
            (status, follow(answer))
            for _, _, one in operations()
            for status, answer in one["responses"].items()
            if int(status) >= 400
        )
    )
    return _table(("status", "what it says"), iter(dict.fromkeys(rows)))


def _operation(method: str, path: str, one: dict[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield f"{one['summary']}. *{one['operationId']}*"
    yield one["description"]
    if one["parameters"]:
        rows = (
            (f"`{p['name']}`", p["in"], _kind(p["schema"]), _need(p), p["description"])
            for p in one["parameters"]
        )
        yield _table(("parameter", "in", "form", "", "meaning"), rows)
    if "requestBody" in one:
        ((media, body),) = one["requestBody"]["content"].items()
        yield f"Body, `{media}`: {_body(body['schema'])}."
    answers = one["responses"].items()
    good = ((status, *_answer(follow(said))) for status, said in answers if status < "400")
    yield _table(("answer", "", "content", "headers"), good)
    errors = [status for status in one["responses"] if status >= "400"]
    yield f"Errors: {', '.join(errors)}."


def _need(parameter: dict[str, Any]) -> str:
    return "required" if parameter["required"] else ""


def _answer(said: dict[str, Any]) -> tuple[str, str, str]:
    headers = ", ".join(f"`{name}`" for name in said["headers"] if name != "Cache-Control")
    content = "; ".join(
        f"`{media}` {_kind(how['schema'])}" if "schema" in how else f"`{media}`"
        for media, how in said.get("content", {}).items()
    )
    return said["description"], content, headers


def _body(schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return _kind(schema) if "description" not in schema else "bytes"
    act = schema["properties"]["act"]
    kinds = " or ".join(_kind(one) for one in act.get("oneOf", [act]))
    return f'`{{"act": …, "sig2": null}}` with {kinds}'


def _kind(schema: dict[str, Any]) -> str:
    """Say a schema in few words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(PREFIX)
        return f"[{name}](#{name.lower()})"
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(_kind(one) for one in schema[word])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema['items'])}{_bounds(schema, 'Items', 'items')}"
    if kind == "object" and schema.get("additionalProperties"):
        return f"object of {_kind(schema['additionalProperties'])}"
    if kind == "string":
        return _text(schema)
    if isinstance(kind, list):
        return " or ".join(kind)
    return str(kind) + (
        f" {schema['minimum']} to {schema['maximum']}" if "maximum" in schema else ""
    )


def _text(schema: dict[str, Any]) -> str:
    pattern = str(schema.get("pattern", ""))
    if prefix := re.match(r"\^(\(?[a-z|]+\)?)_\[a-z2-7\]", pattern):
        return " or ".join(f"`{one}_…`" for one in prefix[1].strip("()").split("|"))
    if "description" in schema:
        return str(schema["description"]).rstrip(".").lower()
    if pattern == "^[0-9a-f]{64}$":
        return "digest"
    if "format" in schema:
        return {"date": "day", "date-time": "time"}[schema["format"]]
    return f"`{pattern}`" if pattern else f"text{_bounds(schema, 'Length', 'characters')}"


def _bounds(schema: dict[str, Any], what: str, of: str) -> str:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if low is None and high is None:
        return ""
    return f", {low or 0} to {high} {of}" if high is not None else f", at least {low} {of}"


def _structures() -> Iterator[str]:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        yield f"### {name}"
        if "description" in schema:
            yield str(schema["description"])
        if "properties" in schema:
            required = schema.get("required", [])
            yield _table(
                ("member", "form", ""),
                (
                    (f"`{member}`", _kind(said), "" if member in required else "optional")
                    for member, said in schema["properties"].items()
                ),
            )
        else:
            yield f"One of {_kind(schema)}."


def test_the_page_is_drawn_from_the_document() -> None:
    """Every operation and structure stands on it, as the document has it today."""
    assert PAGE.read_text(encoding="utf-8") == render(), REGENERATE


def test_every_operation_and_error_stands_on_the_page() -> None:
    text = render()
    for method, path, one in operations():
        if method != "head" or "get" not in _at(path):
            _, _, rest = text.partition(f"### {method.upper()} {path}\n")
            section = rest.partition("\n### ")[0]
            assert one["x-callers"] in section
            errors = [status for status in one["responses"] if status >= "400"]
            assert f"Errors: {', '.join(errors)}." in section


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
