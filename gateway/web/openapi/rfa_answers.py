"""The answers about RFAs."""

from typing import Literal

from gateway.exchange.rfa_acts import Check, Wanted
from gateway.exchange.rfas import State as RfaState
from gateway.exchange.rfas import Step as RfaStep
from gateway.exchange.shares import State as ShareState
from gateway.web.openapi.answers import Answer


class RfaTaken(Answer, frozen=True):
    """An RFA after a message of its authority was taken. *state* is the word told outside."""

    rfa: str
    state: str
    message: str
    entry: str


class RfaMoved(Answer, frozen=True):
    """An RFA after an act of an officer."""

    rfa: str
    state: RfaState
    entry: str


class RfaMessageKept(Answer, frozen=True):
    """A message about an RFA, without its content; *digest* is of the signed object."""

    id: str
    about: str
    digest: str
    at: str


class OwnRfa(Answer, frozen=True):
    """An RFA as its authority may see it."""

    rfa: str
    state: str
    origin: Literal["signed", "paper"]
    number: str | None
    investigation: str
    due: str | None
    parent: str | None
    at: str


class OwnRfaShown(OwnRfa, frozen=True):
    """An RFA as its authority may see it, with the messages about it."""

    messages: tuple[RfaMessageKept, ...]


class OwnRfaList(Answer, frozen=True):
    """An authority's own RFAs."""

    rfas: tuple[OwnRfa, ...]


class RfaListed(Answer, frozen=True):
    """An RFA as the mechanism reads it, in short. *reference* is the authority's own."""

    rfa: str
    authority: str
    origin: Literal["signed", "paper"]
    state: RfaState
    number: str | None
    investigation: str | None
    reference: str
    purpose: str | None
    due: str | None
    parent: str | None
    request: str
    at: str


class RfaList(Answer, frozen=True):
    """Every RFA."""

    rfas: tuple[RfaListed, ...]


class RfaEvent(Answer, frozen=True):
    """One step in an RFA's life."""

    step: RfaStep
    state: RfaState
    actor: str
    entry: str
    at: str


class Assessment(Answer, frozen=True):
    """The five checks as they were last recorded."""

    checks: tuple[Check, ...]
    met: bool
    valid_to: str
    actor: str
    at: str


class RfaShare(Answer, frozen=True):
    """A share that answers an RFA."""

    share: str
    package: str
    state: ShareState


class RfaShown(RfaListed, frozen=True):
    """An RFA with everything known of it, and the steps that are possible now."""

    wanted: Wanted
    possible: tuple[str, ...]
    life: tuple[RfaEvent, ...]
    assessment: Assessment | None
    messages: tuple[RfaMessageKept, ...]
    shares: tuple[RfaShare, ...]
