"""The laws that conditions and obligations obey, whatever the rules and facts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.errors import MalformedError
from gateway.policy import (
    Effect,
    Outcome,
    Value,
    Vocabulary,
    load_register,
    read,
    register_json,
    terms_json,
    to_json,
)
from gateway.policy.conditions import (
    Always,
    Compare,
    Condition,
    Every,
    Exists,
    Not,
    Some,
    Truth,
    attributes,
    dates,
)
from gateway.policy.explain import show
from gateway.policy.obligations import Join, Obligation, Phase, Term, merge, term_json
from gateway.policy.vocabulary import Attribute, Fact, Type, is_date
from tests.policy.test_policy import FILES, POLICY, VOCABULARY, small

T, F, U = (Attribute(f"item.{name}", Type.BOOL, name) for name in "tfu")
FACTS: dict[str, Fact] = {"item.t": True, "item.f": False}
LEAVES: list[Condition] = [Compare("eq", a, True, None) for a in (T, F, U)]
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from([*LEAVES, Always(), Exists(T), Exists(U)]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Every(tuple(parts)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: Some(tuple(parts)))
        | inner.map(Not)
    ),
    max_leaves=8,
)


def value(condition: Condition) -> Truth:
    return condition.eval(FACTS)


# Three values


@given(CONDITIONS)
def test_not_twice_is_nothing(one: Condition) -> None:
    assert value(Not(Not(one))) is value(one)


@given(CONDITIONS, CONDITIONS)
def test_the_laws_of_de_morgan_hold_with_unknowns(one: Condition, two: Condition) -> None:
    assert value(Not(Every((one, two)))) is value(Some((Not(one), Not(two))))
    assert value(Not(Some((one, two)))) is value(Every((Not(one), Not(two))))


@given(st.lists(CONDITIONS, min_size=1, max_size=4))
def test_the_order_of_conditions_makes_no_difference(parts: list[Condition]) -> None:
    for kind in (Every, Some):
        values = {value(kind(order)) for order in itertools.permutations(parts)}
        assert len(values) == 1


@given(CONDITIONS)
def test_a_condition_joined_with_itself_or_what_is_always_true_stays_as_it_is(
    one: Condition,
) -> None:
    assert value(Every((one, one))) is value(Some((one, one))) is value(one)
    assert value(Every((one, Always()))) is value(one)
    assert value(Some((one, Always()))) is True


@given(CONDITIONS, st.booleans())
def test_learning_a_fact_settles_unknowns_and_changes_nothing_that_was_settled(
    one: Condition, learnt: bool
) -> None:
    before = value(one)
    reads_existence = any(isinstance(part, Exists) for part in walk(one))
    after = one.eval({**FACTS, "item.u": learnt})
    if before is not None and not reads_existence:
        assert after is before


def walk(condition: Condition) -> list[Condition]:
    inner: tuple[Condition, ...] = ()
    if isinstance(condition, Every | Some):
        inner = condition.parts
    elif isinstance(condition, Not):
        inner = (condition.part,)
    return [condition, *(each for part in inner for each in walk(part))]


@given(CONDITIONS)
def test_what_a_condition_reads_is_all_that_it_depends_on(one: Condition) -> None:
    read_paths = {attribute.path for attribute in attributes(one)}
    fewer = {path: fact for path, fact in FACTS.items() if path in read_paths}
    assert one.eval(fewer) is value(one)


DAY = Attribute("item.day", Type.DATE, "day")
TODAY = Attribute("context.today", Type.DATE, "today")


def test_a_fact_of_the_wrong_type_makes_a_comparison_unknown_on_either_side() -> None:
    compare = Compare("before", DAY, None, TODAY)
    good = {"item.day": "2026-05-01", "context.today": "2026-05-02"}
    assert compare.eval(good) is True
    for path in good:
        for wrong in (5, True, frozenset({"a"}), "soon"):
            assert compare.eval({**good, path: wrong}) is None


def test_a_decision_turns_on_the_dates_that_today_is_compared_with() -> None:
    facts: dict[str, Fact] = {"item.day": "2026-06-01", "context.today": "2026-05-01"}
    to_fact = Compare("before", DAY, None, TODAY)
    to_literal = Compare("after", TODAY, "2026-07-01", None)
    elsewhere = Compare("after", DAY, "2026-08-01", None)
    both = Every((Not(to_fact), Some((to_literal, elsewhere)), Always()))
    assert list(dates(both, facts)) == ["2026-06-01", "2026-07-01"]
    assert list(dates(to_fact, {})) == []


# Obligations

KINDS = {
    "redact": Obligation("redact", Join.UNION, Phase.WITH, "r", ("x", "y", "z")),
    "purposes": Obligation("purposes", Join.INTERSECTION, Phase.AFTER, "p", ("p", "q", "r")),
    "approval": Obligation("approval", Join.ROLES, Phase.BEFORE, "a", ("a", "b")),
    "expiry": Obligation("expiry", Join.MIN, Phase.AFTER, "e"),
    "tlp": Obligation("tlp", Join.ORDER, Phase.WITH, "t", ("low", "mid", "high")),
}


def words(letters: str) -> st.SearchStrategy[Term]:
    return st.sets(st.sampled_from(letters)).map(lambda s: tuple(sorted(s)))


TERMS: dict[str, st.SearchStrategy[Term]] = {
    "redact": words("xyz"),
    "purposes": words("pqr"),
    "approval": st.dictionaries(st.sampled_from("ab"), st.integers(1, 3), min_size=1).map(
        lambda counts: tuple(sorted(counts.items()))
    ),
    "expiry": st.integers(0, 9),
    "tlp": st.sampled_from(["low", "mid", "high"]),
}
SETS = st.fixed_dictionaries({}, optional=TERMS)


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
def test_every_kind_of_obligation_is_a_semilattice(kind: str, data: st.DataObject) -> None:
    a, b, c = (data.draw(TERMS[kind]) for _ in range(3))
    join = KINDS[kind].join_terms
    assert join(a, a) == a
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))


@given(SETS, SETS)
def test_a_merge_is_at_least_as_strict_as_each_of_its_parts(
    one: dict[str, Term], two: dict[str, Term]
) -> None:
    merged = merge(KINDS, [one, two])
    assert set(merged) == set(one) | set(two)
    for part in (one, two):
        assert merge(KINDS, [merged, part]) == merged
    for kind, term in merged.items():
        assert at_least(kind, term, one.get(kind, term))


def at_least(kind: str, strict: Term, mild: Term) -> bool:
    """Tell whether a term is as strict as another, said kind by kind and not through the join."""
    match strict, mild:
        case int(), int():
            return strict <= mild
        case str(), str():
            order = KINDS[kind].values
            return order.index(strict) >= order.index(mild)
        case tuple(), tuple():
            if kind == "approval":
                counts = dict(p for p in strict if isinstance(p, tuple))
                return all(counts[p[0]] >= p[1] for p in mild if isinstance(p, tuple))
            return set(strict) >= set(mild) if kind == "redact" else set(strict) <= set(mild)
    return False


@given(SETS)
def test_terms_are_written_as_json_in_one_order(one: dict[str, Term]) -> None:
    written = terms_json(one)
    assert set(written) == set(one)
    for kind, term in one.items():
        assert written[kind] == term_json(term)
        if isinstance(term, tuple):
            assert isinstance(written[kind], dict) is (kind == "approval")


# What is read


def test_a_mapping_is_expected_where_members_are_named() -> None:
    with pytest.raises(MalformedError, match="r.yaml:1: expected a mapping"):
        read("r.yaml", b"[1]").members()
    with pytest.raises(MalformedError, match="expected a mapping"):
        Value(5, "r.yaml:1").mapping(set())


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        (Type.BOOL, [True, False], [0, 1, "true", frozenset()]),
        (Type.INT, [0, 9], [-1, 10, True, "5"]),
        (Type.ENUM, ["x"], ["y", True, frozenset({"x"})]),
        (Type.SET, [frozenset(), frozenset({"x"})], [frozenset({"y"}), "x", ()]),
        (Type.DATE, ["2026-11-23"], ["2026-13-01", "2026-1-1", "2026-11-23\n", 20261123]),
        (Type.TEXT, ["", "x"], [1, True, None]),
    ],
)
def test_a_fact_is_valid_in_its_domain_alone(
    type_: Type, good: list[object], bad: list[object]
) -> None:
    attribute = Attribute("item.a", type_, "a", frozenset({"x"}), 0, 9)
    assert [attribute.valid(fact) for fact in good] == [True] * len(good)
    assert [attribute.valid(fact) for fact in bad] == [False] * len(bad)


@given(st.dates())
def test_every_calendar_date_is_a_date(date: object) -> None:
    assert is_date(str(date))


def test_facts_are_written_as_json_with_sorted_sets() -> None:
    assert to_json({"a": frozenset({"y", "x"}), "b": True}) == {"a": ["x", "y"], "b": True}


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (None, "nothing"),
        (True, "yes"),
        (False, "no"),
        (5, "5"),
        ("x", "x"),
        (frozenset(), "none"),
        (frozenset({"b", "a"}), "a, b"),
    ],
)
def test_facts_are_shown_to_people(fact: object, text: str) -> None:
    assert show(fact) == text


def test_the_register_is_written_with_every_fact_on_file() -> None:
    register = load_register(FILES, POLICY.vocabulary)
    written = register_json(register)
    assert isinstance(written, dict)
    assert set(written) == set(register)
    for code, facts in written.items():
        assert isinstance(facts, list)
        assert len(facts) == len(register[code])


def test_a_vocabulary_names_what_is_nearest() -> None:
    vocabulary = Vocabulary({"item.sgbv": Attribute("item.sgbv", Type.BOOL, "s")})
    with pytest.raises(MalformedError, match=r"did you mean 'item\.sgbv'"):
        vocabulary.get(Value("item.sgvb", "r.yaml:3"))
    assert b"item.sgbv" in VOCABULARY


def test_only_three_effects_exist_and_silence_denies() -> None:
    assert {effect.value for effect in Effect} == {"permit", "deny", "require"}
    assert small().decide({"item.t": True}, "2026-05-01").outcome is Outcome.DENY
