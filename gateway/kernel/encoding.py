"""Bytes and text in exactly one spelling: strict base64, canonical JSON, hex digests."""

import base64
import binascii
import hashlib
import json
import re
from typing import Any, TypeAlias

from gateway.kernel.errors import MalformedError

Json: TypeAlias = bool | int | str | list["Json"] | dict[str, "Json"] | None

MAX_SAFE_INTEGER = 2**53 - 1  # RFC 7493, section 2.2: larger ones are not read alike everywhere
MAX_DEPTH = 64  # levels of JSON: how deep is too deep must not depend on who reads it
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def b64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def un_b64url(text: str, *, size: int | None = None) -> bytes:
    """Decode the one canonical base64url spelling, of *size* bytes if given.

    Raises MalformedError for padding, foreign characters, dangling bits or another length.
    """
    return _canonical(text, base64.urlsafe_b64decode, b64url, size)


def b64(data: bytes) -> str:
    """Encode as base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def un_b64(text: str, *, size: int | None = None) -> bytes:
    """Decode the one canonical padded base64 spelling. Raises MalformedError otherwise."""
    return _canonical(text, base64.b64decode, b64, size)


def _canonical(text: str, decode: Any, encode: Any, size: int | None) -> bytes:
    try:
        data: bytes = decode(
            text.encode("ascii") + (b"" if encode is b64 else b"=" * (-len(text) % 4))
        )
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise MalformedError("not base64") from None
    # Python's decoder skips foreign characters and dangling bits: a second spelling of the same
    # bytes must not be valid anywhere, so the round trip decides.
    if encode(data) != text:
        raise MalformedError("base64 is not canonical")
    if size is not None and len(data) != size:
        raise MalformedError(f"expected {size} bytes, got {len(data)}")
    return data


def canonical_json(value: Json) -> bytes:
    """Encode as RFC 8785 canonical JSON, restricted to integers up to 2**53 - 1 and ASCII keys.

    Within that restriction sorting by code point equals the RFC's sorting by UTF-16 unit, and no
    number has two spellings. Raises MalformedError for floats, large integers, other keys,
    lone surrogates, more than 64 levels and types outside JSON.
    """
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def _check(value: Json, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise MalformedError(f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():  # first, because most of what is checked is text, and most text ASCII
            if not value.isascii() and _SURROGATE.search(value):
                raise MalformedError("text is not valid Unicode")
        case None | bool():
            pass
        case int():
            if abs(value) > MAX_SAFE_INTEGER:
                raise MalformedError("integer beyond 2**53 - 1")
        case list():
            for item in value:
                _check(item, depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str) or not key.isascii():
                    raise MalformedError("keys must be ASCII text")
                _check(item, depth + 1)
        case _:
            raise MalformedError(f"{type(value).__name__} has no canonical form")


def parse_json(data: bytes) -> Json:
    """Decode JSON strictly: UTF-8, no duplicate keys, no floats, no NaN, at most 64 levels.

    Raises MalformedError. The result is accepted by `canonical_json`.
    """
    try:
        value: Json = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise MalformedError("not valid JSON") from None
    _check(value)
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("duplicate key in JSON object")
    return found


def _no_float(_: str) -> Json:
    raise MalformedError("number is not an integer")


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest, 32 bytes."""
    return hashlib.sha256(data).digest()


def hex_sha256(data: bytes) -> str:
    """Return the SHA-256 digest as 64 lower-case hex digits: how digests are written in JSON."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Json) -> str:
    """Return the hex SHA-256 of the canonical JSON of *value*."""
    return hex_sha256(canonical_json(value))


def is_hex_digest(text: str) -> bool:
    """Tell whether *text* is a SHA-256 digest as this project writes it."""
    return _HEX_DIGEST.fullmatch(text) is not None
