"""The whole life of a request for assistance (RFA) is one table; code, tests and diagram are drawn from it.

Outcomes inside and words outside differ: `outside` says what the authority is told of a state.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from gateway.exchange import life


class State(StrEnum):
    """Where an RFA stands."""

    RECEIVED = "received"  # signed by the authority's side, not looked at yet
    RECORDED = "recorded"  # came on paper; one person has entered it
    REGISTERED = "registered"  # has a number, an investigation and a due date
    REVIEW = "review"  # admitted: searched and reviewed
    CLARIFICATION = "clarification"  # the authority was asked something
    ANSWERED = "answered"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class Step(StrEnum):
    """What can happen to an RFA."""

    RECEIVE = "receive"
    RECORD = "record"
    CONFIRM = "confirm"  # a second person vouches for what one entered from paper
    STRIKE = "strike"  # what was entered from paper was entered wrongly
    REGISTER = "register"
    ADMIT = "admit"  # all five checks are met; again, to renew them before they lapse
    REFUSE = "refuse"  # a check is not met
    ASK = "ask"
    REPLY = "reply"
    INFORM = "inform"  # the authority adds something unasked
    TELL = "tell"  # the mechanism says something that asks nothing
    EXTEND = "extend"
    ANSWER = "answer"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    REOPEN = "reopen"
    CLOSE = "close"


_S, _T = State, Step
_OPEN = (_S.REGISTERED, _S.REVIEW, _S.CLARIFICATION)
_OVER = (_S.ANSWERED, _S.DECLINED, _S.WITHDRAWN)

TRANSITIONS: Mapping[tuple[State | None, Step], State] = MappingProxyType(
    {
        (None, _T.RECEIVE): _S.RECEIVED,
        (None, _T.RECORD): _S.RECORDED,
        (_S.RECORDED, _T.CONFIRM): _S.REGISTERED,
        (_S.RECORDED, _T.STRIKE): _S.WITHDRAWN,
        (_S.RECEIVED, _T.REGISTER): _S.REGISTERED,
        (_S.REGISTERED, _T.ADMIT): _S.REVIEW,
        (_S.REGISTERED, _T.REFUSE): _S.REGISTERED,
        (_S.REGISTERED, _T.DECLINE): _S.DECLINED,
        (_S.REVIEW, _T.ADMIT): _S.REVIEW,
        (_S.REVIEW, _T.REFUSE): _S.REGISTERED,
        (_S.REVIEW, _T.ASK): _S.CLARIFICATION,
        (_S.CLARIFICATION, _T.REPLY): _S.REVIEW,
        # No reply may ever come: the checks can lapse meanwhile, and the RFA must have an end.
        (_S.CLARIFICATION, _T.ADMIT): _S.CLARIFICATION,
        (_S.CLARIFICATION, _T.REFUSE): _S.REGISTERED,
        (_S.CLARIFICATION, _T.ANSWER): _S.ANSWERED,
        (_S.REVIEW, _T.ANSWER): _S.ANSWERED,
        (_S.ANSWERED, _T.ADMIT): _S.ANSWERED,
        **{(s, _T.INFORM): s for s in (_S.RECEIVED, _S.REGISTERED, _S.REVIEW, _S.ANSWERED)},
        **{(s, _T.TELL): s for s in (*_OPEN, _S.ANSWERED)},
        **{(s, _T.EXTEND): s for s in _OPEN},
        **{(s, _T.WITHDRAW): _S.WITHDRAWN for s in (_S.RECEIVED, *_OPEN)},
        **{(s, _T.CLOSE): _S.CLOSED for s in _OVER},
        **{(s, _T.REOPEN): _S.REGISTERED for s in (*_OVER, _S.CLOSED)},
    }
)

OPEN = frozenset({_S.RECEIVED, _S.RECORDED, *_OPEN})
"""The states in which somebody of the mechanism, or the authority, has yet to do something."""

ANSWERABLE = frozenset({_S.REVIEW, _S.CLARIFICATION, _S.ANSWERED})
"""The states in which packages may be made to answer an RFA."""

_OUTSIDE = {
    _S.RECORDED: "in progress",
    _S.REGISTERED: "in progress",
    _S.REVIEW: "in progress",
}


def advance(state: State | None, step: Step) -> State:
    """Return the state after *step*. Raises ConflictError that says what is possible instead."""
    return life.advance(TRANSITIONS, state, step, "an RFA")


def outside(state: State) -> str:
    """Return the word that the authority is told for a state: never how far the review has come."""
    return _OUTSIDE.get(state, state.value)
