"""Mutants: every kind of mistake is made, and what no case notices survives by a name that stays."""

import time
from dataclasses import replace

import pytest
from hypothesis import given

from gateway.authoring.mutants import Mutant, mutants
from gateway.authoring.mutate import all_mutants, fails, mutated, survey
from gateway.authoring.sources import parts_of, put, sources
from gateway.authoring.words import phrase, short
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.policy import load, read_cases
from gateway.policy.conditions import Condition, Every, Some
from tests.authoring.small import CASES, FILES, SMALL, changed, with_rule
from tests.policy.test_laws import CONDITIONS

MORE = """id: more
  effect: deny
  title: t
  basis: b
  valid_from: 2026-01-01
  when:
    any:
    - {all: [{lt: [item.grade, 3]}, {le: [item.grade, 3]}]}
    - {not: {before: [item.until, 2026-01-01]}}
    - {subset: [item.marks, [a, b]]}
    - {intersects: [item.marks, $item.marks]}
    - {exists: item.shelter}
    - {gt: [item.grade, 6]}
    - true
"""


def names(files: dict[str, bytes], rule: str) -> dict[str, Mutant]:
    return {m.name: m for m in all_mutants(load(files), files, rule)}


def test_every_kind_of_mistake_is_made_once() -> None:
    assert set(names(FILES, "low.grade")) == {
        "low.grade dropped",
        "low.grade without ge(item.grade 5)",
        "low.grade negated ge(item.grade 5)",
        "low.grade as-gt ge(item.grade 5)",
        "low.grade without approval head*1|lawyer*2",
        "low.grade fewer-lawyer approval head*1|lawyer*2",
        "low.grade less-head approval head*1|lawyer*2",
        "low.grade without redact faces|names",
        "low.grade less-faces redact faces|names",
        "low.grade less-names redact faces|names",
        "low.grade without expiry_days 30",
        "low.grade more expiry_days 30",
    }
    assert set(names(FILES, "release")) == {
        "release dropped",
        "release without in(item.kind film|paper)",
        "release negated in(item.kind film|paper)",
        "release less-film in(item.kind film|paper)",
        "release less-paper in(item.kind film|paper)",
        "release more-sound in(item.kind film|paper)",
        "release without handling AMBER",
        "release milder handling AMBER",
        "release without purposes criminal",
        "release more-civil purposes criminal",
    }
    embargo = set(names(FILES, "embargo"))
    assert "embargo or-on-the-day after(item.until $context.today)" in embargo
    assert {"embargo without valid_from", "embargo without valid_to"} < embargo
    more = set(names(with_rule(MORE), "more"))
    inner = "all(lt(item.grade 3) le(item.grade 3))"
    assert {
        f"more any-for-all {inner}",
        f"more without {inner}",
        f"more negated {inner}",
        "more as-le lt(item.grade 3)",
        "more as-lt le(item.grade 3)",
        "more as-ge gt(item.grade 6)",
        "more negated not(before(item.until 2026-01-01))",
        "more or-on-the-day before(item.until 2026-01-01)",
        "more as-intersects subset(item.marks a|b)",
        "more less-a subset(item.marks a|b)",
        "more more-c subset(item.marks a|b)",
        "more as-subset intersects(item.marks $item.marks)",
        "more without exists(item.shelter)",
        "more negated exists(item.shelter)",
        "more without true",
        "more without valid_from",
    } <= more
    assert sum(name.startswith("more all-for-any any(") for name in more) == 1
    assert not any(name.startswith("more negated before") for name in more)


def test_mutants_have_places_and_words() -> None:
    mutant = names(FILES, "secret")["secret without eq(item.secret true)"]
    assert mutant.place == "rules/all.yaml:18"
    assert mutant.words == "without the condition: is secret is yes"
    term = names(FILES, "low.grade")["low.grade less-names redact faces|names"]
    assert term.place == "rules/all.yaml:35"
    assert "only faces, not faces|names" in term.words


def test_the_same_condition_twice_gives_two_names() -> None:
    files = with_rule(
        "{id: more, effect: deny, title: t, basis: b, when: {all: [{eq: [item.grade, 2]}, {eq: [item.grade, 2]}]}}"
    )
    again = "more without eq(item.grade 2) again 2"
    assert again in names(files, "more")


def test_survivors_are_what_no_case_notices() -> None:
    found = survey(SMALL, FILES)
    alive = {m.name for m in found.survivors}
    assert "secret without not(contains(recipient.promises fair_trial))" in alive
    assert "low.grade as-gt ge(item.grade 5)" not in alive
    assert "embargo or-on-the-day after(item.until $context.today)" in alive
    assert found.killed + len(alive) == len(all_mutants(SMALL, FILES))
    cases = read_cases(SMALL, FILES)
    for mutant in all_mutants(SMALL, FILES):
        noticed = any(fails(mutated(SMALL, mutant), case) for case in cases)
        assert noticed is (mutant.name not in alive), mutant.name
    on_the_day = b"- {id: on-the-day, set: {item.until: 2026-05-01}, expect: {outcome: permit}}\n"
    more = {**FILES, "tests/all.yaml": CASES + on_the_day}
    gone = alive - {m.name for m in survey(load(more), more).survivors}
    assert gone == {"embargo or-on-the-day after(item.until $context.today)"}


def test_an_explained_survivor_is_none_and_one_that_is_killed_is_an_error() -> None:
    alive = survey(SMALL, FILES, "embargo").survivors
    assert alive
    lines = [f"- {{mutant: {m.name}, why: the order says so}}\n" for m in alive]
    files = {**FILES, "survivors.yaml": f"survivors:\n{''.join(lines)}".encode()}
    found = survey(load(files), files, "embargo")
    assert found.clean
    assert [m.name for m, _ in found.explained] == [m.name for m in alive]
    files["survivors.yaml"] += b"- {mutant: embargo dropped, why: no}\n"
    found = survey(load(files), files, "embargo")
    assert [one.mutant for one in found.stale] == ["embargo dropped"]
    assert not found.clean
    assert survey(load(files), files, "secret").stale == ()


def test_nothing_is_measured_with_cases_that_fail_or_a_rule_that_is_not() -> None:
    wrong = changed("tests/all.yaml", "{outcome: deny, rules: [embargo]}", "{outcome: permit}")
    with pytest.raises(ConflictError, match="case embargo fails"):
        survey(load(wrong), wrong)
    with pytest.raises(NotFoundError, match="did you mean 'embargo'"):
        all_mutants(SMALL, FILES, "embrgo")


def test_progress_is_told_mutant_by_mutant() -> None:
    heard: list[int] = []
    survey(SMALL, FILES, advance=heard.append)
    assert sum(heard) == len(all_mutants(SMALL, FILES))


@given(CONDITIONS)
def test_a_part_that_is_put_back_changes_nothing(condition: Condition) -> None:
    stack = [(condition, ())]
    while stack:
        part, path = stack.pop()
        assert put(condition, path, part) == condition
        assert short(part)
        assert phrase(part)
        for number, inner in enumerate(parts_of(part)):
            stack.append((inner, (*path, number)))  # type: ignore[arg-type]
            if isinstance(part, Every | Some) and len(part.parts) > 1:
                rest = part.parts[:number] + part.parts[number + 1 :]
                assert put(part, (number,), None) == replace(part, parts=rest)


def test_forty_rules_and_120_cases_take_seconds() -> None:
    rules = [
        f"- {{id: r{n}, effect: deny, title: t, basis: b, when: {{all: [{{eq: [item.grade, {n % 6 + 1}]}},"
        f" {{in: [item.kind, [film, paper]]}}, {{not: {{eq: [item.secret, true]}}}}]}}}}\n"
        for n in range(36)
    ]
    cases = [
        f"- {{id: c{n}, set: {{item.grade: {n % 4 + 1}}}, expect: {{outcome: deny}}}}\n"
        for n in range(116)
    ]
    files = {
        **FILES,
        "rules/many.yaml": f"rules:\n{''.join(rules)}".encode(),
        "tests/all.yaml": FILES["tests/all.yaml"].partition(b"cases:")[0]
        + f"cases:\n{''.join(cases)}".encode(),
    }
    policy = load(files)
    started = time.process_time()
    found = survey(policy, files)
    assert time.process_time() - started < 20  # seconds of one core; about 3
    assert found.killed + len(found.survivors) > 400
    assert sum(1 for source in sources(policy, files) for _ in mutants(source, policy.kinds)) > 400
