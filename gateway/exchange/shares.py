"""The whole life of a share is one table; code, tests and the diagram in the docs are drawn from it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from gateway.exchange import life


class State(StrEnum):
    """Where a share stands."""

    PROPOSED = "proposed"  # permitted, waiting for its release
    HELD = "held"  # permitted once clearances exist
    DENIED = "denied"
    RELEASED = "released"  # ordered and logged; nothing is visible yet
    PREPARED = "prepared"  # headers wrapped, manifest signed
    AVAILABLE = "available"  # in the authority's inbox
    PULLED = "pulled"
    VERIFIED = "verified"
    OPENED = "opened"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RECALLED = "recalled"
    EXPIRED = "expired"  # not released in time, or released for a term that has ended


class Step(StrEnum):
    """What can happen to a share."""

    PERMIT = "permit"
    HOLD = "hold"
    DENY = "deny"
    RELEASE = "release"
    PREPARE = "prepare"
    OFFER = "offer"
    PULL = "pull"
    VERIFY = "verify"
    OPEN = "open"
    ACCEPT = "accept"
    REJECT = "reject"
    RECALL = "recall"
    EXPIRE = "expire"


_S, _T = State, Step
_SERVED = (_S.AVAILABLE, _S.PULLED, _S.VERIFIED, _S.OPENED, _S.ACCEPTED, _S.REJECTED)

TRANSITIONS: Mapping[tuple[State | None, Step], State] = MappingProxyType(
    {
        (None, _T.PERMIT): _S.PROPOSED,
        (None, _T.HOLD): _S.HELD,
        (None, _T.DENY): _S.DENIED,
        (_S.HELD, _T.PERMIT): _S.PROPOSED,
        (_S.HELD, _T.DENY): _S.DENIED,
        (_S.PROPOSED, _T.HOLD): _S.HELD,
        (_S.PROPOSED, _T.DENY): _S.DENIED,
        (_S.PROPOSED, _T.RELEASE): _S.RELEASED,
        (_S.RELEASED, _T.PREPARE): _S.PREPARED,
        (_S.PREPARED, _T.OFFER): _S.AVAILABLE,
        (_S.AVAILABLE, _T.PULL): _S.PULLED,
        (_S.PULLED, _T.VERIFY): _S.VERIFIED,
        (_S.VERIFIED, _T.OPEN): _S.OPENED,
        (_S.VERIFIED, _T.ACCEPT): _S.ACCEPTED,
        (_S.VERIFIED, _T.REJECT): _S.REJECTED,
        (_S.OPENED, _T.ACCEPT): _S.ACCEPTED,
        (_S.OPENED, _T.REJECT): _S.REJECTED,
        (_S.PROPOSED, _T.EXPIRE): _S.EXPIRED,
        (_S.HELD, _T.EXPIRE): _S.EXPIRED,
        **{(s, _T.EXPIRE): _S.EXPIRED for s in _SERVED},
        **{(s, _T.RECALL): _S.RECALLED for s in (_S.RELEASED, _S.PREPARED, *_SERVED)},
    }
)

PULLABLE = frozenset(_SERVED)
"""The states in which an authority may read the manifest and pull the items."""

RELEASED = PULLABLE | {State.RELEASED, State.PREPARED}
"""The states in which a share goes out, or is about to, for as long as its decision stays permit."""

VISIBLE = PULLABLE | {State.RECALLED, State.EXPIRED}
"""The states in which an authority may know that the share exists, if it was ever offered."""


def advance(state: State | None, step: Step) -> State:
    """Return the state after *step*. Raises ConflictError that says what is possible instead."""
    return life.advance(TRANSITIONS, state, step, "a share")
