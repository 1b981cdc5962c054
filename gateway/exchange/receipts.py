"""Receipts: a ladder of rungs, each signed by the recipient's side with a message key."""

from datetime import datetime
from enum import StrEnum

import msgspec

from gateway.exchange.directory import Actor
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Role, Use
from gateway.exchange.shares import Step
from gateway.kernel.encoding import is_hex_digest
from gateway.kernel.errors import ForbiddenError, MalformedError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import Signer, sign, unverified_payload, verify
from gateway.kernel.time import instant

TYP = "eg-receipt"


class Rung(StrEnum):
    """How far the recipient vouches to have come."""

    PULLED = "pulled"  # endpoint: every byte arrived and matches the manifest
    VERIFIED = "verified"  # endpoint: everything decrypted to the stated plaintext digests
    OPENED = "opened"  # officer
    ACCEPTED = "accepted"  # officer
    REJECTED = "rejected"  # officer


STEP = {
    Rung.PULLED: Step.PULL,
    Rung.VERIFIED: Step.VERIFY,
    Rung.OPENED: Step.OPEN,
    Rung.ACCEPTED: Step.ACCEPT,
    Rung.REJECTED: Step.REJECT,
}
_OFFICER = frozenset({Rung.OPENED, Rung.ACCEPTED, Rung.REJECTED})


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rung for one share. *manifest* is the hex SHA-256 of the signed manifest it answers."""

    v: int
    id: str
    share: str
    manifest: str
    rung: Rung
    by: str
    at: str

    def __post_init__(self) -> None:
        try:
            check_id(self.id, "rcp")
            check_id(self.share, "shr")
            check_id(self.by, "psn", "svc")
            instant(self.at)
        except MalformedError as error:
            raise ValueError(str(error)) from None
        if self.v != 1 or not is_hex_digest(self.manifest):
            raise ValueError("expected a receipt of version 1 with the manifest's digest")


def sign_receipt(receipt: Receipt, signer: Signer) -> bytes:
    """Sign a receipt."""
    return sign(TYP, plain(receipt), signer)


def open_receipt(container: bytes, actor: Actor, now: datetime) -> Receipt:
    """Verify a receipt that *actor* sent: made and signed by that same person or service.

    Raises MalformedError, VerificationError, or ForbiddenError for a rung that is not the actor's.
    """
    claimed = build(unverified_payload(container), Receipt)
    if claimed.by != actor.id:
        raise ForbiddenError("a receipt is sent by the one who signed it")
    keys = actor.member.signing_keys(Use.MESSAGE, now)
    receipt = build(verify(TYP, container, keys)[0], Receipt)
    officer = receipt.rung in _OFFICER
    role = Role.OFFICER if officer else Role.ENDPOINT
    if actor.member.is_person is not officer or role not in actor.member.roles:
        raise ForbiddenError(
            f"the rung {receipt.rung.value} is signed by one with role {role.value}"
        )
    return receipt
