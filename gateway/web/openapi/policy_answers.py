"""The answers about policy sets and recorded decisions."""

from typing import Any, Literal

from gateway.policy import Outcome
from gateway.web.openapi.answers import Answer


class PolicyAccepted(Answer, frozen=True):
    """A set came into force. *flips* is the digest of what it turned to permit, if it turned anything."""

    number: int
    set: str
    manifest: str
    signers: tuple[str, ...]
    flips: str | None
    entry: str


class PolicyKept(Answer, frozen=True):
    """A set that came into force: digests of rules and of manifest, and by whose order, if by one."""

    number: int
    set: str
    manifest: str
    actor: str | None
    order: str | None
    at: str


class PolicyList(Answer, frozen=True):
    """Every set that came into force, oldest first, and the number of the one in force."""

    sets: tuple[PolicyKept, ...]
    in_force: int | None


class PolicyShown(Answer, frozen=True):
    """A set with its signed manifest and its files as texts."""

    number: int
    set: str
    manifest: str
    actor: str | None
    order: str | None
    at: str
    signed: str
    files: dict[str, str]


class PolicyFlip(Answer, frozen=True):
    """One kind of change of recorded decisions, how many there are, and the first of them."""

    before: Outcome
    after: Outcome
    rules: tuple[str, ...]
    product: str
    jurisdiction: str
    count: int
    decisions: tuple[str, ...]


class PolicyPreview(Answer, frozen=True):
    """What a set would change, and what keeps it from coming into force.

    *flips_digest* is what a sign-off names; *signed_off* who agreed to just that.
    """

    number: int | None
    manifest: str | None
    policy: str | None
    signers: tuple[str, ...]
    signed_off: tuple[str, ...]
    problems: tuple[str, ...]
    decisions: int
    flips: tuple[PolicyFlip, ...]
    flips_digest: str


class PolicySignedOff(Answer, frozen=True):
    """A sign-off was kept, and its ledger entry."""

    signoff: str
    entry: str


class RecordedShort(Answer, frozen=True):
    """A recorded decision in short. *outcome* has clearances applied; *policy* is the set's digest."""

    share: str
    n: int
    stage: Literal["propose", "approve", "release", "change", "range"]
    outcome: Outcome
    policy: str
    digest: str
    at: str


class RecordedList(Answer, frozen=True):
    """The recorded decisions of a share, oldest first."""

    share: str
    decisions: tuple[RecordedShort, ...]


class RecordedDecision(Answer, frozen=True):
    """A recorded decision as it was made, and the facts of each item that it was made on."""

    share: str
    n: int
    stage: Literal["propose", "approve", "release", "change", "range"]
    outcome: Outcome
    policy: str
    digest: str
    at: str
    decision: dict[str, Any]
    facts: tuple[dict[str, Any], ...]
