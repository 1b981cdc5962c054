"""Attacks on second signatures: stripped, backdated, mixed up, of other bytes, by strangers.

Whoever attacks here has broken Ed25519: he makes every first signature he likes, and no second one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.exchange import (
    acts,
    directory,
    manifest,
    messages,
    policy_sets,
    receipts,
    terms,
    tokens,
)
from gateway.exchange import rfa_messages as rfas
from gateway.exchange.acts import Order, act_of, check_second_order, is_order, order_body
from gateway.exchange.directory import Directory, Root, Statement, make_set
from gateway.exchange.pairs import AsPaired
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Key, Member, Role, Second, Status, Use
from gateway.kernel.encoding import Json, b64url, canonical_json, hex_sha256, sha256
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.second import SecondKey
from gateway.kernel.signing import KeySigner, Pair, sign, verify
from gateway.kernel.time import spell
from tests.exchange.world import (
    AUDIENCE,
    AUTHORITY,
    ENDPOINT,
    MECHANISM,
    NOW,
    OFFICER,
    RELEASER,
    SHARER,
    actor,
    ident,
    key,
    signer,
)
from tests.exchange.world import directory as everybody
from tests.vectors import ROOT

DUE = NOW - timedelta(days=30)
BEFORE, AFTER = DUE - timedelta(seconds=1), NOW
ONE = timedelta(seconds=1)


def both(name: str) -> KeySigner:
    """Return the signer that this name always gives, with its second key."""
    seed = sha256(name.encode())
    return KeySigner.from_seed(signer(name).seed, SecondKey.from_seed(seed))


def public_of(name: str) -> str:
    second = both(name).second
    assert second is not None
    return b64url(second.public_key)


def paired(name: str, use: Use = Use.REQUEST, due: datetime = DUE, second: str = "") -> Key:
    """Return that signer's key, paired with its second one, or with that of the name *second*."""
    pair = Second("ML-DSA-65", public_of(second or name), spell(due))
    return msgspec.structs.replace(key(name, use), second=pair)


def having(member: Member, *keys: Key) -> Member:
    return msgspec.structs.replace(member, keys=keys)


def sig2_of(container: bytes) -> str:
    text = json.loads(container)["signatures"][0]["sig2"]
    assert isinstance(text, str)
    return text


def with_sig2(container: bytes, text: str | None) -> bytes:
    value = json.loads(container)
    value["signatures"][0]["sig2"] = text
    return canonical_json(value)


# Everything that is signed and kept


@dataclass(frozen=True)
class Kind:
    """One kind of signed object: who signs it, its type and payload, and how it is opened at a moment."""

    by: str
    typ: str
    payload: dict[str, Json]
    opened: Callable[[bytes, datetime, Key], object]


def _mechanism_keys(key_: Key, moment: datetime) -> Mapping[str, bytes | Pair]:
    service = having(MECHANISM.members[3], key_)
    party = msgspec.structs.replace(MECHANISM, members=(service,))
    return everybody(party).verify_keys(party, Use.MANIFEST, NOW, seen=moment)


def _authors(key_: Key) -> Directory:
    author = Member(ident("psn", 21), "Author", (Role.POLICY_AUTHOR,), (key_,))
    return everybody(msgspec.structs.replace(MECHANISM, members=(author,)))


DIGEST, AT = hex_sha256(b"x"), spell(BEFORE)
KINDS = {
    "manifest": Kind(
        "manifest",
        manifest.TYP,
        {
            "v": 1, "share": ident("shr", 1), "recipient": AUTHORITY.id, "issued": AT,
            "directory": 1, "product": "evidence", "inner": DIGEST,
            "items": [{"n": 0, "header": DIGEST, "header_size": 1, "body": DIGEST, "body_size": 1, "size": 1}],
        },
        lambda c, at, k: manifest.open_manifest(
            c, _mechanism_keys(k, at), share=ident("shr", 1), recipient=AUTHORITY.id
        ),
    ),
    "message": Kind(
        "manifest",
        messages.TYP,
        {
            "v": 1, "id": ident("msg", 1), "to": AUTHORITY.id, "seq": 1, "at": AT,
            "about": "share.available", "share": ident("shr", 1),
        },
        lambda c, at, k: messages.open_message(c, _mechanism_keys(k, at), to=AUTHORITY.id),
    ),
    "receipt": Kind(
        "endpoint/message",
        receipts.TYP,
        {
            "v": 1, "id": ident("rcp", 1), "share": ident("shr", 1), "manifest": DIGEST,
            "rung": "pulled", "by": ENDPOINT.id, "at": AT,
        },
        lambda c, at, k: receipts.open_receipt(c, actor(having(ENDPOINT, k), AUTHORITY), at),
    ),
    "terms": Kind(
        "officer/message",
        terms.TYP,
        {
            "v": 1, "id": ident("trm", 1), "share": ident("shr", 1), "manifest": DIGEST,
            "terms": DIGEST, "accepted": True, "by": OFFICER.id, "at": AT,
        },
        lambda c, at, k: terms.open_terms(c, actor(having(OFFICER, k), AUTHORITY), at),
    ),
    "rfa": Kind(
        "endpoint/message",
        rfas.TYP,
        {
            "v": 1, "id": ident("msg", 2), "sender": AUTHORITY.id, "by": ENDPOINT.id,
            "to": MECHANISM.id, "at": AT, "about": "rfa.withdrawal", "rfa": ident("rfa", 1),
        },
        lambda c, at, k: rfas.open_rfa_message(
            c, actor(having(ENDPOINT, k), AUTHORITY), MECHANISM.id, at
        ),
    ),
    "policy": Kind(
        "author",
        policy_sets.TYP,
        {"any": "manifest"},
        lambda c, at, k: policy_sets.signers(c, _authors(k), at, 1),
    ),
}  # fmt: skip
USES = {"manifest": Use.MANIFEST, "message": Use.MANIFEST, "policy": Use.POLICY}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_bears_both_signatures_and_is_refused_once_one_is_stripped(name: str) -> None:
    kind = KINDS[name]
    k = paired(kind.by, USES.get(name, Use.MESSAGE))
    twice = sign(kind.typ, kind.payload, both(kind.by))
    assert kind.opened(twice, AFTER, k)
    assert kind.opened(twice, BEFORE, k)
    stripped = with_sig2(twice, None)
    for moment in (DUE, AFTER):
        with pytest.raises(VerificationError, match="due and missing"):
            kind.opened(stripped, moment, k)


@pytest.mark.parametrize("name", KINDS)
def test_what_each_kind_says_of_its_own_time_does_not_make_it_older(name: str) -> None:
    """Every payload states a time from before the second signature was mandatory: nobody asks it."""
    kind = KINDS[name]
    k = paired(kind.by, USES.get(name, Use.MESSAGE))
    once = sign(kind.typ, kind.payload, signer(kind.by))
    assert kind.opened(once, BEFORE, k)
    with pytest.raises(VerificationError, match="due and missing"):
        kind.opened(once, DUE, k)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_condemned_by_a_wrong_second_signature_even_before_it_is_due(
    name: str,
) -> None:
    kind = KINDS[name]
    use = USES.get(name, Use.MESSAGE)
    twice = sign(kind.typ, kind.payload, both(kind.by))
    other = sig2_of(sign(kind.typ, {**kind.payload, "v": 2}, both(kind.by)))
    stranger = both("stranger").second
    wrong = replace(both(kind.by), second=stranger)
    for container in (with_sig2(twice, other), sign(kind.typ, kind.payload, wrong)):
        with pytest.raises(VerificationError, match="second signature does not hold"):
            kind.opened(container, BEFORE, paired(kind.by, use))
    with pytest.raises(VerificationError, match="paired with none"):
        kind.opened(twice, BEFORE, key(kind.by, use))


# Orders

ACT: dict[str, Json] = {
    "type": "release",
    "share": ident("shr", 1),
    "recipient": AUTHORITY.id,
    "items": [{"item": ident("itm", 1), "vault_header": DIGEST, "body": DIGEST}],
}
RELEASE = act_of(canonical_json({"act": ACT, "sig2": None}))
BOTH_KEYS = paired("releaser")


def among(key_: Key) -> Directory:
    member = having(RELEASER, key_)
    return everybody(msgspec.structs.replace(MECHANISM, members=(member,)), AUTHORITY)


def judged(body: bytes, logged: datetime, key_: Key = BOTH_KEYS) -> acts.Act:
    request = tokens.Request("POST", "/v1/x", sha256(body))
    token = tokens.make(
        signer("releaser"), issuer=RELEASER.id, audience=AUDIENCE, request=request, now=logged
    )
    order = Order(token, "POST", "/v1/x", body, sha256(body))
    return acts.judge(order, audience=AUDIENCE, directory=among(key_), logged=logged)[1]


def test_an_order_bears_both_signatures_over_the_exact_bytes_of_its_act() -> None:
    body = order_body(RELEASE, both("releaser"))
    assert judged(body, AFTER) == RELEASE
    assert body == canonical_json(json.loads(body)), "ours is canonical"
    second = both("releaser").second
    assert second is not None
    spaced = b'{ "type":"release",' + canonical_json(ACT)[1:].replace(b',"type":"release"', b"")
    sig2 = b64url(second.sign(spaced, b"eg-act")).encode()
    assert judged(b'{"sig2":"' + sig2 + b'" , "act" : ' + spaced + b" }", AFTER) == RELEASE
    with pytest.raises(VerificationError, match="second signature does not hold"):
        judged(b'{"act":' + canonical_json(ACT) + b',"sig2":"' + sig2 + b'"}', AFTER)


def test_an_order_without_the_second_signature_is_refused_from_the_day_it_is_mandatory() -> None:
    once = order_body(RELEASE, signer("releaser"))
    assert judged(once, BEFORE) == RELEASE
    for moment in (DUE, AFTER):
        with pytest.raises(VerificationError, match="due and missing"):
            judged(once, moment)
    assert judged(once, AFTER, paired("releaser", due=AFTER + ONE)) == RELEASE


def test_a_second_signature_of_another_act_moves_to_no_other_order() -> None:
    other = msgspec.structs.replace(RELEASE, recipient=ident("pty", 9))
    moved = json.loads(order_body(other, both("releaser")))["sig2"]
    with pytest.raises(VerificationError, match="second signature does not hold"):
        judged(canonical_json({"act": ACT, "sig2": moved}), BEFORE)


def test_a_second_signature_of_another_kind_is_none_of_an_act() -> None:
    second = both("releaser").second
    assert second is not None
    for context in (b"", b"eg-manifest", b"eg-acts"):
        sig2 = b64url(second.sign(canonical_json(ACT), context))
        with pytest.raises(VerificationError, match="second signature does not hold"):
            judged(canonical_json({"act": ACT, "sig2": sig2}), BEFORE)


def test_a_second_signature_by_the_key_of_another_person_is_refused() -> None:
    with pytest.raises(VerificationError, match="second signature does not hold"):
        judged(order_body(RELEASE, both("releaser")), BEFORE, paired("releaser", second="sharer"))


def test_a_second_signature_by_a_key_that_is_paired_with_none_is_refused() -> None:
    with pytest.raises(MalformedError, match="no second signature") as caught:
        judged(order_body(RELEASE, both("releaser")), AFTER, key("releaser"))
    assert caught.value.field == "/sig2"


@pytest.mark.parametrize("sig2", ["", "AAAA", "A" * 4416, "*"])
def test_a_second_signature_of_another_form_is_malformed(sig2: str) -> None:
    with pytest.raises(MalformedError):
        judged(canonical_json({"act": ACT, "sig2": sig2}), AFTER)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        canonical_json({"payload": "p", "signatures": []}),
        canonical_json({"act": ACT}),
        canonical_json({"act": ACT, "sig2": 1}),
    ],
)
def test_what_is_no_order_needs_no_second_signature_and_has_none(body: bytes) -> None:
    assert not is_order(body)
    with pytest.raises(MalformedError, match="not an order"):
        check_second_order(body, BOTH_KEYS, AFTER)


@pytest.mark.parametrize(
    "body",
    [
        canonical_json({"act": ACT, "sig2": None}),
        b'\n{"sig2":null,"act":' + canonical_json(ACT) + b"}\t",
        b'{"\\u0061ct":' + canonical_json(ACT) + b',"s\\u0069g2":null}',
        b'{"act":' + canonical_json(ACT).replace(b"release", b"rel\\u0065ase") + b',"sig2":null}',
    ],
)
def test_no_spelling_of_an_order_hides_it_from_the_check(body: bytes) -> None:
    assert act_of(body) == RELEASE
    assert is_order(body)
    with pytest.raises(VerificationError, match="due and missing"):
        check_second_order(body, BOTH_KEYS, AFTER)


# The directory


def test_only_an_ed25519_key_for_what_is_kept_is_paired() -> None:
    pair = Second("ML-DSA-65", public_of("x"), spell(DUE))
    for use in (Use.REQUEST, Use.MESSAGE, Use.MANIFEST, Use.POLICY, Use.DIRECTORY):
        assert isinstance(paired("x", use).checking(AFTER), Pair)
    for use in (Use.CHECKPOINT, Use.REWRAP):
        with pytest.raises(ValueError, match="no second"):
            msgspec.structs.replace(key("x", use), second=pair).__post_init__()
    age = Key(Use.ENVELOPE, "x25519", "age1", Status.ACTIVE, AT, spell(NOW))
    with pytest.raises(ValueError, match="no second"):
        msgspec.structs.replace(age, second=pair).__post_init__()


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "ML-DSA-44"},
        {"alg": "Ed25519"},
        {"public": b64url(bytes(1951))},
        {"public": "*"},
        {"mandatory_from": "2026-11-23"},
        {"mandatory_from": None},
        {"more": 1},
    ],
)
def test_a_pair_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    said = plain(paired("x"))
    assert isinstance(said["second"], dict)
    with pytest.raises(MalformedError):
        build({**said, "second": {**said["second"], **changes}}, Key)


def test_a_key_without_a_pair_keeps_its_bytes() -> None:
    assert "second" not in plain(key("x"))
    assert build(plain(paired("x")), Key) == paired("x")


def test_one_second_key_stands_beside_one_key_only() -> None:
    twice = (paired("sharer"), paired("sharer/message", Use.MESSAGE, second="sharer"))
    with pytest.raises(MalformedError, match="already belongs"):
        everybody(msgspec.structs.replace(MECHANISM, members=(having(SHARER, *twice),)))


def root_of(*keys: Key) -> Root:
    return Root(keys, 1)


def statement(expires: datetime, issued: datetime = BEFORE) -> dict[str, Json]:
    return plain(Statement(1, spell(issued), spell(expires), b64url(bytes(32))))


def test_a_directory_that_is_good_beyond_the_day_needs_both_signatures() -> None:
    root = root_of(paired("custodian", Use.DIRECTORY))
    made = make_set((), number=1, issued=BEFORE, expires=AFTER, signers=[both("custodian")])
    assert directory.open_set(canonical_json(plain(made)), root).number == 1
    stripped = with_sig2(made.signed.encode(), None)
    with pytest.raises(VerificationError, match="due and missing"):
        root.verify(stripped)


def test_a_directory_cannot_be_backdated_to_do_without() -> None:
    """It may say it was issued long ago; to be of use it must still be good, and then both are due."""
    root = root_of(paired("custodian", Use.DIRECTORY))
    for issued in (BEFORE - timedelta(days=1000), BEFORE):
        forged = sign(directory.TYP, statement(AFTER, issued), signer("custodian"))
        with pytest.raises(VerificationError, match="due and missing"):
            root.verify(forged)
    old = sign(directory.TYP, statement(BEFORE), signer("custodian"))
    assert root.verify(old).expires == spell(BEFORE), "what was in force before stays readable"


def test_a_custodian_without_a_pair_still_counts_beside_one_with() -> None:
    keys = (paired("custodian", Use.DIRECTORY), key("custodian2", Use.DIRECTORY))
    made = sign(directory.TYP, statement(AFTER), both("custodian"), signer("custodian2"))
    assert Root(keys, 2).verify(made).number == 1


# Signing as the directory asks


def test_a_key_signs_twice_only_while_the_directory_pairs_it() -> None:
    def second_under(*keys: Key) -> SecondKey | None:
        party = msgspec.structs.replace(MECHANISM, members=(having(SHARER, *keys),))
        return AsPaired(both("sharer"), lambda: everybody(party)).second

    assert second_under(paired("sharer")) is not None
    assert second_under(key("sharer")) is None
    assert second_under(key("plain")) is None
    assert second_under(paired("sharer", second="plain")) is None
    alone = AsPaired(signer("sharer"), lambda: everybody())
    assert alone.second is None


def test_what_is_signed_as_paired_holds() -> None:
    party = msgspec.structs.replace(MECHANISM, members=(having(SHARER, paired("sharer")),))
    container = sign("t", {}, AsPaired(both("sharer"), lambda: everybody(party)))
    kid = paired("sharer").kid
    assert verify("t", container, {kid: paired("sharer").checking(AFTER)})[1] == {kid}


def test_no_key_of_the_directory_checks_signatures_without_its_pair() -> None:
    """Whoever takes the raw key would not miss a second signature: tokens alone do, which bear none."""
    takes = {
        path.relative_to(ROOT / "gateway").as_posix(): found
        for path in (ROOT / "gateway").rglob("*.py")
        if (found := path.read_text().count(".raw()"))
    }
    assert takes == {
        "exchange/parties.py": 4,
        "exchange/tokens.py": 1,
        "exchange/rewraps.py": 1,  # whose keys are paired with none
        "wiring/keyholder.py": 1,  # the log's, likewise
    }
