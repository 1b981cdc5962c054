"""Ids have one spelling, are unguessable and say of which kind they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.errors import MalformedError
from gateway.kernel.ids import PREFIXES, check_id, id_bytes, id_from_bytes, new_id

ID = id_from_bytes("shr", bytes(16))
KINDS = st.sampled_from(sorted(PREFIXES))


@given(KINDS, st.binary(min_size=16, max_size=16))
def test_an_id_reads_back_as_the_bytes_it_spells(prefix: str, raw: bytes) -> None:
    text = id_from_bytes(prefix, raw)
    assert id_bytes(text, prefix) == raw
    assert check_id(text, "nil", prefix) == text
    assert len(text) == 30
    assert text == text.lower()


@given(KINDS)
def test_new_ids_differ_and_are_valid(prefix: str) -> None:
    one, two = new_id(prefix), new_id(prefix)
    assert one != two
    assert check_id(one, prefix) == one


@given(KINDS, st.text(max_size=34))
def test_any_text_is_refused_unless_it_is_the_spelling(prefix: str, tail: str) -> None:
    text = f"{prefix}_{tail}"
    try:
        raw = id_bytes(text, prefix)
    except MalformedError:
        return
    assert id_from_bytes(prefix, raw) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shr",
        "shr_",
        ID.upper(),
        ID + "a",
        ID[:-1],
        ID[:-1] + "b",  # dangling bits
        ID + "======",
        ID + "\n",
        "shr_" + "0" * 26,
        "shr_" + "é" * 26,
        "pkg" + ID[3:],
        "shr-" + ID[4:],
    ],
)
def test_what_is_no_id_of_the_kind_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="not an id of kind shr"):
        id_bytes(text, "shr")
    with pytest.raises(MalformedError):
        check_id(text, "shr")


def test_a_refusal_names_the_field_and_the_kinds() -> None:
    with pytest.raises(MalformedError, match="starting with psn or svc") as caught:
        check_id(ID, "psn", "svc", field="/by")
    assert caught.value.field == "/by"
    with pytest.raises(MalformedError, match="not an id of kind shr") as caught:
        check_id("shr_!", "shr", field="/share")
    assert caught.value.field == "/share"


@pytest.mark.parametrize(("prefix", "raw"), [("xyz", bytes(16)), ("shr", bytes(15))])
def test_only_known_kinds_and_16_bytes_are_spelt(prefix: str, raw: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        id_from_bytes(prefix, raw)
