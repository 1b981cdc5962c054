"""Strict decoding of JSON into typed, frozen structures: unknown members and wrong types are refused."""

import re
from typing import TypeVar

import msgspec

from gateway.kernel.encoding import Json, parse_json
from gateway.kernel.errors import MalformedError

T = TypeVar("T")


def build(value: object, kind: type[T]) -> T:
    """Turn parsed JSON into *kind*. Raises MalformedError naming the place."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise MalformedError(message.lower(), field=_pointer(place.rstrip("`"))) from None


def _pointer(path: str) -> str:
    """Turn `.act.items[0]` into the JSON pointer `/act/items/0` (RFC 6901); an unnamed key into `*`."""
    dotted = re.sub(r"\[(\d+)\]", r".\1", path.replace("[...]", ".*"))
    return dotted.replace(".", "/") or "/"


def decode(data: bytes, kind: type[T]) -> T:
    """Parse *data* as strict JSON into *kind*. Raises MalformedError."""
    return build(parse_json(data), kind)


def plain(value: object) -> dict[str, Json]:
    """Return a structure as plain JSON, ready for `canonical_json`."""
    made = parse_json(msgspec.json.encode(value))
    if not isinstance(made, dict):
        raise MalformedError("not a structure")
    return made
