"""What happened before there was a gateway, as somebody declares it: told apart from signed acts for ever."""

from typing import Literal

import msgspec

from gateway.exchange.bounds import must_be_day, must_be_digest, must_be_id, must_have_text

MAX_ROWS = 500
"""Rows in one order: one request body, one short transaction."""


class DeclaredRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa"):
    """An earlier RFA, by the mechanism's number for it."""

    number: str
    authority: str
    investigation: str
    received: str
    outcome: Literal["answered", "no_material", "declined", "withdrawn", "open"]

    def __post_init__(self) -> None:
        must_have_text(self.number, 64, "number")
        must_have_text(self.authority, 64, "authority")
        must_have_text(self.investigation, 128, "investigation")
        must_be_day(self.received)


class DeclaredShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="share"):
    """An earlier share. *rfa* is the number of the RFA it answered; empty when it was proactive."""

    number: str
    authority: str
    product: Literal["information", "evidence", "analytical_product"]
    purpose: str
    shared: str
    rfa: str = ""

    def __post_init__(self) -> None:
        must_have_text(self.number, 64, "number")
        must_have_text(self.authority, 64, "authority")
        must_have_text(self.purpose, 64, "purpose")
        must_be_day(self.shared)
        if len(self.rfa) > 64:
            raise ValueError("rfa has at most 64 characters")


class DeclaredHolder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="holder"):
    """That an authority already holds an item, known by the SHA-256 of its plaintext."""

    sha256: str
    authority: str
    purpose: str
    since: str

    def __post_init__(self) -> None:
        must_be_digest(self.sha256)
        must_have_text(self.authority, 64, "authority")
        must_have_text(self.purpose, 64, "purpose")
        must_be_day(self.since)


Row = DeclaredRfa | DeclaredShare | DeclaredHolder


class Declare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="declare"):
    """Declare up to 500 rows of history, taken from a file with this SHA-256."""

    id: str
    file: str
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        must_be_id(self.id, "dcl")
        must_be_digest(self.file)
        if not 0 < len(self.rows) <= MAX_ROWS:
            raise ValueError(f"a declaration has 1 to {MAX_ROWS} rows")
