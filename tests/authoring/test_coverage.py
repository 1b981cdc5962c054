"""Coverage counts every rule's own value, and asks only for values that can be."""

import pytest

from gateway.authoring.coverage import coverage, percent, possible
from gateway.policy import load, read_cases
from gateway.policy.conditions import Truth
from tests.authoring.small import FILES, SMALL, with_rule


def test_values_are_counted_whether_or_not_the_rule_decided() -> None:
    found = {one.rule.id: one for one in coverage(SMALL, read_cases(SMALL, FILES))}
    release = found["release"]
    assert (release.true, release.false, release.unknown) == (4, 0, 0)
    assert release.missing == ("false", "unknown")
    assert (found["secret"].true, found["secret"].false) == (1, 3)
    assert percent(list(found.values())) == pytest.approx(100 * 7 / 12)
    assert percent([]) == 100


def test_a_day_on_which_a_rule_is_not_in_force_covers_nothing() -> None:
    files = dict(FILES)
    files["tests/all.yaml"] = FILES["tests/all.yaml"].replace(b"2026-05-01", b"2027-05-01")
    policy = load(files)
    found = {one.rule.id: one for one in coverage(policy, read_cases(policy, files))}
    embargo = found["embargo"]
    assert (embargo.true, embargo.false, embargo.unknown) == (0, 0, 0)


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("true", {True}),
        ("{not: true}", {False}),
        ("{exists: item.marks}", {True, False}),
        ("{after: [context.today, 2026-01-01]}", {True, False}),
        ("{before: [item.until, $context.today]}", {True, False, None}),
        ("{all: [{exists: item.marks}, true]}", {True, False}),
        ("{any: [{exists: item.marks}, true]}", {True}),
        ("{any: [{eq: [item.grade, 1]}, {eq: [item.grade, 2]}, {not: true}]}", {True, False, None}),
        ("{all: [{eq: [item.grade, 1]}, {not: true}]}", {False}),
    ],
)
def test_only_values_that_can_be_are_asked_for(condition: str, values: set[Truth]) -> None:
    files = with_rule(f"{{id: more, effect: deny, title: t, basis: b, when: {condition}}}")
    assert possible(load(files).rule("more").when) == values
