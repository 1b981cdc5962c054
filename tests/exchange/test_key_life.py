"""The life of a key as a table, what is advised about it, and what a later directory may not undo."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.exchange import key_acts
from gateway.exchange.acts import ConfirmKey
from gateway.exchange.directory import Actor, Directory
from gateway.exchange.key_acts import KeyOffer, KeyProof
from gateway.exchange.key_life import (
    TRANSITIONS,
    Step,
    advance,
    advice,
    check_succession,
    fingerprint,
    kid_digest,
)
from gateway.exchange.manifest import Manifest, Rewrapped, SealedItem, check_rewrap
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Key, Kind, Member, Party, Status, Use
from gateway.kernel.encoding import b64url
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    MalformedError,
    VerificationError,
)
from gateway.kernel.signing import KeySigner
from gateway.kernel.time import instant, spell
from tests.exchange.world import ident

NOW = instant("2026-11-23T16:18:00Z")
SIGNER = KeySigner.from_seed(bytes(32))
OWNER = ident("svc", 1)
DIGEST = "1" * 64


def key(
    text: str = "age1one", status: Status = Status.ACTIVE, days: int = 700, begins: int = -1
) -> Key:
    begin, end = NOW + timedelta(days=begins), NOW + timedelta(days=days)
    return Key(Use.ENVELOPE, "x25519", text, status, spell(begin), spell(end))


def signing_key(status: Status = Status.ACTIVE, use: Use = Use.MESSAGE) -> Key:
    public = b64url(SIGNER.public_key)
    begin, end = spell(NOW - timedelta(days=1)), spell(NOW + timedelta(days=9))
    return Key(use, "Ed25519", public, status, begin, end)


def member(*keys: Key) -> Member:
    return Member(OWNER, "endpoint", (), keys)


def directory(*keys: Key) -> Directory:
    party = Party(ident("pty", 1), "xa", "XA", Kind.AUTHORITY, (member(*keys),), "XA")
    return Directory(1, NOW, NOW, "", (party,))


def actor(*keys: Key) -> Actor:
    party = directory(*keys).parties[0]
    return Actor(party.members[0], party, keys[0])


@pytest.mark.parametrize(("status", "step"), [*product((None, *Status), Step)])
def test_a_key_takes_the_steps_of_the_table_and_no_other(status: Status | None, step: Step) -> None:
    if (status, step) in TRANSITIONS:
        assert advance(status, step) is TRANSITIONS[status, step]
    else:
        with pytest.raises(ConflictError, match="a key that is"):
            advance(status, step)


def test_nothing_leads_back_from_the_end_of_a_key() -> None:
    assert not [at for at, _ in TRANSITIONS if at is Status.REVOKED]
    assert {to for (at, _), to in TRANSITIONS.items() if at is Status.RETIRED} == {Status.REVOKED}


def test_a_fingerprint_is_short_whatever_the_key() -> None:
    assert fingerprint(key()) == kid_digest("age1one")
    assert fingerprint(signing_key()) == signing_key().kid


@pytest.mark.parametrize(
    ("was", "now"), [(Status.REVOKED, s) for s in Status] + [(Status.RETIRED, s) for s in Status]
)
def test_a_later_directory_brings_no_key_back(was: Status, now: Status) -> None:
    before, after = directory(key(status=was)), directory(key(status=now))
    if now in (was, Status.REVOKED):
        check_succession(before, after)
    else:
        with pytest.raises(MalformedError, match=f"was {was.value} and cannot become {now.value}"):
            check_succession(before, after)


def test_a_later_directory_may_drop_a_key_and_end_one_that_counts() -> None:
    check_succession(directory(key(status=Status.REVOKED)), directory(key("age1two")))
    for status in Status:
        check_succession(directory(key()), directory(key(status=status)))


@pytest.mark.parametrize(
    ("keys", "introduced", "says"),
    [
        ((key(),), True, ""),
        ((key(),), None, ""),
        ((key(),), False, "not introduced"),
        ((key(status=Status.RETIRED),), False, ""),
        ((key(status=Status.REVOKED),), True, ""),
        ((key(days=0, begins=-2),), True, "has ended"),
        ((key(status=Status.NEXT),), True, "keys activate"),
        ((key(), key("age1two", Status.NEXT, begins=0)), True, "has a successor"),
        ((key(begins=0), key("age1two", begins=-5)), True, ""),
        ((key(days=59),), True, "ends in 59 days: its owner runs gateway keys rotate-envelope"),
        ((signing_key(),), None, "ends in 9 days: enter a new one"),
    ],
)
def test_what_to_do_next_about_a_key_is_said(
    keys: tuple[Key, ...], introduced: bool | None, says: str
) -> None:
    said = advice(member(*keys), keys[0], NOW, introduced=introduced)
    assert says in said
    assert bool(says) is bool(said)


PROOF = KeyProof(1, ident("prf", 1), ident("chl", 1), DIGEST, b64url(bytes(32)), OWNER, spell(NOW))
OFFER = KeyOffer(1, "x25519", "age1one", OWNER, spell(NOW))


def test_a_proof_is_opened_as_its_owner_signed_it() -> None:
    container = key_acts.sign_proof(PROOF, SIGNER)
    assert key_acts.open_proof(container, actor(signing_key()), NOW) == PROOF


def test_a_proof_sent_by_another_is_refused() -> None:
    other = replace(PROOF, by=ident("svc", 2))
    with pytest.raises(ForbiddenError, match="sent by the one who signed"):
        key_acts.open_proof(key_acts.sign_proof(other, SIGNER), actor(signing_key()), NOW)


@pytest.mark.parametrize(
    "known", [signing_key(Status.RETIRED), signing_key(use=Use.REQUEST), key()]
)
def test_a_proof_or_offer_by_no_message_key_of_the_owner_is_refused(known: Key) -> None:
    for container, opens in (
        (key_acts.sign_proof(PROOF, SIGNER), key_acts.open_proof),
        (key_acts.sign_offer(OFFER, SIGNER), key_acts.open_offer),
    ):
        with pytest.raises(VerificationError):
            opens(container, actor(known), NOW)


def test_a_receipt_or_proof_does_not_pass_for_an_offer() -> None:
    container = key_acts.sign_offer(OFFER, SIGNER)
    assert key_acts.offered_by(container) == OWNER
    assert key_acts.open_offer(container, actor(signing_key()), NOW) == OFFER
    with pytest.raises(VerificationError):
        key_acts.open_offer(key_acts.sign_proof(PROOF, SIGNER), actor(signing_key()), NOW)


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        (KeyProof, {"v": 2}, "version 1"),
        (KeyProof, {"id": "x"}, "starting with prf"),
        (KeyProof, {"challenge": "x"}, "starting with chl"),
        (KeyProof, {"key": "x"}, "hex"),
        (KeyProof, {"answer": "AAAA"}, "32 bytes"),
        (KeyProof, {"by": "x"}, "starting with psn"),
        (KeyProof, {"at": "now"}, "time"),
        (KeyOffer, {"v": 2}, "version 1"),
        (KeyOffer, {"by": "x"}, "starting with psn"),
    ],
)
def test_a_proof_or_offer_of_another_form_is_malformed(
    kind: type, changes: dict[str, Any], says: str
) -> None:
    good = plain(PROOF if kind is KeyProof else OFFER)
    with pytest.raises(MalformedError, match=says):
        build({**good, **changes}, kind)


def test_a_challenge_is_answered_by_what_it_holds_and_only_its_own() -> None:
    name, secret = ident("chl", 1), bytes(range(32))
    text = key_acts.challenge_text(name, secret)
    assert key_acts.read_challenge(name, text) == secret
    assert key_acts.challenge_digest(name, secret) != key_acts.challenge_digest(name, bytes(32))
    for wrong in (text + b"x", key_acts.challenge_text(ident("chl", 2), secret), b""):
        with pytest.raises(MalformedError, match="not this challenge"):
            key_acts.read_challenge(name, wrong)


def test_a_confirmation_says_how_the_person_made_sure() -> None:
    with pytest.raises(ValueError, match="how has 1 to"):
        ConfirmKey(ident("kcf", 1), ident("chl", 1), DIGEST, DIGEST, "")


def manifest(**changes: Any) -> Manifest:
    said: dict[str, Any] = {
        "v": 1,
        "share": ident("shr", 1),
        "recipient": ident("pty", 1),
        "issued": spell(NOW),
        "directory": 1,
        "product": "evidence",
        "items": (SealedItem(0, DIGEST, 168, "2" * 64, 33, 1),),
        "inner": DIGEST,
    }
    return Manifest(**{**said, **changes})


AGAIN = Rewrapped(1, spell(NOW), DIGEST)


def test_a_manifest_wrapped_anew_changes_headers_and_nothing_else() -> None:
    header = (SealedItem(0, "3" * 64, 1627, "2" * 64, 33, 1),)
    new = manifest(rewrap=AGAIN, items=header, inner="4" * 64, directory=2)
    check_rewrap(manifest(), new)
    assert (manifest().sequence, new.sequence) == (0, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"issued": "2026-11-24T16:18:00Z"},
        {"product": "information"},
        {"expires": "2027-01-01"},
        {"items": (SealedItem(0, DIGEST, 168, "5" * 64, 33, 1),)},
        {"items": (SealedItem(0, DIGEST, 168, "2" * 64, 33, 2),)},
    ],
)
def test_a_rewrap_that_swaps_a_body_or_a_term_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match="more than its headers"):
        check_rewrap(manifest(), manifest(rewrap=AGAIN, **changes))


def test_an_older_manifest_offered_again_is_refused() -> None:
    for old in (manifest(rewrap=AGAIN), manifest(rewrap=Rewrapped(2, spell(NOW), DIGEST))):
        with pytest.raises(VerificationError, match="older manifest"):
            check_rewrap(old, manifest(rewrap=AGAIN))


@pytest.mark.parametrize("wrong", [{"n": 0}, {"replaces": "x"}, {"at": "now"}])
def test_a_rewrap_has_a_number_a_time_and_what_it_replaces(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="re-wrap|time"):
        Rewrapped(**{"n": 1, "at": spell(NOW), "replaces": DIGEST, **wrong})
