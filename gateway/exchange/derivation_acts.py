"""The attestation that one item is a derivative of another: redacted, or marked for one recipient.

Derivatives are made and checked on the sharing team's side, before anything is sealed; the gateway sees
neither original nor derivative in clear. What it enforces is that a person attested the derivation, of
exactly these bytes, and that the checks she names passed.
"""

from collections.abc import Collection
from typing import Literal

import msgspec

from gateway.exchange.bounds import must_be_digest, must_be_id, must_have_text
from gateway.exchange.deposit_acts import Relation, RelationKind

MAX_CHECKS = 64
MAX_REMOVED = 64


class DerivationCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One check of the derivative's bytes, by name, with what it found, for people."""

    name: str
    passed: bool
    detail: str

    def __post_init__(self) -> None:
        must_have_text(self.name, 128, "name")
        must_have_text(self.detail, 512, "detail")


class Derive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="item.derive"):
    """Attest that *item* was made from *original*, both deposited, the digests being of their plaintext.

    *removed* names what was taken out, in the words of the obligation `redact`; *mark* how the copy is
    marked, and *recipient* (a party id) whom a mark is for. A failed check is no attestation.
    """

    id: str
    item: str
    item_sha256: str
    original: str
    original_sha256: str
    method: str
    removed: tuple[str, ...]
    mark: Literal["none", "visible", "forensic"]
    recipient: str | None
    checks: tuple[DerivationCheck, ...]

    def __post_init__(self) -> None:
        must_be_id(self.id, "drv")
        must_be_id(self.item, "itm")
        must_be_id(self.original, "itm")
        must_be_digest(self.item_sha256)
        must_be_digest(self.original_sha256)
        must_have_text(self.method, 255, "method")
        if self.item == self.original or self.item_sha256 == self.original_sha256:
            raise ValueError("a derivative is another file than its original")
        if len(set(self.removed)) != len(self.removed) or len(self.removed) > MAX_REMOVED:
            raise ValueError("what was removed is named once each")
        if not self.removed and self.mark == "none":
            raise ValueError("a derivative has something removed, or a mark")
        if (self.mark == "none") != (self.recipient is None):
            raise ValueError("a mark is for one recipient")
        if self.recipient is not None:
            must_be_id(self.recipient, "pty")
        if not 1 <= len(self.checks) <= MAX_CHECKS:
            raise ValueError(f"a derivation names 1 to {MAX_CHECKS} checks")
        if not all(check.passed for check in self.checks):
            raise ValueError("a check of the derivative failed")


def relation_to(original: str, removed: Collection[str]) -> Relation:
    """Return the relation with which a derivative is deposited: without something, or only marked."""
    return Relation(RelationKind.REDACTION if removed else RelationKind.COPY, original)
