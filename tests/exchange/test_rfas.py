"""The life of an RFA: what may follow what, nothing else, and what its authority is told of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import life
from gateway.exchange.rfas import (
    ANSWERABLE,
    OPEN,
    TRANSITIONS,
    State,
    Step,
    advance,
    outside,
)
from gateway.kernel.errors import ConflictError

STATES: list[State | None] = [None, *State]
OVER = {State.ANSWERED, State.DECLINED, State.WITHDRAWN, State.CLOSED}


def walk(choices: list[int]) -> list[tuple[Step, State]]:
    """Return the steps that an RFA takes when each choice picks one of those possible."""
    state: State | None = None
    found = []
    for choice in choices:
        options = life.possible(TRANSITIONS, state)
        step = Step(options[choice % len(options)])
        state = advance(state, step)
        found.append((step, state))
    return found


LIVES = st.lists(st.integers(0, 255), max_size=40).map(walk)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", list(Step))
def test_each_step_leads_where_the_table_says_or_is_refused_with_what_is_possible(
    state: State | None, step: Step
) -> None:
    if (state, step) in TRANSITIONS:
        assert advance(state, step) is TRANSITIONS[state, step]
        return
    where = state.value if state else "new"
    with pytest.raises(
        ConflictError, match=f"cannot {step.value} an RFA that is {where}"
    ) as caught:
        advance(state, step)
    options = sorted(s.value for (at, s) in TRANSITIONS if at is state)
    assert options, "an RFA can always be taken up again"
    assert str(caught.value).endswith(f"; possible: {', '.join(options)}")
    assert list(life.possible(TRANSITIONS, state)) == options


def test_every_state_can_be_reached_and_none_is_without_a_way_on() -> None:
    found: set[State | None] = {None}
    while more := {to for (at, _), to in TRANSITIONS.items() if at in found} - found:
        found |= more
    assert found == set(STATES)
    assert {at for at, _ in TRANSITIONS} == set(STATES), "every state leads on"
    assert {step for _, step in TRANSITIONS} == set(Step), "every step is possible somewhere"


def test_an_rfa_begins_signed_or_on_paper_and_in_no_other_way() -> None:
    begun = {step: to for (at, step), to in TRANSITIONS.items() if at is None}
    assert begun == {Step.RECEIVE: State.RECEIVED, Step.RECORD: State.RECORDED}
    for step in begun:
        assert [at for at, made in TRANSITIONS if made is step] == [None], "once, at the beginning"


def test_the_open_states_are_those_in_which_somebody_has_something_to_do() -> None:
    assert set(State) - OPEN == OVER
    assert ANSWERABLE <= set(State) - {State.RECEIVED, State.RECORDED, State.REGISTERED}
    closable = {at for at, step in TRANSITIONS if step is Step.CLOSE}
    assert closable == OVER - {State.CLOSED}
    assert {at for at, step in TRANSITIONS if step is Step.REOPEN} == OVER


@given(LIVES)
def test_nothing_answers_an_rfa_that_was_not_registered_and_admitted_first(
    taken: list[tuple[Step, State]],
) -> None:
    states = [state for _, state in taken]
    for i, state in enumerate(states):
        if state in ANSWERABLE:
            admitted = [step for step, _ in taken[: i + 1]].index(Step.ADMIT)
            assert states[admitted - 1] is State.REGISTERED


@given(LIVES)
def test_what_is_reopened_is_answered_only_once_it_is_admitted_anew(
    made: list[tuple[Step, State]],
) -> None:
    taken = [step for step, _ in made]
    for i, step in enumerate(taken):
        if step is Step.REOPEN and Step.ANSWER in taken[i:]:
            assert Step.ADMIT in taken[i : i + taken[i:].index(Step.ANSWER)]


def test_checks_admit_or_send_back_whoever_is_not_answered_yet_and_are_renewed_after() -> None:
    admitted = {at: to for (at, step), to in TRANSITIONS.items() if step is Step.ADMIT}
    assert admitted == {
        State.REGISTERED: State.REVIEW,
        State.REVIEW: State.REVIEW,
        State.CLARIFICATION: State.CLARIFICATION,
        State.ANSWERED: State.ANSWERED,
    }
    refused = {at: to for (at, step), to in TRANSITIONS.items() if step is Step.REFUSE}
    open_ = (State.REGISTERED, State.REVIEW, State.CLARIFICATION)
    assert refused == dict.fromkeys(open_, State.REGISTERED)
    assert [at for at, step in TRANSITIONS if step is Step.DECLINE] == [State.REGISTERED]


@given(LIVES)
def test_paper_counts_once_a_second_step_has_confirmed_it(
    taken: list[tuple[Step, State]],
) -> None:
    for (_, before), (step, after) in zip(taken, taken[1:], strict=False):
        if before is State.RECORDED:
            assert (step, after) in {
                (Step.CONFIRM, State.REGISTERED),
                (Step.STRIKE, State.WITHDRAWN),
            }


def test_a_question_waits_for_its_reply_and_a_reply_for_a_question() -> None:
    assert [at for at, step in TRANSITIONS if step is Step.REPLY] == [State.CLARIFICATION]
    assert [at for at, step in TRANSITIONS if step is Step.ASK] == [State.REVIEW]
    assert (State.CLARIFICATION, Step.INFORM) not in TRANSITIONS, "what is added then is the reply"


@given(LIVES)
def test_the_authority_cannot_tell_how_far_the_review_has_come(
    taken: list[tuple[Step, State]],
) -> None:
    told = [outside(state) for _, state in taken]
    assert not {"recorded", "registered", "review"} & set(told)


def test_every_state_has_a_word_outside_and_only_inner_ones_share_theirs() -> None:
    words = {state: outside(state) for state in State}
    inner = {State.RECORDED, State.REGISTERED, State.REVIEW}
    assert {state for state, word in words.items() if word == "in progress"} == inner
    assert {state: state.value for state in set(State) - inner} == {
        state: word for state, word in words.items() if state not in inner
    }


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[None, Step.ANSWER] = State.ANSWERED  # type: ignore[index]
