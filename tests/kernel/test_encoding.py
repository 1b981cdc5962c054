"""Bytes and text have exactly one spelling, and every other one is refused."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.encoding import (
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    Json,
    b64,
    b64url,
    canonical_json,
    digest_of,
    hex_sha256,
    is_hex_digest,
    parse_json,
    sha256,
    un_b64,
    un_b64url,
)
from gateway.kernel.errors import MalformedError

KEYS = st.text(st.characters(codec="ascii"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    | st.text(max_size=12)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


def nested(levels: int) -> Json:
    value: Json = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@given(st.binary(max_size=80))
def test_base64_reads_back_what_it_wrote(data: bytes) -> None:
    assert un_b64url(b64url(data)) == un_b64(b64(data)) == data
    assert un_b64url(b64url(data), size=len(data)) == data
    assert "=" not in b64url(data)
    assert len(b64(data)) % 4 == 0


@given(st.text(max_size=12))
def test_any_text_is_the_one_spelling_of_its_bytes_or_refused(text: str) -> None:
    for decode, encode in ((un_b64url, b64url), (un_b64, b64)):
        try:
            data = decode(text)
        except MalformedError:
            continue
        assert encode(data) == text


@pytest.mark.parametrize(
    "text", ["YQ==", "YR", "Y", "YQ\n", " YQ", "Y Q", "YQ.", "é", "\ud800", "+/8", "A"]
)
def test_a_second_spelling_of_base64url_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="base64"):
        un_b64url(text)


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YR==", "YQ==\n", "Y!Q==", "-_8=", "é", "YQ==YQ=="])
def test_a_second_spelling_of_base64_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="base64"):
        un_b64(text)


def test_base64_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(MalformedError, match="expected 2 bytes, got 1"):
        un_b64url("YQ", size=2)
    with pytest.raises(MalformedError, match="expected 0 bytes, got 1"):
        un_b64("YQ==", size=0)


@given(VALUES)
def test_canonical_json_reads_back_and_is_its_own_canonical_form(value: Json) -> None:
    written = canonical_json(value)
    assert parse_json(written) == value
    assert canonical_json(parse_json(written)) == written


@given(st.dictionaries(KEYS, SCALARS, max_size=6), st.randoms())
def test_the_order_of_members_makes_no_difference(value: dict[str, Json], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(value)


@given(VALUES)
def test_white_space_and_escapes_are_read_as_the_same_value(value: Json) -> None:
    assert parse_json(json.dumps(value, indent=2).encode()) == value


def test_the_example_of_rfc_8785_is_written_as_published() -> None:
    text = '\u20ac$\u000f\nA\'B"\\\\"/'
    expected = '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical_json({"string": text, "literals": [None, True, False]}) == expected.encode()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (1.5, "float has no canonical form"),
        (b"a", "bytes has no canonical form"),
        ({"a": (1,)}, "tuple has no canonical form"),
        ([MAX_SAFE_INTEGER + 1], "integer beyond"),
        (-MAX_SAFE_INTEGER - 1, "integer beyond"),
        ({"é": 1}, "keys must be ASCII"),
        ({1: 1}, "keys must be ASCII"),
        (["\ud800"], "not valid Unicode"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        canonical_json(value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":1,"a":1}', "duplicate key"),
        (b'[{"a":{"b":1,"b":2}}]', "duplicate key"),
        (b"1.0", "not an integer"),
        (b"1e3", "not an integer"),
        (b"NaN", "not an integer"),
        (b"[-Infinity]", "not an integer"),
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"1 2", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"\xef\xbb\xbf1", "not valid JSON"),
        (b"9" * 5000, "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"9007199254740992", "integer beyond"),
        (b'"\\ud800"', "not valid Unicode"),
        (b'{"\\u00e9":1}', "keys must be ASCII"),
        (b"[" * 65 + b"1" + b"]" * 65, "nested deeper"),
    ],
)
def test_json_that_could_be_read_two_ways_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        parse_json(data)


def test_64_levels_are_read_and_written() -> None:
    value = nested(MAX_DEPTH)
    assert parse_json(canonical_json(value)) == value


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@given(st.binary(max_size=64))
def test_digests_are_sha256_in_one_spelling(data: bytes) -> None:
    assert sha256(data) == hashlib.sha256(data).digest()
    assert hex_sha256(data) == sha256(data).hex()
    assert is_hex_digest(hex_sha256(data))


def test_the_digest_of_a_value_is_that_of_its_canonical_form() -> None:
    assert digest_of({"b": 1, "a": [True]}) == hex_sha256(b'{"a":[true],"b":1}')


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_no_other_text_is_a_digest(text: str) -> None:
    assert not is_hex_digest(text)
