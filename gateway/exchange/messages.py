"""Messages: what the mechanism tells an authority through its inbox, signed, numbered, de-duplicated by id."""

from enum import StrEnum

import msgspec

from gateway.exchange.bounds import must_be_day
from gateway.exchange.parse import build, plain
from gateway.exchange.rfa_acts import MAX_LETTER, must_be_sealed
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import Keys, Signer, sign, verify
from gateway.kernel.time import instant

TYP = "eg-message"


class About(StrEnum):
    """What a message announces."""

    SHARE_AVAILABLE = "share.available"
    SHARE_RECALLED = "share.recalled"
    SHARE_EXPIRED = "share.expired"
    SHARE_REWRAPPED = "share.rewrapped"  # to other keys: there is a new manifest
    RFA_RECEIVED = "rfa.received"  # the receipt of an RFA or of what was added to it
    RFA_REGISTERED = "rfa.registered"
    RFA_QUESTION = "rfa.question"
    RFA_NOTE = "rfa.note"
    RFA_EXTENDED = "rfa.extended"
    RFA_ANSWERED = "rfa.answered"
    RFA_DECLINED = "rfa.declined"
    RFA_REOPENED = "rfa.reopened"
    RFA_CLOSED = "rfa.closed"


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message, about one share or one RFA. *seq* counts per recipient from 1.

    *ask* is what a recall asks for; *number* the mechanism's for the RFA; *due* a date; *outcome* how an RFA was answered; *content* an age
    file in base64url, sealed to the authority's people by the officer who wrote it.
    """

    v: int
    id: str
    to: str
    seq: int
    at: str
    about: About
    share: str | None = None
    in_reply_to: str | None = None
    ask: str | None = None
    rfa: str | None = None
    number: str | None = None
    due: str | None = None
    outcome: str | None = None
    content: str | None = None

    def __post_init__(self) -> None:
        try:
            check_id(self.id, "msg")
            check_id(self.to, "pty")
            instant(self.at)
            if self.share is not None:
                check_id(self.share, "shr")
            if self.rfa is not None:
                check_id(self.rfa, "rfa")
        except MalformedError as error:
            raise ValueError(str(error)) from None
        if self.v != 1 or self.seq < 1:
            raise ValueError("expected a message of version 1")
        self._check_subject()

    def _check_subject(self) -> None:
        of_share = self.about.startswith("share.")
        if of_share != (self.share is not None) or of_share is (self.rfa is not None):
            raise ValueError("a message is about one share, or about one RFA")
        if self.due is not None:
            must_be_day(self.due)
        if self.content is not None:
            must_be_sealed(self.content, MAX_LETTER)


def sign_message(message: Message, signer: Signer) -> bytes:
    """Sign a message."""
    return sign(TYP, plain(message), signer)


def open_message(container: bytes, keys: Keys, *, to: str) -> Message:
    """Verify a message to the party *to*. Raises VerificationError."""
    message = build(verify(TYP, container, keys)[0], Message)
    if message.to != to:
        raise VerificationError("the message is for another recipient")
    return message
