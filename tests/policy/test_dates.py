"""Calendar dates: only days that there are."""

import pytest

from gateway.policy.vocabulary import is_date


@pytest.mark.parametrize("text", ["2026-02-28", "2024-02-29", "2026-12-31"])
def test_a_day_of_the_calendar_is_a_date(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize("text", ["2026-02-29", "2026-02-31", "2026-04-31", "2026-1-1", "20260101"])
def test_a_day_that_is_not_there_is_no_date(text: str) -> None:
    assert not is_date(text)
