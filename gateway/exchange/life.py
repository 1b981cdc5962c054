"""State tables: one rule for all of them, and a refusal that says what is possible instead."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from gateway.kernel.errors import ConflictError

State = TypeVar("State", bound=StrEnum)
Step = TypeVar("Step", bound=StrEnum)


def advance(
    table: Mapping[tuple[State | None, Step], State], state: State | None, step: Step, what: str
) -> State:
    """Return the state after *step* of *what* the table is about ("a share").

    Raises ConflictError that names the steps which are possible instead.
    """
    try:
        return table[state, step]
    except KeyError:
        steps = possible(table, state)
        instead = f"possible: {', '.join(steps)}" if steps else "nothing more can happen to it"
        where = state.value if state else "new"
        raise ConflictError(f"cannot {step.value} {what} that is {where}; {instead}") from None


def possible(
    table: Mapping[tuple[State | None, Step], State], state: State | None
) -> tuple[str, ...]:
    """Return the steps that a state allows, sorted."""
    return tuple(sorted(step.value for at, step in table if at is state))
