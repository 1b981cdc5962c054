"""Digests of parts: the same however the body comes, each of its own 64 MiB."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import PART, PartDigests, part_span, parts, parts_in

SMALL = 1000  # bytes of a part, so that a body of many is quickly made


def expected(data: bytes, size: int) -> tuple[str, ...]:
    return tuple(
        hashlib.sha256(data[at : at + size]).hexdigest() for at in range(0, max(1, len(data)), size)
    )


@settings(max_examples=50)
@given(st.binary(max_size=5 * SMALL), st.lists(st.integers(1, 2500), max_size=9))
def test_pieces_of_any_length_make_the_same_digests(data: bytes, cuts: list[int]) -> None:
    made, at = PartDigests(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", SMALL)
        for cut in cuts:
            made.update(data[at : at + cut])
            at += cut
        other = made.copy()
        made.update(memoryview(data)[at:])
        other.update(bytearray(data[at:]))
        assert made.digests() == other.digests() == expected(data, SMALL)


def test_a_part_has_sixty_four_mebibytes() -> None:
    block = bytes(1 << 20)
    made = PartDigests()
    for _ in range(64):
        made.update(block)
    whole = hashlib.sha256(bytes(64 << 20)).hexdigest()
    assert made.digests() == (whole,)
    made.update(b"x")
    assert made.digests() == (whole, hashlib.sha256(b"x").hexdigest())


def test_the_number_of_parts_follows_from_the_size() -> None:
    sizes = (0, 1, PART - 1, PART, PART + 1, 2 * PART, 100 * 10**9)
    assert [parts_in(size) for size in sizes] == [1, 1, 1, 1, 2, 2, 1491]
    assert [part_span(2 * PART + 5, k) for k in range(3)] == [
        (0, PART),
        (PART, 2 * PART),
        (2 * PART, 2 * PART + 5),
    ]
