"""The life of a share: what may follow what, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.receipts import STEP
from gateway.exchange.shares import (
    PULLABLE,
    RELEASED,
    TRANSITIONS,
    VISIBLE,
    State,
    Step,
    advance,
)
from gateway.kernel.errors import ConflictError

STATES: list[State | None] = [None, *State]
ENDS = {State.DENIED, State.RECALLED, State.EXPIRED}


def reached(steps: list[Step]) -> list[State]:
    """Return the states a share passes through; steps that are refused change nothing."""
    state: State | None = None
    found = []
    for step in steps:
        try:
            state = advance(state, step)
        except ConflictError:
            continue
        found.append(state)
    return found


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", list(Step))
def test_each_step_leads_where_the_table_says_or_is_refused(
    state: State | None, step: Step
) -> None:
    if (state, step) in TRANSITIONS:
        assert advance(state, step) is TRANSITIONS[state, step]
        return
    with pytest.raises(ConflictError, match=f"cannot {step.value} a share that is") as caught:
        advance(state, step)
    options = sorted(s.value for (at, s) in TRANSITIONS if at is state)
    for option in options or ["nothing more can happen"]:
        assert option in str(caught.value)


@given(st.lists(st.sampled_from(list(Step)), max_size=30))
def test_nothing_is_pulled_that_was_not_released_first(steps: list[Step]) -> None:
    passed = reached(steps)
    for i, state in enumerate(passed):
        if state in PULLABLE:
            assert passed.index(State.RELEASED) < passed.index(State.PREPARED) < i + 1


@given(st.lists(st.sampled_from(list(Step)), max_size=30))
def test_the_end_is_the_end(steps: list[Step]) -> None:
    for state in reached(steps)[:-1]:
        assert state not in ENDS


@given(st.lists(st.sampled_from(list(Step)), max_size=30))
def test_a_release_follows_a_permit_at_once(steps: list[Step]) -> None:
    passed = reached(steps)
    if State.RELEASED in passed:
        assert passed[passed.index(State.RELEASED) - 1] is State.PROPOSED


def test_every_state_can_be_reached_and_the_ends_are_the_only_ones() -> None:
    found: set[State | None] = {None}
    while more := {to for (at, _), to in TRANSITIONS.items() if at in found} - found:
        found |= more
    assert found == set(STATES)
    finished = set(State) - {at for at, _ in TRANSITIONS}
    assert finished == ENDS


def test_whatever_was_released_can_be_recalled_and_nothing_else() -> None:
    recalled = {at for at, step in TRANSITIONS if step is Step.RECALL}
    assert recalled == RELEASED == PULLABLE | {State.RELEASED, State.PREPARED}
    assert VISIBLE - PULLABLE == {State.RECALLED, State.EXPIRED}


def test_what_nobody_released_and_what_is_offered_can_expire_and_nothing_on_its_way() -> None:
    expiring = {at for at, step in TRANSITIONS if step is Step.EXPIRE}
    assert expiring == {State.PROPOSED, State.HELD} | PULLABLE
    assert RELEASED - expiring == {State.RELEASED, State.PREPARED}


def test_every_rung_of_the_receipts_is_a_step_of_a_share() -> None:
    taken = {step for _, step in TRANSITIONS}
    assert set(STEP.values()) <= taken
    assert taken == set(Step)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[None, Step.RELEASE] = State.RELEASED  # type: ignore[index]
