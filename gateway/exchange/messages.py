"""Messages: what the mechanism tells an authority through its inbox, signed, numbered, de-duplicated by id."""

from enum import StrEnum

import msgspec

from gateway.exchange.parse import build, plain
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import Signer, sign, verify
from gateway.kernel.time import instant

TYP = "eg-message"


class About(StrEnum):
    """What a message announces."""

    SHARE_AVAILABLE = "share.available"
    SHARE_RECALLED = "share.recalled"


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message. *seq* counts per recipient from 1; *ask* is what a recall asks for."""

    v: int
    id: str
    to: str
    seq: int
    at: str
    about: About
    share: str
    in_reply_to: str | None = None
    ask: str | None = None

    def __post_init__(self) -> None:
        try:
            check_id(self.id, "msg")
            check_id(self.to, "pty")
            check_id(self.share, "shr")
            instant(self.at)
        except MalformedError as error:
            raise ValueError(str(error)) from None
        if self.v != 1 or self.seq < 1:
            raise ValueError("expected a message of version 1")


def sign_message(message: Message, signer: Signer) -> bytes:
    """Sign a message."""
    return sign(TYP, plain(message), signer)


def open_message(container: bytes, keys: dict[str, bytes], *, to: str) -> Message:
    """Verify a message to the party *to*. Raises VerificationError."""
    message = build(verify(TYP, container, keys)[0], Message)
    if message.to != to:
        raise VerificationError("the message is for another recipient")
    return message
