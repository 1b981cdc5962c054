"""A good example of every act, for tests that change one thing in it."""

from typing import Any

from gateway.kernel.encoding import b64url, canonical_json, hex_sha256
from tests.exchange.world import ident

DIGEST = hex_sha256(b"x")
PARTICULARS: dict[str, Any] = {
    "name": "a.txt",
    "media_type": "text/plain",
    "evidence_number": "E-1",
    "size": 1,
    "sha256": DIGEST,
}
RELEASED = {"item": ident("itm", 1), "vault_header": DIGEST, "body": DIGEST}
SEALED = b64url(b"age-encryption.org/v1\n-> X25519 x\n")
"""What begins as an age file does; nobody reads further without the other side's keys."""
STEP = {"id": ident("stp", 1), "rfa": ident("rfa", 1)}
WANTED: dict[str, Any] = {
    "investigation": "12 Js 34/26",
    "purpose": "criminal",
    "crimes": ["war_crimes", "genocide"],
    "products": ["evidence"],
    "death_penalty": "excluded",
    "in_absentia": True,
    "due": "2027-01-31",
    "parent": ident("rfa", 9),
}
CHECKS = [
    {"name": name, "met": name != "form", "evidence": f"note 12, {name}"}
    for name in ("authority", "core_crimes", "fair_trial", "penalty", "form")
]
EVIDENCE = {"kind": "document", "digest": DIGEST, "label": "assurance.pdf"}
ROWS: dict[str, dict[str, Any]] = {
    "rfa": {
        "type": "rfa",
        "number": "2019-007",
        "authority": "xa-prosecutor",
        "investigation": "7 Js 1/19",
        "received": "2019-03-01",
        "outcome": "answered",
    },
    "share": {
        "type": "share",
        "number": "S-1",
        "authority": "xa-prosecutor",
        "product": "evidence",
        "purpose": "criminal",
        "shared": "2019-05-01",
        "rfa": "2019-007",
    },
    "holder": {
        "type": "holder",
        "sha256": DIGEST,
        "authority": "xa-prosecutor",
        "purpose": "criminal",
        "since": "2019-05-02",
    },
}
GOOD: dict[str, dict[str, Any]] = {
    "upload": {"id": ident("upl", 1), "size": 0, "suite": "pq"},
    "complete": {
        "upload": ident("upl", 1),
        "particulars": PARTICULARS,
        "facts": {"item.sgbv": True},
        "handling": "AMBER",
        "parts": [DIGEST],
    },
    "deposit": {
        "item": ident("itm", 1),
        "vault_header": DIGEST,
        "body": DIGEST,
        "body_size": 33,
        "size": 1,
        "suite": "classic",
        "facts": DIGEST,
        "particulars": DIGEST,
        "handling": "AMBER",
    },
    "package": {
        "id": ident("pkg", 1),
        "product": "evidence",
        "basis": {
            "mode": "requested",
            "purpose": "criminal",
            "case": "c-1",
            "rfa": ident("rfa", 1),
        },
        "items": [ident("itm", 1), ident("itm", 2)],
    },
    "propose": {"share": ident("shr", 1), "package": ident("pkg", 1), "recipient": ident("pty", 1)},
    "approve": {
        "id": ident("clr", 1),
        "share": ident("shr", 1),
        "recipient": ident("pty", 1),
        "role": "legal_adviser",
        "basis": DIGEST,
        "items": [RELEASED],
    },
    "release": {"share": ident("shr", 1), "recipient": ident("pty", 1), "items": [RELEASED]},
    "recall": {"share": ident("shr", 1), "ask": "sequester", "reason": "the source asked"},
    "consult": {
        "id": ident("clr", 1),
        "share": ident("shr", 1),
        "recipient": ident("pty", 1),
        "whom": "source",
        "evidence": DIGEST,
        "basis": DIGEST,
        "items": [RELEASED],
    },
    "rfa.record": {
        "id": ident("stp", 1),
        "rfa": ident("rfa", 1),
        "authority": ident("pty", 1),
        "wanted": WANTED,
        "scan": ident("itm", 1),
        "received": "2026-11-02",
        "number": "2026-014",
        "due": "2027-01-31",
    },
    "rfa.confirm": {**STEP, "record": DIGEST},
    "rfa.strike": {**STEP, "reason": "entered twice"},
    "rfa.register": {
        **STEP,
        "request": DIGEST,
        "number": "2026-014",
        "investigation": "12 Js 34/26",
        "purpose": "criminal",
        "due": "2027-01-31",
    },
    "rfa.assess": {**STEP, "request": DIGEST, "checks": CHECKS, "valid_to": "2027-06-30"},
    "rfa.ask": {**STEP, "content": SEALED},
    "rfa.tell": {**STEP, "content": SEALED},
    "rfa.extend": {**STEP, "due": "2027-02-28", "reason": "the search goes on"},
    "rfa.answer": {
        **STEP,
        "outcome": "packages",
        "shares": [ident("shr", 1), ident("shr", 2)],
        "content": SEALED,
    },
    "rfa.decline": {**STEP, "content": SEALED, "reason": "not a core crime"},
    "rfa.reopen": {**STEP, "due": "2027-03-31", "reason": "new facts"},
    "rfa.close": {**STEP},
    "fact.attest": {
        "id": ident("att", 1),
        "fact": "recipient.fair_trial",
        "value": "ok",
        "jurisdiction": "XA",
        "evidence": EVIDENCE,
        "valid_from": "2026-11-23",
        "valid_to": "2027-11-22",
        "authority": ident("pty", 2),
        "case": "case-1",
    },
    "fact.end": {"attestation": ident("att", 1), "reason": "the assurance was taken back"},
    "amend": {
        "id": ident("amd", 1),
        "item": ident("itm", 1),
        "before": DIGEST,
        "facts": {"item.consent.status": "refused"},
        "evidence": EVIDENCE,
    },
    "item.derive": {
        "id": ident("drv", 1),
        "item": ident("itm", 2),
        "item_sha256": "2" * 64,
        "original": ident("itm", 1),
        "original_sha256": "1" * 64,
        "method": "gateway redact 1, json",
        "removed": ["witness_identity"],
        "mark": "none",
        "recipient": None,
        "checks": [{"name": "values absent", "passed": True, "detail": "3 values, 0 found"}],
    },
    "withheld.review": {
        "id": ident("rvw", 1),
        "withheld": ident("wth", 1),
        "finding": "upheld",
        "reason": "the same is in the statement that was shared",
    },
    "declare": {
        "id": ident("dcl", 1),
        "file": DIGEST,
        "rows": [*ROWS.values()],
    },
    "policy.activate": {
        "number": 2,
        "manifest": "{}",
        "signature": "{}",
        "files": {"rules/10-release.yaml": "rules: []"},
    },
    "policy.preview": {"manifest": "", "signature": "", "files": {"vocabulary.yaml": "x: 1"}},
    "policy.signoff": {"id": ident("sgn", 1), "manifest": DIGEST, "flips": DIGEST},
    "key.challenge": {"id": ident("chl", 1), "key": DIGEST},
    "key.confirm": {
        "id": ident("kcf", 1),
        "challenge": ident("chl", 1),
        "key": DIGEST,
        "proof": DIGEST,
        "how": "by telephone, with the head of the unit",
    },
    "share.rewrap": {"id": ident("rwp", 1), "share": ident("shr", 1)},
    "accept-head": {"size": 5, "root": "A" * 43, "reason": "restored from a copy"},
}


def body(kind: str, **changes: Any) -> bytes:
    """Return the body that orders the example of this kind, with *changes*."""
    act = {"type": kind, **GOOD[kind], **changes}
    return canonical_json({"act": act, "sig2": None})
