"""The acts around a share: package, proposal, clearances, release, recall."""

from enum import StrEnum
from typing import Literal

import msgspec

from gateway.exchange.bounds import MAX_TEXT, must_be_digest, must_be_id, must_have_text
from gateway.exchange.parties import Role

MAX_ITEMS = 1000


class Product(StrEnum):
    """The three kinds of product that the mechanism shares."""

    INFORMATION = "information"
    EVIDENCE = "evidence"
    ANALYTICAL_PRODUCT = "analytical_product"


class Ask(StrEnum):
    """What a recall asks of the authority. Destruction takes a second order and is not built yet."""

    SEQUESTER = "sequester"


class Basis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a package may be shared: the RFA it answers, or the rationale of sharing it unasked."""

    mode: Literal["requested", "proactive"]
    purpose: str
    case: str
    rfa: str | None = None
    rationale: str | None = None

    def __post_init__(self) -> None:
        must_have_text(self.purpose, 64, "purpose")
        must_have_text(self.case, 128, "case")
        if (self.mode == "requested") != (self.rfa is not None):
            raise ValueError("a requested package names its RFA, and only such a one")
        if (self.mode == "proactive") != (self.rationale is not None):
            raise ValueError("a proactive package has a rationale, and only such a one")
        if self.rfa is not None:
            must_be_id(self.rfa, "rfa")
        if self.rationale is not None:
            must_have_text(self.rationale, MAX_TEXT, "rationale")


class MakePackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="package"):
    """Put items together under one basis."""

    id: str
    product: Product
    basis: Basis
    items: tuple[str, ...]
    note: str = ""

    def __post_init__(self) -> None:
        must_be_id(self.id, "pkg")
        if not 0 < len(self.items) <= MAX_ITEMS or len(set(self.items)) != len(self.items):
            raise ValueError(f"a package has 1 to {MAX_ITEMS} different items")
        for item in self.items:
            must_be_id(item, "itm")
        if len(self.note) > MAX_TEXT:
            raise ValueError(f"a note has at most {MAX_TEXT} characters")


class Propose(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="propose"):
    """Propose a package to one authority."""

    share: str
    package: str
    recipient: str

    def __post_init__(self) -> None:
        must_be_id(self.share, "shr")
        must_be_id(self.package, "pkg")
        must_be_id(self.recipient, "pty")


class ReleaseItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a release, by the digests that its deposit record states."""

    item: str
    vault_header: str
    body: str

    def __post_init__(self) -> None:
        must_be_id(self.item, "itm")
        must_be_digest(self.vault_header)
        must_be_digest(self.body)


class Approve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="approve"):
    """Clear one obligation of a held share in one *role*; void when items or basis change."""

    id: str
    share: str
    recipient: str
    role: Role
    basis: str
    items: tuple[ReleaseItem, ...]

    def __post_init__(self) -> None:
        must_be_id(self.id, "clr")
        must_be_id(self.share, "shr")
        must_be_id(self.recipient, "pty")
        must_be_digest(self.basis)


class Consult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="consult"):
    """Record that *whom* an obligation names was consulted and agreed; *evidence* is a document's digest.

    A consultation that was answered no is no clearance: amend the item's consent instead.
    """

    id: str
    share: str
    recipient: str
    whom: str
    evidence: str
    basis: str
    items: tuple[ReleaseItem, ...]

    def __post_init__(self) -> None:
        must_be_id(self.id, "clr")
        must_be_id(self.share, "shr")
        must_be_id(self.recipient, "pty")
        must_have_text(self.whom, 64, "whom")
        must_be_digest(self.evidence)
        must_be_digest(self.basis)


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="release"):
    """Release one share: repeats the recipient and every item's digests, for the keyholder to compare."""

    share: str
    recipient: str
    items: tuple[ReleaseItem, ...]

    def __post_init__(self) -> None:
        must_be_id(self.share, "shr")
        must_be_id(self.recipient, "pty")
        if not self.items:
            raise ValueError("a release names at least one item")


class Recall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="recall"):
    """Recall one share. *reason* stays with the mechanism: a recall never says why."""

    share: str
    ask: Ask
    reason: str

    def __post_init__(self) -> None:
        must_be_id(self.share, "shr")
        must_have_text(self.reason, MAX_TEXT, "reason")
