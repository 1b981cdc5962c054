"""The answers about what is kept back from an authority; none of them is ever an authority's."""

from gateway.exchange.withheld_acts import Cause, Finding
from gateway.web.openapi.answers import Answer


class WhyWithheld(Answer, frozen=True):
    """Why an item is kept back: the rules that deny it or ask for what is unmet, and categories.

    Where nothing denied it, the one category is the cause.
    """

    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    unmet: dict[str, tuple[str, ...]]


class WithheldReview(Answer, frozen=True):
    """What a reviewer found of an item that is kept back."""

    id: str
    finding: Finding
    reason: str
    actor: str
    entry: str
    at: str


class Withheld(Answer, frozen=True):
    """An item that was kept back from an authority, on its RFA or, if *rfa* is null, unasked.

    *reviewer* was named for it; null if nobody could be, or need be. *offered*: the authority was
    offered it by now, as it is or in an attested form. *due*: it may speak for a suspect, was not
    offered, and waits for its review. *to_disclose*: a reviewer found that it must be offered.
    """

    withheld: str
    item: str
    evidence_number: str
    rfa: str | None
    recipient: str
    case: str
    share: str | None
    proposer: str
    cause: Cause
    why: WhyWithheld
    exculpatory: bool | None
    reviewer: str | None
    review: WithheldReview | None
    offered: bool
    due: bool
    to_disclose: bool
    entry: str
    at: str


class WithheldList(Answer, frozen=True):
    """What is kept back from authorities, oldest first."""

    withheld: tuple[Withheld, ...]


class RfaWithheldList(WithheldList, frozen=True):
    """What is kept back from the authority of an RFA, oldest first."""

    rfa: str


class WithheldReviewed(Answer, frozen=True):
    """An item kept back, as it is reviewed from now on."""

    withheld: str
    review: str
    finding: Finding
    entry: str
