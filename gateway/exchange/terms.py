"""Terms of use as they bind a recipient: what is announced, what is signed, and until when they hold.

The terms are the merged obligations of the decision on which a share was released. They stand in the
inner manifest, so that a recipient reads them before anything else is decrypted; their digest is that of
their canonical JSON, which needs nothing but the inner manifest.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from gateway.exchange.directory import Actor
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Role, Use
from gateway.kernel.encoding import Json, digest_of, is_hex_digest
from gateway.kernel.errors import ForbiddenError, MalformedError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import Signer, sign, unverified_payload, verify
from gateway.kernel.time import instant

TYP = "eg-terms"
TERMS, SIGNED = "terms", "signed"
EXPIRY = "expiry_days"
SUPPORTS = (EXPIRY, "handling", "onward", "purposes", TERMS)
"""The kinds of obligation that this version's endpoint program honours, for the directory."""


class SignedTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An officer's word that the terms of one share are accepted.

    *manifest* is the hex SHA-256 of the signed manifest, and so fixes the day on which the share
    expires; *terms* the digest of the terms.
    """

    v: int
    id: str
    share: str
    manifest: str
    terms: str
    accepted: Literal[True]
    by: str
    at: str

    def __post_init__(self) -> None:
        try:
            check_id(self.id, "trm")
            check_id(self.share, "shr")
            check_id(self.by, "psn", "svc")
            instant(self.at)
        except MalformedError as error:
            raise ValueError(str(error)) from None
        if self.v != 1 or not (is_hex_digest(self.manifest) and is_hex_digest(self.terms)):
            raise ValueError("expected signed terms of version 1 with both digests")


def terms_digest(terms: Mapping[str, Json]) -> str:
    """Return the digest of terms, as they stand in the inner manifest."""
    return digest_of(dict(terms))


def to_be_signed(terms: Mapping[str, Json]) -> bool:
    """Tell whether terms ask for an officer's signature before anything is served."""
    return terms.get(TERMS) == SIGNED


def last_day(terms: Mapping[str, Json], issued: datetime) -> str | None:
    """Return the last day (UTC) on which a share under these terms is served; None without a term.

    It is counted from the day on which the manifest was signed. A term that no calendar can hold is none.
    """
    days = terms.get(EXPIRY)
    if not isinstance(days, int) or days > (date.max - issued.date()).days:
        return None
    return (issued.date() + timedelta(days=days)).isoformat()


def sign_terms(said: SignedTerms, signer: Signer) -> bytes:
    """Sign the acceptance of terms."""
    return sign(TYP, plain(said), signer)


def open_terms(container: bytes, actor: Actor, now: datetime) -> SignedTerms:
    """Verify signed terms that *actor* sent: a person with role officer, with her own message key.

    Raises MalformedError, VerificationError, or ForbiddenError for one who may not sign them.
    """
    claimed = build(unverified_payload(container), SignedTerms)
    if claimed.by != actor.id:
        raise ForbiddenError("terms are sent by the one who signed them")
    if not actor.member.is_person or Role.OFFICER not in actor.member.roles:
        raise ForbiddenError("terms are signed by a person with role officer")
    keys = actor.member.signing_keys(Use.MESSAGE, now)
    return build(verify(TYP, container, keys)[0], SignedTerms)
