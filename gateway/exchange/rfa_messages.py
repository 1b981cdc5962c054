"""Messages of an authority to the mechanism about an RFA: signed by its endpoint or officer, content sealed.

The gateway reads the structured part and never the content, which is an age file for the mechanism's
people.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from gateway.exchange.directory import Actor
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Role, Use
from gateway.exchange.rfa_acts import MAX_CONTENT, Wanted, must_be_sealed
from gateway.exchange.rfas import Step
from gateway.kernel.errors import ForbiddenError, MalformedError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import Keys, Signer, sign, unverified_payload, verify
from gateway.kernel.time import instant

TYP = "eg-rfa"


class About(StrEnum):
    """What an authority says about its RFA."""

    REQUEST = "rfa.request"
    INFORMATION = "rfa.information"  # a reply to a question, or something unasked
    WITHDRAWAL = "rfa.withdrawal"


class RfaMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message. *wanted* stands in a request alone; a withdrawal may be without content."""

    v: int
    id: str
    sender: str
    by: str
    to: str
    at: str
    about: About
    rfa: str
    in_reply_to: str | None = None
    wanted: Wanted | None = None
    content: str | None = None

    def __post_init__(self) -> None:
        try:
            check_id(self.id, "msg")
            check_id(self.sender, "pty")
            check_id(self.to, "pty")
            check_id(self.by, "psn", "svc")
            check_id(self.rfa, "rfa")
            instant(self.at)
            if self.in_reply_to is not None:
                check_id(self.in_reply_to, "msg")
        except MalformedError as error:
            raise ValueError(str(error)) from None
        if self.v != 1:
            raise ValueError("expected a message of version 1")
        if (self.about is About.REQUEST) != (self.wanted is not None):
            raise ValueError("a request says what is wanted, and only a request does")
        if self.content is not None:
            must_be_sealed(self.content, MAX_CONTENT)
        elif self.about is not About.WITHDRAWAL:
            raise ValueError("content is missing: an age file for the mechanism's people")


def sign_rfa_message(message: RfaMessage, signer: Signer) -> bytes:
    """Sign a message."""
    return sign(TYP, plain(message), signer)


def open_rfa_message(container: bytes, actor: Actor, mechanism: str, now: datetime) -> RfaMessage:
    """Verify a message that *actor* sent: made and signed by that same person or service, for us.

    Raises MalformedError, VerificationError, or ForbiddenError if it is somebody else's.
    """
    claimed = build(unverified_payload(container), RfaMessage)
    if (claimed.by, claimed.sender) != (actor.id, actor.party.id):
        raise ForbiddenError("a message is sent by the one who signed it, for its own party")
    if claimed.to != mechanism:
        raise ForbiddenError("the message is for another party")
    if not {Role.ENDPOINT, Role.OFFICER} & set(actor.member.roles):
        raise ForbiddenError("this needs the role endpoint or officer")
    keys = actor.member.signing_keys(Use.MESSAGE, now)
    return verify_rfa_message(container, keys)


def verify_rfa_message(container: bytes, keys: Keys) -> RfaMessage:
    """Return the message that one of *keys* signed. Raises MalformedError or VerificationError."""
    return build(verify(TYP, container, keys)[0], RfaMessage)


def step_of(message: RfaMessage, *, asked: bool) -> Step:
    """Return what a message does to its RFA; *asked* if the authority was asked something."""
    if message.about is About.WITHDRAWAL:
        return Step.WITHDRAW
    return Step.REPLY if asked else Step.INFORM
