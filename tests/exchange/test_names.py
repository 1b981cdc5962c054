"""Names of one package: files that can lie together on any system."""

import pytest

from gateway.exchange.naming import can_stand_together


@pytest.mark.parametrize(
    "names",
    [
        ("a", "A"),
        ("a/b", "A/B"),
        ("é.txt", "e\u0301.txt"),
        ("straße", "STRASSE"),
        ("a", "a/b"),
        ("A", "a/b/c"),
        ("a/b/c", "a/B"),
    ],
)
def test_names_that_collide_somewhere_do_not_stand_together(names: tuple[str, ...]) -> None:
    assert not can_stand_together(names)
    assert not can_stand_together(reversed(names))


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b"), ("a/b", "a/c"), ("a", "ab/c", "a.b")])
def test_names_that_collide_nowhere_stand_together(names: tuple[str, ...]) -> None:
    assert can_stand_together(names)
