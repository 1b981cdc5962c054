"""The answers about envelope keys."""

from gateway.exchange.parties import Status as KeyStatus
from gateway.exchange.shares import State as ShareState
from gateway.web.openapi.answers import Answer


class KeyListed(Answer, frozen=True):
    """An envelope key. *introduced* is null until it may be used; *next* says what to do, or is empty."""

    key: str
    party: str
    short: str
    member: str
    alg: str
    status: KeyStatus
    not_after: str
    introduced: str | None
    challenge: str | None
    proof: str | None
    confirmed_by: tuple[str, ...]
    next: str


class KeyList(Answer, frozen=True):
    """Every envelope key of the directory set of this number."""

    keys: tuple[KeyListed, ...]
    directory: int


class Opened(Answer, frozen=True):
    """A header that a key could open: made when, first fetched when, deleted when."""

    item: str
    share: str
    n: int
    rewrap: int
    authority: str
    state: ShareState
    at: str
    fetched: str | None
    deleted: str | None


class KeyExposure(Answer, frozen=True):
    """What a key could open. *headers* and *deleted* count all of it, *next* is the cursor of the rest."""

    key: str
    party: str
    status: KeyStatus | None
    headers: int
    deleted: int
    opens: tuple[Opened, ...]
    next: str | None


class KeyChallenged(Answer, frozen=True):
    """A challenge was sealed to a key."""

    challenge: str
    key: str
    party: str
    entry: str


class ChallengeOpen(Answer, frozen=True):
    """A challenge that waits for its answer. *sealed* is an age file to the key, in base64url."""

    challenge: str
    key: str
    member: str
    sealed: str
    at: str


class ChallengeList(Answer, frozen=True):
    """The unanswered challenges, oldest first."""

    challenges: tuple[ChallengeOpen, ...]


class KeyProved(Answer, frozen=True):
    """The owner has the key."""

    challenge: str
    key: str
    entry: str


class KeyConfirmed(Answer, frozen=True):
    """A person's word was kept. *missing* is how many more it takes."""

    challenge: str
    key: str
    introduced: bool
    missing: int
    entry: str


class RewrapsDue(Answer, frozen=True):
    """Shares that are wrapped to other keys than their authority has."""

    authority: str
    shares: tuple[str, ...]


class ShareRewrapped(Answer, frozen=True):
    """A share has new headers, for the *rewrap*th time, under a new manifest."""

    share: str
    state: ShareState
    manifest: str
    rewrap: int
    entry: str
