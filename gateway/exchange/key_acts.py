"""How a new envelope key is introduced, and how a share is wrapped anew: the acts and the proof.

The gateway seals a challenge to the key; its owner opens it and answers, signed; two persons of the
mechanism confirm that the key is the owner's. Only a key with this record is ever wrapped to.
"""

from datetime import datetime

import msgspec

from gateway.exchange.bounds import MAX_TEXT, must_be_digest, must_be_id, must_have_text
from gateway.exchange.directory import Actor
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Use
from gateway.kernel.encoding import hex_sha256, un_b64url
from gateway.kernel.errors import ForbiddenError, MalformedError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import Signer, sign, unverified_payload, verify
from gateway.kernel.time import instant

TYP_PROOF = "eg-key-proof"
TYP_OFFER = "eg-key-offer"
CONFIRMATIONS = 2
"""So many different persons confirm a key before it is used."""

_SECRET = 32  # bytes of a challenge


class ChallengeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="key.challenge"):
    """Have a challenge sealed to the envelope key with this fingerprint."""

    id: str
    key: str

    def __post_init__(self) -> None:
        must_be_id(self.id, "chl")
        must_be_digest(self.key)


class ConfirmKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="key.confirm"):
    """Confirm that the key which opened a challenge is its owner's; *how* says by which other channel.

    *proof* is the digest of the owner's signed answer.
    """

    id: str
    challenge: str
    key: str
    proof: str
    how: str

    def __post_init__(self) -> None:
        must_be_id(self.id, "kcf")
        must_be_id(self.challenge, "chl")
        must_be_digest(self.key)
        must_be_digest(self.proof)
        must_have_text(self.how, MAX_TEXT, "how")


class RewrapShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="share.rewrap"):
    """Have the headers of one open share wrapped to its authority's keys as they are now."""

    id: str
    share: str

    def __post_init__(self) -> None:
        must_be_id(self.id, "rwp")
        must_be_id(self.share, "shr")


class KeyProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The owner's answer to a challenge: *answer* is what its age file holds, base64url of 32 bytes."""

    v: int
    id: str
    challenge: str
    key: str
    answer: str
    by: str
    at: str

    def __post_init__(self) -> None:
        _must(self.v == 1, "expected a proof of version 1")
        must_be_id(self.id, "prf")
        must_be_id(self.challenge, "chl")
        must_be_digest(self.key)
        _must_hold(self.by, self.at)
        try:
            un_b64url(self.answer, size=_SECRET)
        except MalformedError as error:
            raise ValueError(str(error)) from None


class KeyOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new public envelope key, as its owner hands it to the mechanism for the directory."""

    v: int
    alg: str
    public: str
    by: str
    at: str

    def __post_init__(self) -> None:
        _must(self.v == 1, "expected an offer of version 1")
        _must_hold(self.by, self.at)


def _must(holds: bool, says: str) -> None:
    if not holds:
        raise ValueError(says)


def _must_hold(by: str, at: str) -> None:
    try:
        check_id(by, "psn", "svc")
        instant(at)
    except MalformedError as error:
        raise ValueError(str(error)) from None


def challenge_text(challenge: str, secret: bytes) -> bytes:
    """Return what is sealed to the key: id, a line feed, and the 32 bytes of *secret*."""
    return challenge.encode() + b"\n" + secret


def read_challenge(challenge: str, text: bytes) -> bytes:
    """Return the secret of an opened challenge. Raises MalformedError if it is another's."""
    name, _, secret = text.partition(b"\n")
    if name != challenge.encode() or len(secret) != _SECRET:
        raise MalformedError("what was opened is not this challenge")
    return secret


def challenge_digest(challenge: str, secret: bytes) -> str:
    """Return what the gateway keeps of a challenge: from it, the answer cannot be found."""
    return hex_sha256(challenge_text(challenge, secret))


def sign_proof(proof: KeyProof, signer: Signer) -> bytes:
    """Sign an answer with the owner's message key."""
    return sign(TYP_PROOF, plain(proof), signer)


def open_proof(container: bytes, actor: Actor, now: datetime) -> KeyProof:
    """Verify an answer that *actor* sent: made and signed by that same person or service.

    Raises MalformedError, VerificationError, or ForbiddenError if another one sent it.
    """
    claimed = build(unverified_payload(container), KeyProof)
    if claimed.by != actor.id:
        raise ForbiddenError("a proof is sent by the one who signed it")
    return build(
        verify(TYP_PROOF, container, actor.member.signing_keys(Use.MESSAGE, now))[0], KeyProof
    )


def sign_offer(offer: KeyOffer, signer: Signer) -> bytes:
    """Sign an offer with the owner's message key."""
    return sign(TYP_OFFER, plain(offer), signer)


def offered_by(container: bytes) -> str:
    """Return who an offer says it is of; nothing is verified yet. Raises MalformedError."""
    return build(unverified_payload(container), KeyOffer).by


def open_offer(container: bytes, actor: Actor, now: datetime) -> KeyOffer:
    """Verify an offer of *actor*. Raises MalformedError or VerificationError."""
    return build(
        verify(TYP_OFFER, container, actor.member.signing_keys(Use.MESSAGE, now))[0], KeyOffer
    )
