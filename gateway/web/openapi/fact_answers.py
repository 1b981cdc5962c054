"""The answers about facts and about history as it was declared."""

from typing import Any, Literal

from gateway.exchange.derivation_acts import DerivationCheck
from gateway.exchange.fact_acts import Evidence
from gateway.exchange.history_acts import DeclaredHolder, DeclaredRfa, DeclaredShare
from gateway.exchange.shares import State as ShareState
from gateway.web.openapi.answers import Answer


class Attested(Answer, frozen=True):
    """An attestation that was made, and the ledger entry."""

    attestation: str
    entry: str


class AttestationEnded(Answer, frozen=True):
    """An attestation was ended."""

    attestation: str
    jurisdiction: str
    entry: str


class Attestation(Answer, frozen=True):
    """An attestation and how it stands today."""

    attestation: str
    fact: str
    value: Any
    jurisdiction: str
    authority: str | None
    case: str | None
    evidence: Evidence
    valid_from: str
    valid_to: str
    state: Literal["in force", "not yet", "lapsed", "ended"]
    actor: str
    at: str


class AttestationList(Answer, frozen=True):
    """Every attestation."""

    attestations: tuple[Attestation, ...]


class Derivation(Answer, frozen=True):
    """An attested derivation: *item* was made from *original*. *mark* is for *recipient*."""

    derivation: str
    item: str
    item_sha256: str
    original: str
    original_sha256: str
    method: str
    removed: tuple[str, ...]
    mark: Literal["none", "visible", "forensic"]
    recipient: str | None
    checks: tuple[DerivationCheck, ...]
    actor: str
    at: str


class ItemFacts(Answer, frozen=True):
    """An item's facts as they stand, and the digest that an amendment names as *before*.

    *derivation* is null for what is no derivative; *removed* is what it and its originals have lost in
    all; *derivatives* were made from it directly.
    """

    item: str
    facts: dict[str, Any]
    digest: str
    derivation: Derivation | None
    removed: tuple[str, ...]
    derivatives: tuple[Derivation, ...]


class ItemDerived(Answer, frozen=True):
    """A derivation that was attested, and its ledger entry."""

    item: str
    derivation: str
    entry: str


class ItemAmended(Answer, frozen=True):
    """The digest of an item's facts after an amendment, and its ledger entry."""

    item: str
    facts: str
    entry: str


class Holder(Answer, frozen=True):
    """An authority that holds an item: by its receipt, or as declared; then share and state are null."""

    authority: str
    purpose: str
    since: str
    share: str | None
    state: ShareState | None
    origin: Literal["signed", "declared"]


class HolderList(Answer, frozen=True):
    """Who holds an item."""

    item: str
    holders: tuple[Holder, ...]


class Declared(Answer, frozen=True):
    """How many rows were new, and how many had been declared before."""

    declaration: str
    declared: int
    known: int


class KeptRfa(DeclaredRfa, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="rfa"):
    """An earlier RFA as it was declared."""

    jurisdiction: str | None
    origin: Literal["declared"]
    entry: str
    order: str


class KeptShare(DeclaredShare, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="share"):
    """An earlier share as it was declared."""

    jurisdiction: str | None
    origin: Literal["declared"]
    entry: str
    order: str


class KeptHolder(
    DeclaredHolder, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="holder"
):
    """An earlier holder as it was declared."""

    jurisdiction: str | None
    origin: Literal["declared"]
    entry: str
    order: str


class DeclaredList(Answer, frozen=True):
    """Everything that was declared."""

    declared: tuple[KeptRfa | KeptShare | KeptHolder, ...]
