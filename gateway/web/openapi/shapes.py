"""The forms of members: what the structures check in code, said as JSON Schema.

A structure says that a member is text; which text, its `__post_init__` checks. The table here repeats
that by the member's name, which means one thing wherever it stands; exceptions go by structure. Where
it says too much or too little, a test finds answers or examples that do not conform.
"""

from collections.abc import Mapping

from gateway.exchange.acts import MAX_ITEMS, MAX_PARTS
from gateway.exchange.body_parts import MAX_BODY_PARTS
from gateway.exchange.bounds import MAX_TEXT
from gateway.exchange.derivation_acts import MAX_CHECKS, MAX_REMOVED
from gateway.exchange.history_acts import MAX_ROWS
from gateway.exchange.policy_acts import MAX_SET
from gateway.exchange.rfa_acts import MAX_CONTENT, CheckName
from gateway.kernel.encoding import MAX_SAFE_INTEGER, Json
from gateway.workflows.deposit import MAX_SIZE

Schema = dict[str, Json]

DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
DAY: Schema = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
}
EXACT_TIME: Schema = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
}
BASE64URL: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]*$"}
AGE_FILE: Schema = {
    "type": "string",
    "description": "An age file in base64url.",
    "pattern": "^YWdlLWVuY3J5cHRpb24ub3JnL3YxC[A-Za-z0-9_-]+$",
    "maxLength": MAX_CONTENT,
}
# All that a fact can be: the vocabulary in force says which, and fractions are not read at all.
FACT: Schema = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "integer", "minimum": -MAX_SAFE_INTEGER, "maximum": MAX_SAFE_INTEGER},
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
    ]
}


def identifier(*prefixes: str) -> Schema:
    """Describe an id: 16 bytes in base32, so the last character has only eight values."""
    kinds = prefixes[0] if len(prefixes) == 1 else f"({'|'.join(prefixes)})"
    return {"type": "string", "pattern": f"^{kinds}_[a-z2-7]{{25}}[aeimquy4]$"}


def text(longest: int, shortest: int = 1) -> Schema:
    """Describe text of so many characters."""
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def whole(lowest: int, highest: int = MAX_SAFE_INTEGER) -> Schema:
    """Describe a whole number."""
    return {"type": "integer", "minimum": lowest, "maximum": highest}


_ACTOR = identifier("psn", "svc")
_SIZE = whole(0, 1 << 50)

TEXTS: Mapping[str, Schema] = {
    "share": identifier("shr"),
    "shares": identifier("shr"),
    "package": identifier("pkg"),
    "recipient": identifier("pty"),
    "authority": identifier("pty"),
    "party": identifier("pty"),
    "sender": identifier("pty"),
    "to": identifier("pty"),
    "upload": identifier("upl"),
    "item": identifier("itm"),
    "items": identifier("itm"),
    "scan": identifier("itm"),
    "original": identifier("itm"),
    "derivation": identifier("drv"),
    "withheld": identifier("wth"),
    "challenge": identifier("chl"),
    "confirmed_by": identifier("psn"),
    "member": _ACTOR,
    "withheld_unreviewed": identifier("wth"),
    "reviewer": _ACTOR,
    "proposer": _ACTOR,
    "of": identifier("itm"),
    "rfa": identifier("rfa"),
    "parent": identifier("rfa"),
    "entry": identifier("ent"),
    "message": identifier("msg"),
    "in_reply_to": identifier("msg"),
    "attestation": identifier("att"),
    "declaration": identifier("dcl"),
    "actor": _ACTOR,
    "by": _ACTOR,
    **dict.fromkeys(
        (
            "vault_header", "body", "sha256", "item_sha256", "original_sha256", "manifest", "header", "inner", "digest", "before",
            "set", "request", "record", "file", "facts", "particulars", "basis", "parts", "policy", "order",
            "key", "replaces",
        ),
        DIGEST,
    ),
    **dict.fromkeys(("due", "valid_from", "valid_to", "received", "shared", "good_until"), DAY),
    **dict.fromkeys(
        ("at", "issued", "expires", "not_before", "not_after", "since", "directory_expires", "fetched", "deleted"), TIME
    ),
    **dict.fromkeys(("leaf", "salt", "path", "root"), BASE64URL),
    "openings": AGE_FILE,
    "sealed": AGE_FILE,
    "answer": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
    "how": text(MAX_TEXT),
    "content": AGE_FILE,
    "purpose": text(64),
    "case": text(128),
    "investigation": text(128),
    "number": text(64),
    "handling": text(64),
    "whom": text(64),
    "reason": text(MAX_TEXT),
    "rationale": text(MAX_TEXT),
    "note": text(MAX_TEXT, 0),
    "label": text(255),
    "media_type": text(255),
    "method": text(255),
    "evidence_number": text(255),
    "fact": text(128),
}  # fmt: skip
"""The form of a member that is text, may be null, or is a list of texts."""

NUMBERS: Mapping[str, Schema] = {
    "size": _SIZE,
    "body_size": _SIZE,
    "header_size": _SIZE,
    "v": {"const": 1},
    "seq": whole(1),
    "n": whole(0),
}
"""The form of a member that is a number."""

STEP = identifier("stp")
EXCEPTIONS: Mapping[str, Mapping[str, Schema]] = {
    "OpenUpload": {"id": identifier("upl"), "size": whole(0, MAX_SIZE)},
    "MakePackage": {"id": identifier("pkg")},
    "Approve": {"id": identifier("clr")},
    "Consult": {"id": identifier("clr"), "evidence": DIGEST},
    "ExplainedRule": {"basis": text(MAX_TEXT)},
    "Explanation": {"today": DAY},
    "ShareExplained": {"decision": DIGEST},
    "Attest": {
        "id": identifier("att"),
        "fact": {**text(128), "pattern": r"^recipient\."},
        "jurisdiction": text(16),
        "value": FACT,
    },
    "Amend": {"id": identifier("amd")},
    "Derive": {"id": identifier("drv")},
    "DerivationCheck": {"name": text(128), "detail": text(512)},
    "ActivatePolicy": {"number": whole(1, 1 << 31), "manifest": text(MAX_SET), "signature": text(MAX_SET)},
    "PreviewPolicy": {"manifest": text(MAX_SET, 0), "signature": text(MAX_SET, 0)},
    "ChallengeKey": {"id": identifier("chl")},
    "ConfirmKey": {"id": identifier("kcf"), "proof": DIGEST},
    "KeyListed": {"proof": DIGEST},
    "KeyProof": {"id": identifier("prf")},
    "RewrapShare": {"id": identifier("rwp")},
    "SignOffPolicy": {"id": identifier("sgn"), "flips": DIGEST},
    "PolicyAccepted": {"flips": DIGEST, "signers": _ACTOR},
    "PolicyPreview": {"flips_digest": DIGEST, "signers": _ACTOR, "signed_off": _ACTOR},
    "PolicyFlip": {"before": {"type": "string"}},
    "PolicySignedOff": {"signoff": identifier("sgn")},
    "ReviewWithheld": {"id": identifier("rvw")},
    "WithheldReview": {"id": identifier("rvw")},
    "WithheldReviewed": {"review": identifier("rvw")},
    "Declare": {"id": identifier("dcl")},
    "Manifest": {"expires": DAY},
    "SignedTerms": {"id": identifier("trm"), "terms": DIGEST, "by": identifier("psn")},
    "TermsSigned": {"id": identifier("trm")},
    "ShareShown": {"expires": DAY},
    "ShareExpiring": {"expires": DAY},
    "Receipt": {"id": identifier("rcp")},
    "ReceiptKept": {"id": identifier("rcp")},
    "Message": {"id": identifier("msg")},
    "RfaMessage": {"id": identifier("msg")},
    "RfaMessageKept": {"id": identifier("msg")},
    "Check": {"evidence": text(1000)},
    "Party": {"id": identifier("pty")},
    "Member": {"id": _ACTOR},
    "Key": {"public": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}},
    "LedgerEntry": {"id": identifier("ent"), "openings": BASE64URL},
    "Event": {"time": EXACT_TIME},
    "Decision": {"before": {"type": "string"}},
    # A declaration names an authority by id or short name, and an RFA by the mechanism's number.
    "DeclaredRfa": {"authority": text(64)},
    "DeclaredShare": {"authority": text(64), "rfa": text(64, 0)},
    "DeclaredHolder": {"authority": text(64), "since": DAY},
    "KeptShare": {"rfa": text(64, 0)},
    "KeptHolder": {"since": DAY},
    # By receipt since a time; as declared, since a day.
    "Holder": {"since": {"anyOf": [TIME, DAY]}},
    **{
        kind: {"id": STEP}
        for kind in (
            "RecordRfa", "ConfirmRfa", "StrikeRfa", "RegisterRfa", "AssessRfa", "AskRfa", "TellRfa",
            "ExtendRfa", "AnswerRfa", "DeclineRfa", "ReopenRfa", "CloseRfa",
        )
    },
}  # fmt: skip
"""The form of a member by structure, where its name alone does not say it."""

LISTS: Mapping[tuple[str, str], Schema] = {
    ("MakePackage", "items"): {"minItems": 1, "maxItems": MAX_ITEMS, "uniqueItems": True},
    ("Release", "items"): {"minItems": 1},
    ("Complete", "parts"): {"maxItems": MAX_PARTS},
    ("BodyParts", "sha256"): {"minItems": 2, "maxItems": MAX_BODY_PARTS},
    ("Wanted", "crimes"): {"minItems": 1, "uniqueItems": True},
    ("Wanted", "products"): {"minItems": 1, "uniqueItems": True},
    ("AssessRfa", "checks"): {"minItems": len(CheckName), "maxItems": len(CheckName)},
    ("AnswerRfa", "shares"): {"uniqueItems": True},
    ("Derive", "removed"): {"maxItems": MAX_REMOVED, "uniqueItems": True},
    ("Derive", "checks"): {"minItems": 1, "maxItems": MAX_CHECKS},
    ("Declare", "rows"): {"minItems": 1, "maxItems": MAX_ROWS},
    ("Manifest", "items"): {"minItems": 1},
    ("Inbox", "messages"): {"maxItems": 100},
}
"""How long a list may be."""
