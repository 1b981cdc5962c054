"""An example of every body, built of the structures themselves: none that is not valid can stand here."""

from collections.abc import Mapping

from gateway.exchange import key_acts, messages, receipts, rfa_messages, terms
from gateway.exchange.acts import (
    ActivatePolicy,
    Amend,
    AnswerRfa,
    Approve,
    Ask,
    AskRfa,
    AssessRfa,
    Attest,
    Basis,
    ChallengeKey,
    CloseRfa,
    Complete,
    ConfirmKey,
    ConfirmRfa,
    Consult,
    Declare,
    DeclineRfa,
    Deposit,
    DerivationCheck,
    Derive,
    EndAttestation,
    Evidence,
    ExtendRfa,
    MakePackage,
    OpenUpload,
    Particulars,
    PreviewPolicy,
    Product,
    Propose,
    Recall,
    RecordRfa,
    RegisterRfa,
    Release,
    ReleaseItem,
    ReopenRfa,
    ReviewWithheld,
    RewrapShare,
    SignOffPolicy,
    StrikeRfa,
    TellRfa,
    Wanted,
)
from gateway.exchange.history_acts import DeclaredHolder, DeclaredRfa, DeclaredShare
from gateway.exchange.manifest import Manifest, SealedItem, sign_manifest
from gateway.exchange.parse import plain
from gateway.exchange.parties import Role
from gateway.exchange.rfa_acts import Check, CheckName, Crime
from gateway.exchange.withheld_acts import Finding
from gateway.kernel.encoding import Json, b64url, parse_json
from gateway.kernel.ids import id_from_bytes
from gateway.kernel.signing import KeySigner


def example_id(prefix: str) -> str:
    """Return an id of 16 bytes of value 1: never mint one like that."""
    return id_from_bytes(prefix, b"\1" * 16)


_SHARE, _ITEM, _PACKAGE = example_id("shr"), example_id("itm"), example_id("pkg")
_RFA, _STEP, _PARTY = example_id("rfa"), example_id("stp"), example_id("pty")
_ATTESTATION, _UPLOAD, _MESSAGE = example_id("att"), example_id("upl"), example_id("msg")
_ONE, _TWO, _THREE = "1" * 64, "2" * 64, "3" * 64
_SEALED = b64url(b"age-encryption.org/v1\n-> X25519 \xe2\x80\xa6\n")
_AT, _DAY, _UNTIL = "2026-11-23T16:18:00Z", "2026-11-23", "2027-11-23"
_FACTS: dict[str, Json] = {"item.consent.status": "granted", "item.sgbv": False}
_EVIDENCE = Evidence("document", _ONE, "Note verbale of 23 November")
_ITEMS = (ReleaseItem(_ITEM, _ONE, _TWO),)
_WANTED = Wanted("INV-7", "criminal", (Crime.WAR_CRIMES,), (Product.EVIDENCE,), "excluded")
_FILES = {"rules/10-release.yaml": "rules:\n- id: release.proactive\n  \u2026\n"}
_MANIFEST = '{"analysis":\u2026}'
_SIGNATURES = '{"payload":\u2026}'
_SIGNER = KeySigner.from_seed(bytes(32))

ACTS: Mapping[type, object] = {
    type(act): act
    for act in (
        OpenUpload(_UPLOAD, 23, "pq"),
        Complete(
            _UPLOAD,
            Particulars("statement.txt", "text/plain", "E-0007", 23, _ONE),
            _FACTS,
            "standard",
            (_ONE,),
        ),
        Deposit(_ITEM, _ONE, _TWO, 55, 23, "pq", _THREE, _THREE, "standard"),
        MakePackage(
            _PACKAGE,
            Product.EVIDENCE,
            Basis("proactive", "criminal", "case-7", rationale="It shows a chain of command"),
            (_ITEM,),
        ),
        Propose(_SHARE, _PACKAGE, _PARTY),
        Approve(example_id("clr"), _SHARE, _PARTY, Role.LEGAL_ADVISER, _THREE, _ITEMS),
        Consult(example_id("clr"), _SHARE, _PARTY, "source", _ONE, _THREE, _ITEMS),
        Release(_SHARE, _PARTY, _ITEMS),
        Recall(_SHARE, Ask.SEQUESTER, "A file was filed wrongly"),
        RecordRfa(_STEP, _RFA, _PARTY, _WANTED, _ITEM, _DAY, "XA-2026-0117", _UNTIL),
        ConfirmRfa(_STEP, _RFA, _ONE),
        StrikeRfa(_STEP, _RFA, "Entered twice"),
        RegisterRfa(_STEP, _RFA, _ONE, "XA-2026-0117", "INV-7", "criminal", _UNTIL),
        AssessRfa(
            _STEP, _RFA, _ONE, tuple(Check(name, True, "note 12") for name in CheckName), _UNTIL
        ),
        AskRfa(_STEP, _RFA, _SEALED),
        TellRfa(_STEP, _RFA, _SEALED),
        ExtendRfa(_STEP, _RFA, _UNTIL, "The search takes longer"),
        AnswerRfa(_STEP, _RFA, "packages", (_SHARE,), _SEALED),
        DeclineRfa(_STEP, _RFA, _SEALED, "No assurance on penalty"),
        ReopenRfa(_STEP, _RFA, _UNTIL, "New material"),
        CloseRfa(_STEP, _RFA),
        Attest(_ATTESTATION, "recipient.death_penalty", "abolished", "XA", _EVIDENCE, _DAY, _UNTIL),
        EndAttestation(_ATTESTATION, "The assurance was withdrawn"),
        Amend(example_id("amd"), _ITEM, _ONE, _FACTS, _EVIDENCE),
        Derive(
            example_id("drv"),
            _ITEM,
            _TWO,
            id_from_bytes("itm", b"\2" * 16),
            _ONE,
            "gateway redact 1, text",
            ("witness_identity",),
            "none",
            None,
            (DerivationCheck("values absent", True, "3 values, 0 found"),),
        ),
        ActivatePolicy(2, _MANIFEST, _SIGNATURES, _FILES),
        PreviewPolicy(_MANIFEST, _SIGNATURES, _FILES),
        SignOffPolicy(example_id("sgn"), _ONE, _TWO),
        ChallengeKey(example_id("chl"), _ONE),
        ConfirmKey(example_id("kcf"), example_id("chl"), _ONE, _TWO, "By telephone with its head"),
        RewrapShare(example_id("rwp"), _SHARE),
        ReviewWithheld(
            example_id("rvw"), example_id("wth"), Finding.UPHELD, "It names a protected witness"
        ),
        Declare(
            example_id("dcl"),
            _ONE,
            (
                DeclaredRfa("XA-2019-0003", "xa-prosecutor", "INV-2", "2019-05-02", "answered"),
                DeclaredShare(
                    "S-12", "xa-prosecutor", "evidence", "criminal", "2019-08-30", "XA-2019-0003"
                ),
                DeclaredHolder(_TWO, "xa-prosecutor", "criminal", "2019-08-30"),
            ),
        ),
    )
}
"""One act of each kind."""


def _signed(container: bytes) -> Json:
    return parse_json(container)


BODIES: Mapping[str, Json] = {
    "SignedReceipt": _signed(
        receipts.sign_receipt(
            receipts.Receipt(
                1, example_id("rcp"), _SHARE, _THREE, receipts.Rung.PULLED, example_id("svc"), _AT
            ),
            _SIGNER,
        )
    ),
    "SignedAcceptance": _signed(
        terms.sign_terms(
            terms.SignedTerms(
                1, example_id("trm"), _SHARE, _THREE, _TWO, True, example_id("psn"), _AT
            ),
            _SIGNER,
        )
    ),
    "SignedKeyProof": _signed(
        key_acts.sign_proof(
            key_acts.KeyProof(
                1, example_id("prf"), example_id("chl"), _ONE, "A" * 43, example_id("svc"), _AT
            ),
            _SIGNER,
        )
    ),
    "SignedRfaMessage": _signed(
        rfa_messages.sign_rfa_message(
            rfa_messages.RfaMessage(
                v=1,
                id=_MESSAGE,
                sender=_PARTY,
                by=example_id("svc"),
                to=_PARTY,
                at=_AT,
                about=rfa_messages.About.REQUEST,
                rfa=_RFA,
                wanted=_WANTED,
                content=_SEALED,
            ),
            _SIGNER,
        )
    ),
    "SignedMessage": _signed(
        messages.sign_message(
            messages.Message(
                v=1,
                id=_MESSAGE,
                to=_PARTY,
                seq=1,
                at=_AT,
                about=messages.About.SHARE_AVAILABLE,
                share=_SHARE,
            ),
            _SIGNER,
        )
    ),
    "SignedManifest": _signed(
        sign_manifest(
            Manifest(
                v=1,
                share=_SHARE,
                recipient=_PARTY,
                issued=_AT,
                directory=1,
                product="evidence",
                items=(SealedItem(0, _ONE, 1627, _TWO, 55, 23),),
                inner=_THREE,
            ),
            _SIGNER,
        )
    ),
}
"""One signed object of each kind; the key has a seed of 32 zero bytes."""


def order(act: type) -> Json:
    """Return the body of an acting request."""
    return {"act": plain(ACTS[act]), "sig2": None}
