"""Every mistake of a set is named, each by its file and line, and none that is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authoring.problems import Problem, problems
from gateway.kernel.errors import MalformedError
from gateway.policy import check_codes, load, load_register, read_cases
from tests.authoring.small import FILES, changed
from tests.policy.test_policy import FILES as SHIPPED


def said(files: dict[str, bytes]) -> list[str]:
    return [f"{one.place}: {one.message}" for one in problems(files)]


def test_a_sound_set_has_none() -> None:
    assert problems(FILES) == []
    assert problems(SHIPPED) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "place", "says"),
    [
        ("rules/all.yaml", "effect: deny", "effect: dney", ":12", "'deny'"),
        ("rules/all.yaml", "reason: time", "reason: tiem", ":22", "'time'"),
        ("rules/all.yaml", "after:", "aftre:", ":27", "'after'"),
        ("rules/all.yaml", "$context.today", "$context.todya", ":27", "'context.today'"),
        ("rules/all.yaml", "film]", "flim]", ":7", "'film'"),
        ("rules/all.yaml", "valid_to:", "valid_too:", ":26", "'valid_to'"),
        ("rules/all.yaml", "valid_from: 2026-01-01", "valid_from: 2026-13-01", ":25", "date"),
        ("rules/all.yaml", "redact:", "redcat:", ":35", "'redact'"),
        ("rules/all.yaml", "head: 1", "haed: 1", ":34", "'head'"),
        ("rules/all.yaml", "handling: AMBER", "handling: AMBRE", ":8", "'AMBER'"),
        ("rules/all.yaml", "id: embargo", "id: secret", ":20", "stands already at rules/all.yaml:11"),
        ("obligations.yaml", "join: union", "join: onion", ":5", "'union'"),
        ("obligations.yaml", "phase: with, values: [n", "phase: whit, values: [n", ":5", "'with'"),
        ("obligations.yaml", "values: [CLEAR", "valus: [CLEAR", ":3", "'values'"),
        ("vocabulary.yaml", "type: int", "type: itn", ":4", "'int'"),
        ("vocabulary.yaml", "protected:", "protcted:", ":8", "'protected'"),
        ("vocabulary.yaml", "protected: true", "protected: yes", ":8", "true or false"),
        ("vocabulary.yaml", "context.today: {type: date", "context.today: {type: text", "", "date"),
        ("jurisdictions/xa.yaml", "fact: recipient.promises", "fact: recipient.promise", ":4", "'recipient.promises'"),
        ("jurisdictions/xa.yaml", "valid_to:", "valid_till:", ":4", "'valid_to'"),
        ("jurisdictions/xa.yaml", "case: c", "cas: c", ":4", "'case'"),
        ("jurisdictions/xa.yaml", "[fair_trial]", "[fair_trail]", ":4", "'fair_trial'"),
        ("jurisdictions/xa.yaml", "jurisdiction: XA", "jurisdiction: XAA", ":1", "'XA'"),
        ("tests/all.yaml", "item.grade: 5", "item.grade: 7", ":14", "1 to 6"),
        ("tests/all.yaml", "item.grade: 1", "item.grad: 1", ":3", "'item.grade'"),
        ("tests/all.yaml", "id: embargo", "id: secret", ":12", "stands already at tests/all.yaml:11"),
        ("tests/all.yaml", "rules: [embargo]", "rules: [embrgo]", ":12", "unknown rule 'embrgo'; did you mean 'embargo'"),
        ("tests/all.yaml", "outcome: hold", "outcome: held", ":16", "hold"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_the_nearest_word(
    name: str, old: str, new: str, place: str, says: str
) -> None:
    found = said(changed(name, old, new))
    assert any(one.startswith(f"{name}{place}:") and says in one for one in found), found


def test_all_mistakes_are_named_at_once_also_in_one_rule() -> None:
    rules = """rules:
- id: Release
  effect: permit
  titel: t
  basis: b
  when: {all: [{eq: [item.secrt, true]}, {not: {eqq: [item.grade, 1]}}, {any: []}]}
  obligations: {handlin: RED, redact: [nams]}
- {id: two, effect: deny, title: t, basis: b, when: {lt: [item.grade, 9]}, obligations: {redact: [names]}}
- {id: three, effect: require, title: t, basis: b, when: true}
- 5
"""
    found = said({**FILES, "rules/all.yaml": rules.encode()})
    lines = {
        2: ["an id is"],
        3: [],
        4: ["unknown key 'titel'"],
        6: ["'item.secret'", "unknown operator 'eqq'", "at least one"],
        7: ["'handling'", "'names'"],
        8: ["1 to 6"],
        9: ["require rule has some"],
        10: ["expected a mapping"],
    }
    for line, words in lines.items():
        here = [one for one in found if one.startswith(f"rules/all.yaml:{line}:")]
        assert all(any(word in one for one in here) for word in words), (line, here)
    assert "rules/all.yaml:2: key 'title' is missing" in found


def test_what_follows_from_a_broken_definition_is_not_held_against_the_rules() -> None:
    found = said(changed("vocabulary.yaml", "item.grade: {type: int", "item.grade: {type: itn"))
    assert found == ["vocabulary.yaml:4: unknown type 'itn'; did you mean 'int'?"]
    found = said(changed("obligations.yaml", "join: min", "join: mim"))
    assert found == ["obligations.yaml:6: unknown join 'mim'; did you mean 'min'?"]


def test_files_that_are_missing_or_unreadable_are_named() -> None:
    assert problems({}) == [
        Problem("obligations.yaml", "is missing from the policy folder"),
        Problem("vocabulary.yaml", "is missing from the policy folder"),
    ]
    spoilt = dict.fromkeys(("rules/a.yaml", "tests/a.yaml", "jurisdictions/a.yaml"), b"{")
    places = {one.place.partition(":")[0] for one in problems({**FILES, **spoilt})}
    assert places == set(spoilt)
    twice = {**FILES, "jurisdictions/xb.yaml": FILES["jurisdictions/xa.yaml"]}
    assert said(twice) == [
        "jurisdictions/xb.yaml:1: jurisdiction XA stands in another file already"
    ]
    lists = {"lint.yaml": b"accepted: [{lint: no-tset, rule: a, why: b}]"}
    assert "'no-test'" in said({**FILES, **lists})[0]


@given(st.data())
def test_mistakes_are_found_exactly_where_the_gateway_would_not_load_the_set(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    text = FILES[name].decode()
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.sampled_from(["", "x", " ", "\n", ":", ",", "]", "}", "5", "#", "$", '"']))
    files = {**FILES, name: (text[:at] + new + text[at + 1 :]).encode()}
    try:
        policy = load(files)
        check_codes(load_register(files, policy.vocabulary), policy.vocabulary)
        cases = read_cases(policy, files)
        loads = all((c.expect.rules or set()) <= {r.id for r in policy.rules} for c in cases)
    except MalformedError:
        loads = False
    assert (problems(files) == []) is loads
