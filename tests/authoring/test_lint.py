"""Every lint is found where it is, by its name, and can be accepted with a reason that must stay true."""

import pytest

from gateway.authoring.accepted import ERRORS, WARNINGS, read_accepted, read_survivors
from gateway.authoring.lint import Finding, lint, strays
from gateway.kernel.errors import MalformedError
from gateway.policy import load
from tests.authoring.small import FILES, changed, with_rule
from tests.policy.test_policy import FILES as SHIPPED

ON = "2026-05-01"


def found(files: dict[str, bytes], on: str = ON) -> list[Finding]:
    return lint(load(files), files, on)


def named(files: dict[str, bytes], on: str = ON) -> set[tuple[str, str, str]]:
    """Return name, subject and place of what is found beyond the small set's own findings."""
    own = {(f.lint, f.subject, f.place) for f in found(FILES)}
    return {(f.lint, f.subject, f.place) for f in found(files, on)} - own


def test_the_small_set_has_only_facts_that_nothing_reads() -> None:
    assert {(f.lint, f.subject) for f in found(FILES)} == {
        ("unread-attribute", "item.marks"),
        ("unread-attribute", "item.shelter"),
        ("unread-attribute", "recipient.jurisdiction"),
        ("unread-attribute", "context.case"),
    }


@pytest.mark.parametrize(
    ("rule", "lint_", "line"),
    [
        ("effect: deny\n  reason: time\n  when: {exists: item.marks}", "absence-sensitive", 7),
        ("effect: permit\n  when: {all: [{eq: [item.shelter, x]}]}", "protected-permit", 6),
        ("effect: deny\n  when: {eq: [item.grade, 6]}", "no-reason", 2),
        ("effect: deny\n  reason: time\n  when: {eq: [item.grade, 6]}", "no-test", 2),
        ("effect: deny\n  reason: time\n  when: {all: [{eq: [item.grade, 6]}, {eq: [item.grade, 6]}]}", "duplicate-condition", 7),
        ("effect: deny\n  reason: time\n  when: {after: [item.until, $context.today]}", "duplicate-condition", 7),
        ("effect: deny\n  reason: time\n  valid_to: 2026-04-30\n  when: {eq: [item.grade, 6]}", "term-over", 7),
        ("effect: deny\n  reason: time\n  valid_from: 2026-06-02\n  valid_to: 2026-06-01\n  when: {eq: [item.grade, 6]}", "never-in-force", 8),
        ("effect: deny\n  reason: time\n  when: {not: {all: [{not: true}]}}", "unfilled", 7),
        ("effect: deny\n  reason: time\n  when: {eq: [context.case, item.marks]}", "missing-dollar", 7),
    ],
)  # fmt: skip
def test_each_finding_has_its_name_and_line(rule: str, lint_: str, line: int) -> None:
    files = with_rule(f"id: more\n  title: more\n  basis: law\n  {rule}")
    assert (lint_, "more", f"rules/more.yaml:{line}") in named(files)


@pytest.mark.parametrize("word", ["TODO", "todo: ask", "tbd", "", "...", "  ", "?"])
def test_placeholders_are_no_title_and_no_basis(word: str) -> None:
    files = with_rule(f"id: more\n  effect: deny\n  reason: time\n  title: '{word}'\n  basis: '{word}'\n  when: {{eq: [item.grade, 6]}}")  # fmt: skip
    names = {name for name, subject, _ in named(files) if subject == "more"}
    assert {"unfilled", "no-basis"} <= names
    fine = with_rule("id: more\n  effect: deny\n  reason: time\n  title: Todorova's rule\n  basis: Statute\n  when: {eq: [item.grade, 6]}")  # fmt: skip
    assert not {"unfilled", "no-basis"} & {name for name, _, _ in named(fine)}


def test_a_rule_that_is_true_in_a_case_and_changes_none_has_no_test() -> None:
    files = with_rule(
        "{id: more, effect: deny, reason: protection, title: t, basis: b, when: {eq: [item.secret, true]}}"
    )
    files["tests/all.yaml"] = files["tests/all.yaml"].replace(b"rules: [secret], ", b"")
    assert {f.message for f in found(files) if f.lint == "no-test"} == {
        "secret: no case changes when the rule is dropped",
        "more: no case changes when the rule is dropped",
    }


def test_kinds_that_no_rule_asks_for_are_found() -> None:
    files = changed("rules/all.yaml", "    expiry_days: 30\n", "")
    assert ("unused-obligation", "expiry_days", "obligations.yaml:6") in named(files)


def test_a_finding_that_is_accepted_says_why_and_one_that_is_gone_is_an_error() -> None:
    text = b"""accepted:
- {lint: unread-attribute, attribute: context.case, why: the register reads it}
- {lint: no-test, rule: secret, why: once}
"""
    files = {**FILES, "lint.yaml": text}
    why = {f.subject: f.why for f in found(files) if f.lint == "unread-attribute"}
    assert why["context.case"] == "the register reads it"
    assert why["item.marks"] is None
    (stale,) = [f for f in found(files) if f.lint == "stale-acceptance"]
    assert (stale.place, stale.error, stale.subject) == ("lint.yaml:3", True, "secret")
    assert not any(f.error for f in found(files) if f is not stale and f.lint in WARNINGS)
    assert not set(ERRORS) & set(WARNINGS)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{lint: no-tset, rule: a, why: b}", "did you mean 'no-test'"),
        ("{lint: no-basis, rule: a, why: b}", "must be mended"),
        ("{lint: no-test, rul: a, why: b}", "did you mean 'rule'"),
        ("{lint: no-test, why: b}", "one rule, attribute or obligation"),
        ("{lint: no-test, rule: a, attribute: b, why: b}", "one rule, attribute or obligation"),
        ("{lint: no-test, rule: a, why: ' '}", "say why"),
        ("{lint: no-test, rule: a}", "'why' is missing"),
    ],
)
def test_what_is_accepted_is_read_strictly(line: str, says: str) -> None:
    with pytest.raises(MalformedError, match=r"lint\.yaml:2") as caught:
        read_accepted({"lint.yaml": f"accepted:\n- {line}\n".encode()})
    assert says in str(caught.value)


def test_explained_survivors_stand_once_and_with_a_reason() -> None:
    assert read_survivors({}) == []
    assert read_accepted({}) == []
    one = "- {mutant: a dropped, why: b}\n"
    (read_,) = read_survivors({"survivors.yaml": f"survivors:\n{one}".encode()})
    assert (read_.mutant, read_.why, read_.place) == ("a dropped", "b", "survivors.yaml:2")
    with pytest.raises(MalformedError, match="stands already"):
        read_survivors({"survivors.yaml": f"survivors:\n{one}{one}".encode()})
    with pytest.raises(MalformedError, match="say why"):
        read_survivors({"survivors.yaml": b"survivors:\n- {mutant: a, why: ''}\n"})


def test_files_that_nothing_reads_are_found() -> None:
    strange = ["rules/20-new.yml", "rule/20.yaml", "tests.yaml", "notes.yaml"]
    known = [*FILES, "lint.yaml", "survivors.yaml", "invariants.yaml", "sources/a.yaml"]
    assert [f.subject for f in strays([*strange, *known])] == sorted(strange)
    assert strays(SHIPPED) == []
