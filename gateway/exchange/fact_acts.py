"""The acts that state and change facts: attestations about states and cases, amendments of items.

A fact about a state or case is an attestation of a named officer that cites its evidence by digest and
ends on a day. The machine never makes such a judgement; it only insists that one exists and is fresh.
"""

from typing import Any, Literal

import msgspec

from gateway.exchange.bounds import (
    MAX_TEXT,
    must_be_day,
    must_be_digest,
    must_be_id,
    must_have_text,
)


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an attestation rests on: an RFA's message or a document, by SHA-256 and a name for people."""

    kind: Literal["rfa", "document"]
    digest: str
    label: str

    def __post_init__(self) -> None:
        must_be_digest(self.digest)
        must_have_text(self.label, 255, "label")


class Attest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="fact.attest"):
    """Attest that *fact* is *value* for a jurisdiction, from one day to another, both inclusive.

    *authority* (a party id) and *case* narrow it. A later attestation of the same fact, as narrow,
    takes the place of an earlier one; when it ends, the fact is unknown.
    """

    id: str
    fact: str
    value: Any
    jurisdiction: str
    evidence: Evidence
    valid_from: str
    valid_to: str
    authority: str | None = None
    case: str | None = None

    def __post_init__(self) -> None:
        must_be_id(self.id, "att")
        must_have_text(self.fact, 128, "fact")
        must_have_text(self.jurisdiction, 16, "jurisdiction")
        if self.value is None:
            raise ValueError("an attestation states a value; to take one back, end it")
        if not self.fact.startswith("recipient.") or self.fact == "recipient.jurisdiction":
            raise ValueError("an attestation is of a fact about recipients")
        must_be_day(self.valid_from)
        must_be_day(self.valid_to)
        if self.valid_to < self.valid_from:
            raise ValueError("an attestation ends after it begins")
        if self.authority is not None:
            must_be_id(self.authority, "pty")
        if self.case is not None:
            must_have_text(self.case, 128, "case")


class EndAttestation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="fact.end"):
    """End an attestation at once."""

    attestation: str
    reason: str

    def __post_init__(self) -> None:
        must_be_id(self.attestation, "att")
        must_have_text(self.reason, MAX_TEXT, "reason")


class Amend(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="amend"):
    """Change an item's facts, such as its consent or embargo: *before* is the digest of those replaced."""

    id: str
    item: str
    before: str
    facts: dict[str, Any]
    evidence: Evidence

    def __post_init__(self) -> None:
        must_be_id(self.id, "amd")
        must_be_id(self.item, "itm")
        must_be_digest(self.before)
