"""A new rule disturbs nothing, is named until it is written, and leaves every other byte as it was."""

import pytest

from gateway.authoring.lint import lint
from gateway.authoring.problems import problems
from gateway.authoring.scaffold import FIRST_FILE, Wanted, new_rule
from gateway.kernel.errors import ConflictError, MalformedError, NotFoundError
from gateway.policy import Effect, Reason, load, read_cases
from gateway.policy.cases import run
from tests.authoring.small import CASES, FILES, OBLIGATIONS, RULES, SMALL, VOCABULARY, changed
from tests.policy.test_policy import FILES as SHIPPED


def decided(files: dict[str, bytes], of: dict[str, bytes]) -> list[object]:
    policy = load(files)
    return [policy.judge(case.facts, case.today).outcome for case in read_cases(load(of), of)]


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("like", [None, "release", "secret", "low.grade"])
def test_a_new_rule_loads_and_changes_no_decision(effect: Effect, like: str | None) -> None:
    made = new_rule(FILES, Wanted("secret.more", effect, like=like))
    files = {**FILES, **made}
    assert problems(files) == []
    assert decided(files, FILES) == decided(FILES, FILES)
    assert [r.differences for r in run(load(files), files) if r.differences] == []
    for name, data in made.items():
        assert data.startswith(FILES.get(name, b""))
    named = {f.lint for f in lint(load(files), files, "2026-05-01") if f.subject == "secret.more"}
    assert {"unfilled", "no-basis", "no-test"} <= named


def test_what_is_said_of_it_stands_in_it() -> None:
    wanted = Wanted("embargo.two", title="No: not yet", basis="Order 8", reason=Reason.TIME)
    made = new_rule(FILES, wanted)
    added = made["rules/all.yaml"].decode().removeprefix(RULES.decode())
    assert added == (
        "- id: embargo.two\n  effect: deny\n  reason: time\n"
        '  title: "No: not yet"\n  basis: Order 8\n'
        "  when: {not: true}  # write the condition in this place; until then the rule never applies\n"
    )
    case = made["tests/all.yaml"].decode().removeprefix(CASES.decode())
    assert case.splitlines()[1] == "- {id: embargo-two, set: {}, expect: {outcome: permit}}"


def test_a_rule_like_another_has_its_reason_terms_and_place() -> None:
    files = {**FILES, "rules/b.yaml": b"rules:\n  - {id: b.one, effect: deny, reason: rights, title: t, basis: b, when: {eq: [item.grade, 2]}}"}  # fmt: skip
    made = new_rule(files, Wanted("other", like="b.one"))
    assert b"\n  - id: other\n    effect: deny\n    reason: rights\n" in made["rules/b.yaml"]
    assert b"    - {eq: [item.grade, 2]}\n" in made["rules/b.yaml"]
    assert "rules/b.yaml" in new_rule(files, Wanted("b.two"))
    assert FIRST_FILE in new_rule(files, Wanted("elsewhere"))
    assert "rules/own-1.yaml" in new_rule(files, Wanted("elsewhere", file="own-1"))


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ConflictError, match="already"):
        new_rule(FILES, Wanted("embargo"))
    with pytest.raises(NotFoundError, match="did you mean 'embargo'"):
        new_rule(FILES, Wanted("other", like="embrgo"))
    for name in ("../x", "rules/a/b", "a b"):
        with pytest.raises(MalformedError):
            new_rule(FILES, Wanted("other", file=name))
    with pytest.raises(ConflictError, match="lower-case"):
        new_rule(FILES, Wanted("Other"))
    flow = {**FILES, "rules/f.yaml": b"rules: [{id: f.a, effect: deny, title: t, basis: b, when: true}]\n"}  # fmt: skip
    with pytest.raises(ConflictError, match="cannot be appended"):
        new_rule(flow, Wanted("f.b"))
    swapped = changed("tests/all.yaml", "base:", "x:")
    swapped["tests/all.yaml"] = CASES.partition(b"cases:")[2]
    with pytest.raises(MalformedError):
        new_rule(swapped, Wanted("other"))


def test_it_begins_a_set_that_has_no_rules_and_no_cases() -> None:
    bare = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": OBLIGATIONS}
    made = new_rule(bare, Wanted("first"))
    files = {**bare, **made}
    assert set(made) == {FIRST_FILE, "tests/cases.yaml"}
    assert problems(files) == []
    assert [r.differences for r in run(load(files), files)] == [()]
    again = new_rule(files, Wanted("first-1".replace("-", "_"), Effect.PERMIT))
    assert problems({**files, **again}) == []


@pytest.mark.parametrize("join", ["min", "order", "roles", "intersection", "union"])
def test_a_require_rule_begins_with_an_obligation_of_the_first_kind(join: str) -> None:
    values = "" if join == "min" else "values: [x, y], "
    kinds = f"obligations:\n  k: {{join: {join}, phase: with, {values}label: l}}\n".encode()
    files = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": kinds}
    made = new_rule(files, Wanted("first", Effect.REQUIRE))
    assert problems({**files, **made}) == []
    none = {**files, "obligations.yaml": b"obligations: {}\n"}
    with pytest.raises(MalformedError, match="kind of obligation"):
        new_rule(none, Wanted("first", Effect.REQUIRE))


def test_the_shipped_set_takes_a_new_rule() -> None:
    files = {**SHIPPED, **new_rule(SHIPPED, Wanted("confidentiality.missing"))}
    assert problems(files) == []
    assert decided(files, SHIPPED) == decided(SHIPPED, SHIPPED)
    assert SMALL.rule("secret").reason is Reason.PROTECTION
