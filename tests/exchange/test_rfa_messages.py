"""Messages of an authority about its RFA: attacks on who sends what, to whom, signed how."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from gateway.exchange import messages, rfa_messages
from gateway.exchange.parse import build
from gateway.exchange.parties import Key, Member, Party, Role, Status, Use
from gateway.exchange.rfa_messages import About, RfaMessage, open_rfa_message, verify_rfa_message
from gateway.exchange.rfas import TRANSITIONS, State, Step
from gateway.kernel.encoding import b64url, canonical_json
from gateway.kernel.errors import ForbiddenError, MalformedError, VerificationError
from gateway.kernel.signing import sign
from tests.exchange.examples import SEALED, WANTED
from tests.exchange.world import (
    AUTHORITY,
    ENDPOINT,
    MECHANISM,
    NOW,
    OFFICER,
    OTHER,
    actor,
    both,
    ident,
    key,
    kid,
    seconds,
    signer,
)

REQUEST: dict[str, Any] = {
    "v": 1,
    "id": ident("msg", 1),
    "sender": AUTHORITY.id,
    "by": ENDPOINT.id,
    "to": MECHANISM.id,
    "at": "2026-11-23T16:18:00Z",
    "about": "rfa.request",
    "rfa": ident("rfa", 1),
    "wanted": WANTED,
    "content": SEALED,
}
INFORMATION = {**REQUEST, "about": "rfa.information", "wanted": None}
WITHDRAWAL = {**INFORMATION, "about": "rfa.withdrawal", "content": None}
KEYS = {kid("endpoint/message"): signer("endpoint/message").public_key}


def signed(values: dict[str, Any], by: str = "endpoint/message", typ: str = "eg-rfa") -> bytes:
    """Sign *values* as they are, whether or not they make a message."""
    return sign(typ, values, signer(by))


def taken(
    container: bytes,
    member: Member = ENDPOINT,
    party: Party = AUTHORITY,
    now: datetime = NOW,
) -> RfaMessage:
    return open_rfa_message(container, actor(member, party), MECHANISM.id, now)


@pytest.mark.parametrize("values", [REQUEST, INFORMATION, WITHDRAWAL])
def test_a_good_message_opens_so_that_each_change_is_the_reason(values: dict[str, Any]) -> None:
    message = build(values, RfaMessage)
    container = rfa_messages.sign_rfa_message(message, signer("endpoint/message"))
    assert taken(container) == message == verify_rfa_message(container, KEYS)
    by_officer = {**values, "by": OFFICER.id}
    assert taken(signed(by_officer, "officer/message"), OFFICER).by == OFFICER.id


def test_a_message_signed_by_another_of_the_same_party_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(signed(REQUEST, "officer/message"))


def test_a_message_by_another_person_sent_as_ones_own_is_refused() -> None:
    by_officer = signed({**REQUEST, "by": OFFICER.id}, "officer/message")
    with pytest.raises(ForbiddenError, match="sent by the one who signed it"):
        taken(by_officer)
    with pytest.raises(ForbiddenError, match="sent by the one who signed it"):
        taken(signed({**REQUEST, "by": OFFICER.id}))


def test_a_message_in_the_name_of_another_authority_is_refused() -> None:
    with pytest.raises(ForbiddenError, match="for its own party"):
        taken(signed({**REQUEST, "sender": OTHER.id}))


def test_a_message_to_another_party_is_refused() -> None:
    for to in (OTHER.id, AUTHORITY.id):
        with pytest.raises(ForbiddenError, match="for another party"):
            taken(signed({**REQUEST, "to": to}))


@pytest.mark.parametrize("roles", [(), (Role.COMPLIANCE,), (Role.RFA_OFFICER, Role.SHARER)])
def test_whoever_is_neither_endpoint_nor_officer_sends_no_message(roles: tuple[Role, ...]) -> None:
    member = Member(ident("psn", 60), "Clerk", roles, both("clerk"))
    with pytest.raises(ForbiddenError, match="needs the role endpoint or officer"):
        taken(signed({**REQUEST, "by": member.id}, "clerk/message"), member)


def test_a_message_signed_with_a_request_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(signed(REQUEST, "endpoint"))


def with_key(one: Key) -> Member:
    """Return the endpoint with another message key."""
    return Member(ENDPOINT.id, ENDPOINT.name, ENDPOINT.roles, (ENDPOINT.keys[0], one))


def test_a_message_signed_after_the_term_of_the_key_is_refused() -> None:
    assert taken(signed(REQUEST), now=seconds(60))
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(signed(REQUEST), now=seconds(366 * 24 * 3600))


@pytest.mark.parametrize("status", [Status.NEXT, Status.RETIRED, Status.REVOKED])
def test_a_key_signs_messages_only_while_it_is_active(status: Status) -> None:
    name = "endpoint/message"
    assert taken(signed(REQUEST), with_key(key(name, Use.MESSAGE)))
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(signed(REQUEST), with_key(key(name, Use.MESSAGE, status)))


@pytest.mark.parametrize("typ", ["eg-message", "eg-receipt", "eg-manifest", "eg-directory"])
def test_what_was_signed_as_something_else_is_no_message_about_an_rfa(typ: str) -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(signed(REQUEST, typ=typ))
    with pytest.raises(VerificationError, match="not signed by enough"):
        verify_rfa_message(signed(REQUEST, typ=typ), KEYS)


def test_a_message_about_an_rfa_is_no_message_of_the_inbox() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        messages.open_message(signed(REQUEST), KEYS, to=MECHANISM.id)


def test_a_message_changed_after_it_was_signed_is_refused() -> None:
    container = signed(REQUEST)
    other = b64url(canonical_json({**REQUEST, "rfa": ident("rfa", 2)}))
    payload = b64url(canonical_json(REQUEST))
    with pytest.raises(VerificationError, match="signature does not hold"):
        taken(container.replace(payload.encode(), other.encode()))


def test_a_verifier_refuses_what_is_signed_and_of_another_form() -> None:
    with pytest.raises(MalformedError, match="only a request does"):
        verify_rfa_message(signed({**REQUEST, "wanted": None}), KEYS)
    with pytest.raises(MalformedError, match="unknown field"):
        verify_rfa_message(signed({**REQUEST, "more": 1}), KEYS)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "of version 1"),
        ({"id": ident("rcp", 1)}, "starting with msg"),
        ({"sender": ident("psn", 1)}, "starting with pty"),
        ({"to": ident("psn", 1)}, "starting with pty"),
        ({"by": ident("pty", 1)}, "starting with psn or svc"),
        ({"rfa": ident("shr", 1)}, "starting with rfa"),
        ({"rfa": "rfa_x"}, "not an id"),
        ({"in_reply_to": ident("rfa", 1)}, "starting with msg"),
        ({"at": "2026-11-23"}, "a time such as"),
        ({"about": "rfa.opinion"}, "invalid enum"),
        ({"more": 1}, "unknown field"),
        ({"wanted": None}, "only a request does"),
        ({"about": "rfa.information"}, "only a request does"),
        ({"about": "rfa.withdrawal"}, "only a request does"),
        ({"wanted": {**WANTED, "crimes": []}}, "names its crimes"),
        ({"content": None}, "content is missing"),
        ({"about": "rfa.information", "wanted": None, "content": None}, "content is missing"),
        ({"content": b64url(b"Dear colleagues")}, "content is an age file"),
        ({"content": "***"}, "content: "),
        ({**WITHDRAWAL, "content": b64url(b"Because")}, "content is an age file"),
    ],
)
def test_a_message_of_another_form_is_refused_whoever_signed_it(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(MalformedError, match=says):
        taken(signed({**REQUEST, **changes}))


def test_a_reply_names_the_message_it_answers_and_a_withdrawal_may_say_why() -> None:
    reply = taken(signed({**INFORMATION, "in_reply_to": ident("msg", 9)}))
    assert reply.in_reply_to == ident("msg", 9)
    assert taken(signed({**WITHDRAWAL, "content": SEALED})).content == SEALED


@pytest.mark.parametrize("asked", [True, False])
def test_what_a_message_does_depends_on_what_it_says_and_on_what_was_asked(asked: bool) -> None:
    information, withdrawal = build(INFORMATION, RfaMessage), build(WITHDRAWAL, RfaMessage)
    added = Step.REPLY if asked else Step.INFORM
    assert rfa_messages.step_of(information, asked=asked) is added
    assert rfa_messages.step_of(withdrawal, asked=asked) is Step.WITHDRAW
    state = State.CLARIFICATION if asked else State.REVIEW
    assert (state, added) in TRANSITIONS


def test_every_kind_of_message_is_read_and_written_alike() -> None:
    for values in (REQUEST, INFORMATION, WITHDRAWAL):
        message = build(values, RfaMessage)
        assert build(msgspec.to_builtins(message), RfaMessage) == message
    assert {About(v["about"]) for v in (REQUEST, INFORMATION, WITHDRAWAL)} == set(About)
