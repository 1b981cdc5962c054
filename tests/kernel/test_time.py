"""Instants are spelt one way, and always in UTC."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.errors import MalformedError
from gateway.kernel.time import day, exact, exact_instant, instant, spell, unix

MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@given(MOMENTS)
def test_an_instant_reads_back_cut_to_the_second(moment: datetime) -> None:
    assert instant(spell(moment)) == moment.replace(microsecond=0)


@given(MOMENTS, ZONES)
def test_a_moment_is_spelt_alike_from_every_zone(moment: datetime, zone: timezone) -> None:
    there = moment.astimezone(zone)
    assert spell(there) == spell(moment)
    assert exact(there) == exact(moment)
    assert unix(there) == unix(moment)


@given(MOMENTS)
def test_the_exact_time_keeps_every_microsecond(moment: datetime) -> None:
    assert exact(moment) == f"{spell(moment)[:-1]}.{moment.microsecond:06}Z"


@given(MOMENTS)
def test_an_exact_time_reads_back_whole(moment: datetime) -> None:
    assert exact_instant(exact(moment)) == moment


@pytest.mark.parametrize(
    "text", ["", "2026-11-23T16:18:00Z", "2026-11-23T16:18:00.5Z", "2026-11-23T16:18:00.000000z"]
)
def test_no_other_spelling_of_an_exact_time_is_taken(text: str) -> None:
    with pytest.raises(MalformedError, match="microseconds"):
        exact_instant(text)


def test_seconds_are_counted_from_1970() -> None:
    assert unix(datetime(1970, 1, 1, 0, 1, 0, 999_999, tzinfo=UTC)) == 60


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T16:18:00",
        "2026-11-23T16:18:00z",
        "2026-11-23t16:18:00Z",
        "2026-11-23 16:18:00Z",
        "2026-11-23T16:18:00+00:00",
        "2026-11-23T16:18:00.5Z",
        "2026-11-23T16:18Z",
        "2026-1-2T3:4:5Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T16:18:60Z",
        " 2026-11-23T16:18:00Z",
        "2026-11-23T16:18:00Z\n",
        "٢٠٢٦-11-23T16:18:00Z",
    ],
)
def test_no_other_spelling_of_a_time_is_taken(text: str) -> None:
    with pytest.raises(MalformedError, match="expected a time such as"):
        instant(text)


@given(st.dates(date(1, 1, 1)))
def test_a_day_reads_back_as_it_is_spelt(one: date) -> None:
    assert day(one.isoformat()) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2026",
        "2026-11",
        "20261123",
        "2026-W48-1",
        "2026-1-2",
        "2026-02-30",
        "2026-13-01",
        "0000-01-01",
        "2026-11-23T16:18:00Z",
        " 2026-11-23",
        "2026-11-23\n",
        "٢٠٢٦-11-23",
    ],
)
def test_no_other_spelling_of_a_day_is_taken(text: str) -> None:
    with pytest.raises(MalformedError, match="expected a date such as"):
        day(text)
