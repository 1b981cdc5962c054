"""The acts of the mechanism's officers on an RFA, and what an authority may ask for.

Texts for the authority are sealed by the officer's own tool to the authority's people: *content* is
an age file in base64url, which the gateway carries and cannot read.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from gateway.exchange.bounds import (
    MAX_TEXT,
    must_be_day,
    must_be_digest,
    must_be_id,
    must_have_text,
)
from gateway.exchange.share_acts import Product
from gateway.kernel.encoding import un_b64url
from gateway.kernel.errors import MalformedError

MAX_CONTENT = 4 << 20  # characters of base64url: twice encoded, it still fits one request body
MAX_LETTER = 512 << 10  # characters: a page of the inbox has up to 100 of them; more is a share
_AGE = b"age-encryption.org/v1\n"


class Crime(StrEnum):
    """The core international crimes that an RFA may be about."""

    GENOCIDE = "genocide"
    CRIMES_AGAINST_HUMANITY = "crimes_against_humanity"
    WAR_CRIMES = "war_crimes"
    AGGRESSION = "aggression"


class CheckName(StrEnum):
    """The five checks of admissibility."""

    AUTHORITY = "authority"  # a competent criminal-justice authority asks
    CORE_CRIMES = "core_crimes"
    FAIR_TRIAL = "fair_trial"
    PENALTY = "penalty"  # no death penalty, or an assurance against it
    FORM = "form"


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The structured part of an RFA. *investigation* is the authority's own reference.

    What is wanted in words is sealed content; here stands only what must be counted and decided on.
    """

    investigation: str
    purpose: str
    crimes: tuple[Crime, ...]
    products: tuple[Product, ...]
    death_penalty: Literal["excluded", "possible", "unknown"]
    in_absentia: bool = False
    due: str | None = None
    parent: str | None = None

    def __post_init__(self) -> None:
        must_have_text(self.investigation, 128, "investigation")
        must_have_text(self.purpose, 64, "purpose")
        if not self.crimes or len(set(self.crimes)) != len(self.crimes):
            raise ValueError("an RFA names its crimes, each once")
        if not self.products or len(set(self.products)) != len(self.products):
            raise ValueError("an RFA names the products it asks for, each once")
        if self.due is not None:
            must_be_day(self.due)
        if self.parent is not None:
            must_be_id(self.parent, "rfa")


class RecordRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.record"):
    """Enter an RFA that came on paper: *scan* is the deposited item that shows it."""

    id: str
    rfa: str
    authority: str
    wanted: Wanted
    scan: str
    received: str
    number: str
    due: str

    def __post_init__(self) -> None:
        must_be_id(self.id, "stp")
        must_be_id(self.rfa, "rfa")
        must_be_id(self.authority, "pty")
        must_be_id(self.scan, "itm")
        must_have_text(self.number, 64, "number")
        must_be_day(self.received)
        must_be_day(self.due)


class ConfirmRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.confirm"):
    """Vouch, as a second person, for what was entered from paper; *record* is that order's digest."""

    id: str
    rfa: str
    record: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_digest(self.record)


class StrikeRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.strike"):
    """Take back what was entered wrongly from paper and not confirmed yet."""

    id: str
    rfa: str
    reason: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_have_text(self.reason, MAX_TEXT, "reason")


class RegisterRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.register"):
    """Give a received RFA its number and due date, and attest investigation and purpose.

    *request* is the digest of the signed message that is attested; the two facts bind the packages
    that answer it.
    """

    id: str
    rfa: str
    request: str
    number: str
    investigation: str
    purpose: str
    due: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_digest(self.request)
        must_have_text(self.number, 64, "number")
        must_have_text(self.investigation, 128, "investigation")
        must_have_text(self.purpose, 64, "purpose")
        must_be_day(self.due)


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One check of admissibility, its result, and what it rests on."""

    name: CheckName
    met: bool
    evidence: str

    def __post_init__(self) -> None:
        must_have_text(self.evidence, 1000, "evidence")


class AssessRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.assess"):
    """Record the five checks. They count until the end of *valid_to*; after it the RFA's admission is
    unknown, and unknown opens nothing.
    """

    id: str
    rfa: str
    request: str
    checks: tuple[Check, ...]
    valid_to: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_digest(self.request)
        must_be_day(self.valid_to)
        if sorted(check.name for check in self.checks) != sorted(CheckName):
            raise ValueError(f"an assessment has each of {', '.join(CheckName)} once")

    @property
    def met(self) -> bool:
        """Tell whether all five are met."""
        return all(check.met for check in self.checks)


class AskRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.ask"):
    """Ask the authority for clarification."""

    id: str
    rfa: str
    content: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_sealed(self.content, MAX_LETTER)


class TellRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.tell"):
    """Tell the authority something: an answer to its question, a state of play."""

    id: str
    rfa: str
    content: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_sealed(self.content, MAX_LETTER)


class ExtendRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.extend"):
    """Move the due date; *reason* stays with the mechanism."""

    id: str
    rfa: str
    due: str
    reason: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_day(self.due)
        must_have_text(self.reason, MAX_TEXT, "reason")


class AnswerRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.answer"):
    """Answer: with *shares* that were released, with an analysis or other service, or no material."""

    id: str
    rfa: str
    outcome: Literal["packages", "service", "no_material"]
    shares: tuple[str, ...]
    content: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        for share in self.shares:
            must_be_id(share, "shr")
        if (self.outcome == "packages") != bool(self.shares):
            raise ValueError("an answer with packages names their shares, and only such a one")
        if len(set(self.shares)) != len(self.shares):
            raise ValueError("an answer names each share once")
        must_be_sealed(self.content, MAX_LETTER)


class DeclineRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.decline"):
    """Decline with a text that an officer wrote; *reason* stays with the mechanism."""

    id: str
    rfa: str
    content: str
    reason: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_sealed(self.content, MAX_LETTER)
        must_have_text(self.reason, MAX_TEXT, "reason")


class ReopenRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.reopen"):
    """Take an RFA up again; it passes admissibility anew."""

    id: str
    rfa: str
    due: str
    reason: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)
        must_be_day(self.due)
        must_have_text(self.reason, MAX_TEXT, "reason")


class CloseRfa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rfa.close"):
    """Close what is answered, declined or withdrawn."""

    id: str
    rfa: str

    def __post_init__(self) -> None:
        _step(self.id, self.rfa)


RfaAct = (
    ConfirmRfa
    | StrikeRfa
    | RegisterRfa
    | AssessRfa
    | AskRfa
    | TellRfa
    | ExtendRfa
    | AnswerRfa
    | DeclineRfa
    | ReopenRfa
    | CloseRfa
)
"""What is done to an RFA that is there already."""


def must_be_sealed(content: str, longest: int) -> None:
    """Raise ValueError unless *content* is base64url of what begins as an age file does."""
    if len(content) > longest:
        raise ValueError(f"content has at most {longest} characters")
    try:
        data = un_b64url(content)
    except MalformedError as error:
        raise ValueError(f"content: {error}") from None
    if not data.startswith(_AGE):
        raise ValueError("content is an age file, sealed to the other side's people")


def _step(step: str, rfa: str) -> None:
    must_be_id(step, "stp")
    must_be_id(rfa, "rfa")
