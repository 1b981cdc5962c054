"""Names in a directory lead to one party each."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from gateway.exchange.directory import Directory
from gateway.exchange.parties import Kind, Party
from gateway.kernel.errors import MalformedError
from gateway.kernel.ids import new_id

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def party(short: str) -> Party:
    return Party(new_id("pty"), short, "A party", Kind.AUTHORITY, (), "XA")


def test_two_parties_of_one_short_name_are_refused() -> None:
    with pytest.raises(MalformedError, match="stands twice"):
        Directory(1, NOW, NOW, "", (party("xa-court"), party("xa-court")))


def test_a_short_name_that_is_the_id_of_another_is_refused() -> None:
    one = party("xa-court")
    other = msgspec.structs.replace(party("xb-court"), short=one.id)
    with pytest.raises(MalformedError, match="stands twice"):
        Directory(1, NOW, NOW, "", (one, other))


def test_different_names_are_taken() -> None:
    made = Directory(1, NOW, NOW, "", (party("xa-court"), party("xb-court")))
    assert made.party("xb-court").short == "xb-court"
    assert replace(made, number=2).number == 2
