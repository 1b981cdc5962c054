"""Attested facts: later ones beside the register, narrow ones beside general ones, and what has ended."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Attested, Fact, recipient_facts

TODAY = "2026-05-01"
AUTHORITY, CASE = "xa-prosecutor", "case-7"
FAIR, ASSURED = "recipient.fair_trial", "recipient.assurances"


def said(
    value: Fact,
    path: str = FAIR,
    since: str | None = None,
    until: str | None = None,
    case: str | None = None,
    authority: str | None = None,
) -> Attested:
    return Attested(path, value, "note", since, until, case, authority)


def words(*values: str, until: str | None = None, case: str | None = None) -> Attested:
    return said(frozenset(values), ASSURED, until=until, case=case)


def facts_of(
    register: list[Attested], later: list[Attested], today: str = TODAY, case: str = CASE
) -> dict[str, Fact]:
    return recipient_facts({"XA": tuple(register)}, "XA", AUTHORITY, case, today, later)[0]


def assured(register: list[Attested], later: list[Attested], today: str = TODAY) -> set[str] | None:
    found = facts_of(register, later, today).get(ASSURED)
    assert found is None or isinstance(found, frozenset)
    return None if found is None else {*found}


def fair(register: list[Attested], later: list[Attested], today: str = TODAY) -> Fact | None:
    return facts_of(register, later, today).get(FAIR)


def test_a_later_attestation_takes_the_place_of_what_was_on_file() -> None:
    assert fair([said("ok")], []) == "ok"
    assert fair([said("ok")], [said("concerns")]) == "concerns"
    assert fair([], [said("ok")]) == "ok"


def test_the_last_of_several_is_the_word_that_stands() -> None:
    assert fair([], [said("ok"), said("excluded"), said("concerns")]) == "concerns"


def test_once_it_has_lapsed_its_fact_is_unknown_whatever_was_on_file_before() -> None:
    lapsed = said("concerns", until="2026-04-30")
    assert fair([said("ok")], [lapsed]) is None
    assert fair([said("ok")], [said("ok"), lapsed]) is None
    assert fair([said("ok")], [lapsed, said("ok")]) == "ok", "until somebody attests anew"
    assert fair([said("ok")], [lapsed], "2026-04-30") == "concerns", "the last day counts"


def test_one_that_has_not_begun_leaves_everything_as_it_is() -> None:
    coming = said("excluded", since="2026-05-02")
    assert fair([said("ok")], [coming]) == "ok"
    assert fair([said("ok")], [coming], "2026-05-02") == "excluded"


def test_one_of_another_case_or_authority_changes_nothing_even_when_it_lapses() -> None:
    for elsewhere in (
        said("excluded", case="case-8"),
        said("excluded", authority="xa-police"),
        said("excluded", case="case-8", until="2026-04-30"),
        said("excluded", authority="xa-police", until="2026-04-30"),
    ):
        assert fair([said("ok")], [elsewhere]) == "ok"


def test_a_lapsed_fact_of_the_register_only_ceases_to_count() -> None:
    narrow = said("excluded", case=CASE, until="2026-04-30")
    assert fair([said("ok"), narrow], []) == "ok"
    assert fair([said("ok", until="2026-04-30")], []) is None


def test_a_narrower_fact_overrides_a_general_one_whichever_came_later() -> None:
    narrow, narrowest = said("ok", case=CASE), said("concerns", case=CASE, authority=AUTHORITY)
    general = said("excluded")
    assert fair([], [narrow, general]) == "ok"
    assert fair([], [narrowest, narrow, general]) == "concerns"
    assert fair([narrow], [general]) == "ok"
    assert fair([general], [narrow]) == "ok"


def test_a_general_attestation_opens_nothing_that_is_closed_to_one_authority_on_file() -> None:
    not_competent = said(False, "recipient.competent", authority=AUTHORITY)
    facts = facts_of([not_competent], [said(True, "recipient.competent")])
    assert facts["recipient.competent"] is False


def test_a_lapsed_narrow_attestation_silences_the_general_facts_too() -> None:
    lapsed = said("ok", case=CASE, until="2026-04-30")
    assert fair([said("ok")], [lapsed]) is None
    assert fair([said("ok", case=CASE)], [lapsed]) is None
    narrower = said("ok", case=CASE, authority=AUTHORITY)
    assert fair([narrower], [lapsed]) == "ok", "what is narrower still stands"


def test_of_equally_narrow_ones_the_register_comes_first_and_then_time_decides() -> None:
    by_case, by_authority = said("ok", case=CASE), said("concerns", authority=AUTHORITY)
    assert fair([], [by_case, by_authority]) == "concerns"
    assert fair([], [by_authority, by_case]) == "ok"
    assert fair([by_authority], [by_case]) == "ok"
    assert fair([by_case], [by_authority]) == "concerns"


def test_sets_add_up_and_a_lapsed_one_takes_only_its_own_part() -> None:
    on_file, later = words("specialty"), words("death_penalty", case=CASE)
    both = {"specialty", "death_penalty"}
    assert assured([on_file], [later]) == both
    lapsed = words("death_penalty", until="2026-04-30", case=CASE)
    assert assured([on_file], [lapsed]) == {"specialty"}
    assert assured([on_file], [lapsed], "2026-04-30") == both
    assert assured([], [lapsed]) is None
    assert assured([], [words("fair_trial"), lapsed]) == {"fair_trial"}


def test_a_value_that_the_vocabulary_lost_silences_a_set_as_a_whole() -> None:
    lost = said("", ASSURED, until="0000-00-00")
    assert assured([words("specialty")], [lost]) is None


def test_whatever_is_said_the_jurisdiction_stays_what_it_is() -> None:
    assert facts_of([], []) == {"recipient.jurisdiction": "XA"}
    assert facts_of([said("ok")], [said("ok", until="2026-04-30")]) == {
        "recipient.jurisdiction": "XA"
    }
    facts, until = recipient_facts({}, "XB", AUTHORITY, CASE, TODAY)
    assert (facts, until) == ({"recipient.jurisdiction": "XB"}, None)


@pytest.mark.parametrize("later", [True, False])
def test_the_next_day_on_which_something_changes_is_told(later: bool) -> None:
    every = [
        said("ok", since="2026-01-01", until="2026-06-30"),
        said("concerns", since="2026-07-01"),
        said("ok", until="2026-04-30"),
    ]
    mine = ([], every) if later else (every, [])
    _, until = recipient_facts({"XA": tuple(mine[0])}, "XA", AUTHORITY, CASE, TODAY, mine[1])
    assert until == "2026-06-30"


DAYS = st.none() | st.integers(-3, 3).map(
    lambda n: (date.fromisoformat(TODAY) + timedelta(days=n)).isoformat()
)
ATTESTED = st.builds(
    said,
    st.sampled_from(["ok", "concerns", "excluded"]),
    since=DAYS,
    until=DAYS,
    case=st.sampled_from([None, CASE, "case-8"]),
    authority=st.sampled_from([None, AUTHORITY, "xa-police"]),
)
MANY = st.lists(ATTESTED, max_size=5)


def narrowness(one: Attested) -> int:
    return (one.case is not None) + (one.authority is not None)


@given(MANY, MANY)
def test_the_word_that_stands_is_the_last_of_the_narrowest(
    register: list[Attested], later: list[Attested]
) -> None:
    """The law, said the other way round: look for the last word from the narrowest backwards."""
    spoken = [(one, False) for one in register if one.counts(AUTHORITY, CASE, TODAY)]
    spoken += [
        (one, True)
        for one in later
        if one.concerns(AUTHORITY, CASE) and (one.valid_from or TODAY) <= TODAY
    ]
    best: Attested | None = None
    for one, _ in spoken:
        if best is None or narrowness(one) >= narrowness(best):
            best = one
    ended = best is None or (best.valid_to is not None and best.valid_to < TODAY)
    assert fair(register, later) == (None if ended or best is None else best.value)


@given(MANY, MANY, ATTESTED)
def test_a_new_attestation_about_this_very_case_and_authority_always_stands(
    register: list[Attested], later: list[Attested], new: Attested
) -> None:
    newest = said(new.value, case=CASE, authority=AUTHORITY)
    assert fair(register, [*later, newest]) == new.value


@given(MANY, MANY)
def test_the_facts_do_not_change_before_the_day_that_is_told(
    register: list[Attested], later: list[Attested]
) -> None:
    facts, until = recipient_facts({"XA": tuple(register)}, "XA", AUTHORITY, CASE, TODAY, later)
    day = date.fromisoformat(TODAY)
    for n in range(1, 6):
        then = (day + timedelta(days=n)).isoformat()
        if until is None or then < until:
            assert facts_of(register, later, then) == facts
