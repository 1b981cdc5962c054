"""The acts that make an item: upload, completion, deposit record."""

from enum import StrEnum
from typing import Any, Literal

import msgspec

from gateway.exchange.bounds import must_be_digest, must_be_id, must_be_size, must_have_text
from gateway.exchange.naming import check_name

MAX_PARTS = 100_000


class RelationKind(StrEnum):
    """What an item is to another one."""

    ORIGINAL = "original"
    COPY = "copy"
    TRANSLATION = "translation"
    TRANSCRIPT = "transcript"
    REDACTION = "redaction"


class Relation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The item's relation to another; *of* is that item's id, absent for an original."""

    kind: RelationKind = RelationKind.ORIGINAL
    of: str | None = None

    def __post_init__(self) -> None:
        if (self.kind is RelationKind.ORIGINAL) != (self.of is None):
            raise ValueError("every relation but original names the other item")
        if self.of is not None:
            must_be_id(self.of, "itm")


class Particulars(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What identifies an item to people. *name* is a relative path with `/`; *sha256* of the plaintext."""

    name: str
    media_type: str
    evidence_number: str
    size: int
    sha256: str
    relation: Relation = Relation()

    def __post_init__(self) -> None:
        check_name(self.name)
        must_have_text(self.media_type, 255, "media_type")
        must_have_text(self.evidence_number, 255, "evidence_number")
        must_be_size(self.size)
        must_be_digest(self.sha256)


class OpenUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="upload"):
    """Begin an upload of *size* bytes, to be sealed under *suite*."""

    id: str
    size: int
    suite: Literal["pq", "classic"]

    def __post_init__(self) -> None:
        must_be_id(self.id, "upl")
        must_be_size(self.size)


class Complete(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="complete"):
    """State what was uploaded: its particulars, facts, and the SHA-256 of every part in order."""

    upload: str
    particulars: Particulars
    facts: dict[str, Any]
    handling: str
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        must_be_id(self.upload, "upl")
        must_have_text(self.handling, 64, "handling")
        if len(self.parts) > MAX_PARTS:
            raise ValueError(f"at most {MAX_PARTS} parts")
        for part in self.parts:
            must_be_digest(part)


class Deposit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="deposit"):
    """The deposit record: what the depositor vouches for. Only its acceptance makes the item."""

    item: str
    vault_header: str
    body: str
    body_size: int
    size: int
    suite: Literal["pq", "classic"]
    facts: str
    particulars: str
    handling: str

    def __post_init__(self) -> None:
        must_be_id(self.item, "itm")
        must_be_size(self.size)
        must_be_size(self.body_size)
        for digest in (self.vault_header, self.body, self.facts, self.particulars):
            must_be_digest(digest)
