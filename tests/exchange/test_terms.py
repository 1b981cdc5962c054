"""Signed terms: whose signature counts, what it is under, and how a last day is counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.exchange.manifest import Manifest
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Kind, Member, Party, Role
from gateway.exchange.terms import (
    SUPPORTS,
    TYP,
    SignedTerms,
    last_day,
    open_terms,
    sign_terms,
    terms_digest,
    to_be_signed,
)
from gateway.kernel.encoding import Json, canonical_json, hex_sha256
from gateway.kernel.errors import ForbiddenError, MalformedError, VerificationError
from gateway.kernel.signing import sign
from tests.exchange.world import AUTHORITY, ENDPOINT, NOW, OFFICER, actor, both, ident, signer
from tests.policy.test_policy import POLICY

DIGEST = hex_sha256(b"x")
ROBOT = Member(ident("svc", 9), "Robot", (Role.OFFICER,), both("robot"))


def said(by: str, **over: Any) -> dict[str, Any]:
    made = {
        "v": 1, "id": ident("trm", 1), "share": ident("shr", 1), "manifest": DIGEST,
        "terms": DIGEST, "accepted": True, "by": by, "at": "2026-11-23T16:18:00Z",
    }  # fmt: skip
    return {**made, **over}


def taken(
    by: Member, signed_by: str, sent_by: Member | None = None, days: int = 0, **over: Any
) -> SignedTerms:
    """Open what *signed_by* signed in the name of *by*, as *sent_by* sent it."""
    container = sign(TYP, said(by.id, **over), signer(signed_by))
    now = NOW + timedelta(days=days)
    return open_terms(container, actor(sent_by or by, AUTHORITY), now)


def test_an_officers_signature_with_her_message_key_holds() -> None:
    opened = taken(OFFICER, "officer/message")
    assert plain(opened) == said(OFFICER.id)
    assert sign_terms(opened, signer("officer/message")) == sign(
        TYP, said(OFFICER.id), signer("officer/message")
    )


def test_nobody_else_signs_terms() -> None:
    for member, key in ((ENDPOINT, "endpoint/message"), (ROBOT, "robot/message")):
        with pytest.raises(ForbiddenError, match="a person with role officer"):
            taken(member, key)
    with pytest.raises(ForbiddenError, match="sent by the one who signed"):
        taken(OFFICER, "officer/message", sent_by=ENDPOINT)
    for key, days in (("officer", 0), ("endpoint/message", 0), ("officer/message", 365)):
        with pytest.raises(VerificationError):
            taken(OFFICER, key, days=days)


def test_a_receipt_is_no_acceptance() -> None:
    container = sign("eg-receipt", said(OFFICER.id), signer("officer/message"))
    with pytest.raises(VerificationError):
        open_terms(container, actor(OFFICER, AUTHORITY), NOW)


@pytest.mark.parametrize(
    "over",
    [
        {"accepted": False},
        {"v": 2},
        {"terms": "no digest"},
        {"manifest": "0" * 63},
        {"id": ident("rcp", 1)},
        {"share": ident("pkg", 1)},
        {"by": ident("pty", 1)},
        {"at": "yesterday"},
        {"but": "not clause 3"},
    ],
)
def test_what_is_not_acceptance_without_reserve_is_refused(over: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        build({**said(OFFICER.id), **over}, SignedTerms)


def test_the_digest_is_that_of_the_terms_alone_in_canonical_form() -> None:
    one: dict[str, Json] = {"handling": "RED", "expiry_days": 3}
    assert terms_digest(one) == hex_sha256(b'{"expiry_days":3,"handling":"RED"}')
    assert terms_digest(one) == hex_sha256(canonical_json({"expiry_days": 3, "handling": "RED"}))


def test_only_the_word_signed_asks_for_a_signature() -> None:
    assert to_be_signed({"terms": "signed"})
    assert not to_be_signed({"terms": "told"})
    assert not to_be_signed({})


@given(st.integers(0, 40_000), st.integers(0, 86_399))
def test_the_last_day_is_so_many_calendar_days_later_whatever_the_hour(
    days: int, second: int
) -> None:
    issued = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=second)
    expected = datetime(2026, 11, 23, tzinfo=UTC).date() + timedelta(days=days)
    assert last_day({"expiry_days": days}, issued) == expected.isoformat()


def test_without_a_term_or_beyond_any_calendar_there_is_no_last_day() -> None:
    assert last_day({}, NOW) is None
    assert last_day({"expiry_days": 10**9}, NOW) is None


def test_what_the_program_supports_are_kinds_that_bind_a_recipient() -> None:
    """And they are all of those in the shipped set."""
    assert set(SUPPORTS) == {kind for kind, one in POLICY.kinds.items() if one.by_recipient}


def test_a_party_announces_kinds_once_each_and_only_an_authority_does() -> None:
    assert AUTHORITY.supports == ()
    assert "supports" not in plain(AUTHORITY), "its hash in older directories stays what it was"
    made = replace(AUTHORITY, announced=("handling", "onward"))
    assert made.supports == ("handling", "onward")
    assert build(plain(made), Party) == made
    for kinds, match in (
        (("onward", "onward"), "supported once"),
        (("Onward",), "a word of"),
        (("",), "a word of"),
        (("a" * 65,), "a word of"),
    ):
        with pytest.raises(ValueError, match=match):
            replace(AUTHORITY, announced=kinds)
    with pytest.raises(ValueError, match="only an authority"):
        Party(ident("pty", 9), "s", "S", Kind.SOURCE, (), None, ("onward",))


MANIFEST: dict[str, Any] = {
    "v": 1, "share": ident("shr", 1), "recipient": ident("pty", 2),
    "issued": "2026-11-23T16:18:00Z", "directory": 1, "product": "evidence",
    "items": [{"n": 0, "header": DIGEST, "header_size": 1, "body": DIGEST, "body_size": 1, "size": 1}],
    "inner": DIGEST,
}  # fmt: skip


def test_a_manifest_without_a_term_is_spelt_as_it_always_was() -> None:
    assert plain(build(MANIFEST, Manifest)) == MANIFEST
    dated = {**MANIFEST, "expires": "2026-12-01"}
    assert plain(build(dated, Manifest)) == dated
    for wrong in ("2026-12-01T00:00:00Z", "2026-02-30", None):
        with pytest.raises(MalformedError):
            build({**MANIFEST, "expires": wrong}, Manifest)
