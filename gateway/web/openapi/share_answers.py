"""The answers about uploads, items, packages and shares."""

from typing import Any, Literal

from gateway.exchange.share_acts import ReleaseItem
from gateway.exchange.shares import State as ShareState
from gateway.policy import Outcome
from gateway.web.openapi.answers import Answer


class UploadOpened(Answer, frozen=True):
    """An upload that takes parts of at most *part_size* bytes."""

    upload: str
    part_size: int


class UploadSealed(Answer, frozen=True):
    """What was sealed: the depositor compares it with what was sent, then signs the deposit record."""

    item: str
    vault_header: str
    body: str
    body_size: int
    size: int
    suite: Literal["pq", "classic"]
    handling: str
    facts: str
    particulars: str


class ItemDeposited(Answer, frozen=True):
    """An item that is there from now on, and its ledger entry."""

    item: str
    entry: str


class PackageMade(Answer, frozen=True):
    """A package that is there from now on, and its ledger entry."""

    package: str
    entry: str


class Fired(Answer, frozen=True):
    """A rule that fired. *established* is false when its condition is unknown."""

    rule: str
    effect: Literal["permit", "deny", "require"]
    established: bool


class Decision(Answer, frozen=True):
    """A decision as it is recorded: rules that fired, obligations, digests of policy, facts and basis."""

    outcome: Outcome
    fired: tuple[Fired, ...]
    obligations: dict[str, Any]
    before: tuple[str, ...]
    reasons: tuple[str, ...]
    policy: str
    facts: str
    basis: str
    bases: dict[str, str]
    good_until: str | None
    engine: str
    after_clearances: Outcome
    missing: dict[str, int]
    unmet: dict[str, tuple[str, ...]]


class ShareDecided(Answer, frozen=True):
    """A share as the mechanism reads it. *missing* counts the clearances that are lacking, by name."""

    share: str
    recipient: str
    package: str
    state: ShareState
    outcome: Outcome
    missing: dict[str, int]
    basis: str
    bases: dict[str, str]
    items: tuple[ReleaseItem, ...]
    explanation: str
    decision: Decision


class ShareReleased(ShareDecided, frozen=True):
    """A share that was released. *withheld_unreviewed* are exculpatory items that its authority does
    not get on the same RFA or case, and that nobody has reviewed.
    """

    withheld_unreviewed: tuple[str, ...]


class ShareEvent(Answer, frozen=True):
    """One step in a share's life. *actor* is null for what the gateway does by itself."""

    state: ShareState
    actor: str | None
    entry: str
    at: str


class ReceiptKept(Answer, frozen=True):
    """A receipt that was taken."""

    id: str
    rung: str
    actor: str
    at: str


class TermsSigned(Answer, frozen=True):
    """The signature of an officer of the recipient under the terms."""

    id: str
    actor: str
    at: str


class ShareShown(ShareDecided, frozen=True):
    """A share with its life and its receipts; *expires* is the last day on which it is served."""

    life: tuple[ShareEvent, ...]
    receipts: tuple[ReceiptKept, ...]
    expires: str | None
    terms_signed: TermsSigned | None


class ShareListed(Answer, frozen=True):
    """A share in short."""

    share: str
    recipient: str
    package: str
    state: ShareState


class ShareList(Answer, frozen=True):
    """Every share."""

    shares: tuple[ShareListed, ...]


class ShareMoved(Answer, frozen=True):
    """The state of a share after a recall, a receipt or a signature, and the ledger entry of that."""

    share: str
    state: ShareState
    entry: str


class ShareEvidence(Answer, frozen=True):
    """The ledger's evidence. *openings* is an age file to the recipient's keys, in base64url."""

    leaf: str
    proof: str
    openings: str


class Inbox(Answer, frozen=True):
    """Messages, each a signed object as text, and the cursor to ask with next."""

    messages: tuple[str, ...]
    next: int
