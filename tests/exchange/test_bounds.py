"""Text in acts: bounded, and without what would control a terminal or what a database cannot keep."""

import pytest

from gateway.exchange.bounds import MAX_TEXT, must_have_text


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31mred", "two\nlines", "a\ttab", "\x7f"])
def test_a_line_holds_no_control_characters(text: str) -> None:
    with pytest.raises(ValueError, match="number holds no control characters"):
        must_have_text(text, 64, "number")


@pytest.mark.parametrize("text", ["a\x00b", "\x1b]0;title\x07", "\x85"])
def test_prose_holds_none_but_tabs_and_ends_of_lines(text: str) -> None:
    with pytest.raises(ValueError, match="reason holds no control characters"):
        must_have_text(text, MAX_TEXT, "reason")


def test_prose_has_lines_and_every_script() -> None:
    must_have_text("Первое\r\nثانيا\tと\n", MAX_TEXT, "reason")
    must_have_text("4 Js 12/26 – Straße", 64, "number")
