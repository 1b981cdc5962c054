"""The answers that say what stands where, and those about the ledger."""

from typing import Any

from msgspec import UNSET, UnsetType

from gateway.exchange.rfas import State as RfaState
from gateway.exchange.shares import State as ShareState
from gateway.exchange.withheld_acts import Cause
from gateway.policy import Outcome
from gateway.web.openapi.answers import Answer
from gateway.web.openapi.share_answers import ShareDecided


class MatchedItem(Answer, frozen=True):
    """What the rules alone say of one item."""

    item: str
    name: str
    outcome: Outcome


class Match(Answer, frozen=True):
    """What policy says of a package for one authority, and its open share if it has one.

    *authority* is null for a jurisdiction on file of which none is enrolled. *ways* say what would lead
    to a permit, each by itself; unless *ways_complete*, there may be others. *items* only if asked for.
    """

    authority: str | None
    short: str | None
    jurisdiction: str | None
    outcome: Outcome
    obligations: dict[str, Any]
    missing: dict[str, int]
    ways: tuple[tuple[str, ...], ...]
    ways_complete: bool
    reasons: tuple[str, ...]
    rules: tuple[str, ...]
    explanation: str
    share: str | None
    state: ShareState | None
    items: tuple[MatchedItem, ...] | None


class MatchList(Answer, frozen=True):
    """What policy says of a package for every authority and jurisdiction there is."""

    package: str
    matches: tuple[Match, ...]


class Held(ShareDecided, frozen=True):
    """A held share, what the caller could clear of it, and when the proposal lapses."""

    yours: tuple[str, ...]
    expires: str


class RfaWaiting(Answer, frozen=True):
    """An open RFA and what it waits for."""

    rfa: str
    number: str | None
    authority: str
    state: RfaState
    due: str | None
    overdue: bool
    request: str
    waits_for: str


class Reviewable(Answer, frozen=True):
    """An item kept back that the caller could review; *yours* if she was named for it."""

    withheld: str
    item: str
    rfa: str | None
    recipient: str
    cause: Cause
    since: str
    yours: bool


class Approvals(Answer, frozen=True):
    """Held shares, RFAs from paper that the caller could confirm, and what she could review."""

    held: tuple[Held, ...]
    confirm: tuple[RfaWaiting, ...]
    review: tuple[Reviewable, ...]


class ShareWaiting(Answer, frozen=True):
    """An open share and what it waits for; *late* if it does so for too long."""

    share: str
    recipient: str
    state: ShareState
    since: str
    late: bool
    waits_for: str


class StoppedByDecision(Answer, frozen=True, tag_field="cause", tag="decision"):
    """The decision is no longer permit."""

    outcome: Outcome
    missing: dict[str, int]
    unmet: dict[str, tuple[str, ...]]
    reasons: tuple[str, ...]
    rules: tuple[str, ...]
    explanation: str


class StoppedByTerms(Answer, frozen=True, tag_field="cause", tag="terms"):
    """Obligations of these kinds are stricter now than in the terms that the recipient was given."""

    kinds: tuple[str, ...]


class StoppedByKey(Answer, frozen=True, tag_field="cause", tag="key"):
    """Keys that the share was sealed to are revoked, or not in the directory any more."""

    keys: tuple[str, ...]


class StoppedByRecipient(Answer, frozen=True, tag_field="cause", tag="recipient"):
    """The recipient is not there any more, or not an authority."""

    explanation: str


class Suspended(Answer, frozen=True):
    """A share that may not be pulled now, since when and why."""

    share: str
    recipient: str
    state: ShareState
    since: str
    why: StoppedByDecision | StoppedByTerms | StoppedByKey | StoppedByRecipient
    entry: str


class SuspendedList(Answer, frozen=True):
    """Every suspended share."""

    suspended: tuple[Suspended, ...]


class ShareExpiring(Answer, frozen=True):
    """A share and the last day on which it is served."""

    share: str
    recipient: str
    state: ShareState
    expires: str


class WithheldWaiting(Answer, frozen=True):
    """An item kept back that waits for its review, or must be offered, and for whom it waits."""

    withheld: str
    item: str
    rfa: str | None
    recipient: str
    reviewer: str | None
    since: str
    waits_for: str


class Standing(Answer, frozen=True):
    """Everything that is open. *expiring* are shares that end within 14 days; *stuck* says of shares why
    their release could not be finished.
    """

    rfas: tuple[RfaWaiting, ...]
    shares: tuple[ShareWaiting, ...]
    expiring: tuple[ShareExpiring, ...]
    suspended: tuple[Suspended, ...]
    withheld: tuple[WithheldWaiting, ...]
    stuck: dict[str, str]
    quarantine: str | None
    directory_expires: str


class Event(Answer, frozen=True):
    """A ledger entry as far as the mechanism's people may know it; what was erased is left out."""

    index: int
    entry: str
    kind: str | UnsetType = UNSET
    time: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET


class Events(Answer, frozen=True):
    """What happened since the cursor, and the cursor to ask with next."""

    events: tuple[Event, ...]
    next: int


class Consistency(Answer, frozen=True):
    """The proof that the first *old* entries begin the first *new*: hashes in base64url."""

    old: int
    new: int
    path: tuple[str, ...]


class LedgerEntry(Answer, frozen=True):
    """A leaf. *openings* only for the mechanism's compliance officers; null if they were erased."""

    index: int
    id: str
    leaf: str
    openings: str | UnsetType | None = UNSET


class LedgerPage(Answer, frozen=True):
    """A page of leaves, at most 500."""

    entries: tuple[LedgerEntry, ...]
