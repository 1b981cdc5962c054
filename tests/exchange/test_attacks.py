"""Attacks on what is signed and kept: orders, manifests, receipts, messages, the directory, names."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import acts, directory, manifest, messages, receipts, tokens
from gateway.exchange.acts import Order, Particulars, check_name
from gateway.exchange.directory import Directory, Entry, Root, Set, View
from gateway.exchange.entitlement import LoggedOrder, check_entitled
from gateway.exchange.parse import plain
from gateway.exchange.parties import Key, Member, Party, Role, Status, Use
from gateway.kernel.encoding import Json, b64url, canonical_json, hex_sha256, sha256
from gateway.kernel.errors import (
    ForbiddenError,
    GatewayError,
    MalformedError,
    UnauthorizedError,
    VerificationError,
)
from gateway.kernel.signing import add_signature, sign
from tests.exchange.world import (
    ADVISER,
    AUDIENCE,
    AUTHORITY,
    ENDPOINT,
    MECHANISM,
    NOW,
    OFFICER,
    OTHER,
    PLAIN,
    SERVICE,
    SHARER,
    TURNCOAT,
    actor,
    ident,
    key,
    kid,
    seconds,
    signer,
    with_keys,
)
from tests.exchange.world import directory as everybody

ITEM, SHARE = ident("itm", 1), ident("shr", 1)
HEADER = b"the vault header of the item"
DEPOSIT: dict[str, Any] = {
    "type": "deposit",
    "item": ITEM,
    "vault_header": hex_sha256(HEADER),
    "body": hex_sha256(b"body"),
    "body_size": 10,
    "size": 4,
    "suite": "pq",
    "facts": hex_sha256(b"facts"),
    "particulars": hex_sha256(b"particulars"),
    "handling": "AMBER",
}
RELEASED = {k: DEPOSIT[k] for k in ("item", "vault_header", "body")}
RELEASE: dict[str, Any] = {
    "type": "release",
    "share": SHARE,
    "recipient": AUTHORITY.id,
    "items": [RELEASED],
}
APPROVE: dict[str, Any] = {
    "type": "approve",
    "id": ident("clr", 1),
    "share": SHARE,
    "recipient": AUTHORITY.id,
    "role": "legal_adviser",
    "basis": hex_sha256(b"basis"),
    "items": [RELEASED],
}


def order(
    act: dict[str, Any],
    by: str,
    member: Member,
    *,
    audience: str = AUDIENCE,
    at: datetime = NOW,
    sig2: object = None,
) -> LoggedOrder:
    """Sign an act as this member and log it at that very moment."""
    body = canonical_json({"act": act, "sig2": sig2})  # type: ignore[dict-item]
    request = tokens.Request("POST", "/v1/x", sha256(body))
    token = tokens.make(signer(by), issuer=member.id, audience=audience, request=request, now=at)
    return LoggedOrder(Order(token, "POST", "/v1/x", body, sha256(body)), at)


def deposited(**changes: Any) -> LoggedOrder:
    return order({**DEPOSIT, **changes}, "sharer", SHARER)


def released(**changes: Any) -> LoggedOrder:
    return order({**RELEASE, **changes}, "releaser", MECHANISM.members[1])


def entitled(
    deposit: LoggedOrder | None = None,
    release: LoggedOrder | None = None,
    *,
    header: bytes = HEADER,
    recipient: str = AUTHORITY.id,
    among: Directory | None = None,
) -> acts.Deposit:
    return check_entitled(
        deposit or deposited(),
        release or released(),
        vault_header=header,
        recipient=recipient,
        audience=AUDIENCE,
        directory_at=lambda _: among or everybody(),
    )


def judged(logged: LoggedOrder, among: Directory | None = None) -> acts.Act:
    return acts.judge(
        logged.order, audience=AUDIENCE, directory=among or everybody(), logged=logged.logged
    )[1]


# Who is owed a file key


def test_two_good_orders_entitle_their_recipient_so_that_each_change_is_the_reason() -> None:
    assert entitled().item == ITEM
    several = [{**RELEASED, "item": ident("itm", 9)}, RELEASED]
    assert entitled(release=released(items=several)).body == DEPOSIT["body"]


def test_the_vault_header_of_another_item_under_a_valid_order_is_refused() -> None:
    with pytest.raises(VerificationError, match="vault header is not the one"):
        entitled(header=b"the vault header of another item")


def test_another_item_whose_own_deposit_is_genuine_is_not_covered_by_the_release() -> None:
    other = b"the vault header of another item"
    deposit = deposited(item=ident("itm", 2), vault_header=hex_sha256(other))
    with pytest.raises(VerificationError, match="does not name this item"):
        entitled(deposit, header=other)


@pytest.mark.parametrize("name", ["item", "vault_header", "body"])
def test_a_release_that_differs_from_the_deposit_in_one_digest_is_refused(name: str) -> None:
    changed = {**RELEASED, name: ident("itm", 2) if name == "item" else hex_sha256(b"other")}
    with pytest.raises(VerificationError, match="does not name this item"):
        entitled(release=released(items=[changed]))


def test_a_release_for_another_recipient_is_refused() -> None:
    with pytest.raises(VerificationError, match="for another recipient"):
        entitled(recipient=OTHER.id)
    with pytest.raises(VerificationError, match="for another recipient"):
        entitled(release=released(recipient=OTHER.id))


def test_an_authority_as_depositor_is_refused() -> None:
    with pytest.raises(ForbiddenError, match="only the mechanism"):
        entitled(deposit=order(DEPOSIT, "turncoat", TURNCOAT))


def test_an_authority_as_releaser_is_refused() -> None:
    with pytest.raises(ForbiddenError, match="only the mechanism"):
        entitled(release=order(RELEASE, "turncoat", TURNCOAT))


def test_an_authority_as_both_is_refused() -> None:
    with pytest.raises(ForbiddenError, match="only the mechanism"):
        entitled(order(DEPOSIT, "turncoat", TURNCOAT), order(RELEASE, "turncoat", TURNCOAT))


def test_orders_of_other_kinds_are_refused_in_either_place() -> None:
    for deposit, release in ((released(), released()), (deposited(), deposited())):
        with pytest.raises(VerificationError, match="not a deposit record and a release"):
            entitled(deposit, release)
    with pytest.raises(VerificationError, match="not a deposit record and a release"):
        entitled(released(), deposited())


@pytest.mark.parametrize("place", [0, 1])
def test_an_order_whose_body_was_swapped_is_refused(place: int) -> None:
    genuine, other = (
        (deposited(), deposited(size=5))
        if not place
        else (
            released(),
            released(recipient=OTHER.id),
        )
    )
    swapped = replace(genuine, order=replace(genuine.order, body=other.order.body))
    with pytest.raises(MalformedError, match="not the one it was signed over"):
        entitled(*((swapped, None) if not place else (None, swapped)))


def test_a_swapped_body_with_its_own_digest_is_not_what_the_token_says() -> None:
    genuine, other = released(), released(recipient=OTHER.id)
    swapped = replace(
        genuine,
        order=replace(genuine.order, body=other.order.body, body_digest=other.order.body_digest),
    )
    with pytest.raises(UnauthorizedError, match="another body"):
        entitled(release=swapped, recipient=OTHER.id)


def test_an_order_made_for_another_gateway_is_refused() -> None:
    with pytest.raises(UnauthorizedError, match="another audience"):
        entitled(deposit=order(DEPOSIT, "sharer", SHARER, audience="https://other.example"))


@pytest.mark.parametrize("shift", [-31, 91])
def test_an_order_logged_at_another_time_than_it_was_given_is_refused(shift: int) -> None:
    for place in (0, 1):
        good = [deposited(), released()]
        good[place] = replace(good[place], logged=seconds(shift))
        with pytest.raises(UnauthorizedError, match="clock"):
            entitled(*good)


def test_an_order_by_a_key_that_was_revoked_entitles_nobody() -> None:
    among = with_keys(key("sharer", status=Status.REVOKED))
    with pytest.raises(UnauthorizedError, match="revoked"):
        entitled(among=among)


def test_each_order_is_judged_by_the_directory_of_its_own_time() -> None:
    retired = with_keys(key("sharer", status=Status.RETIRED))
    later = order(RELEASE, "releaser", MECHANISM.members[1], at=seconds(3600))

    def entitle(deposit_sees: Directory, release_sees: Directory) -> acts.Deposit:
        return check_entitled(
            deposited(),
            later,
            vault_header=HEADER,
            recipient=AUTHORITY.id,
            audience=AUDIENCE,
            directory_at=lambda at: deposit_sees if at == NOW else release_sees,
        )

    keeps_releaser = everybody(
        msgspec.structs.replace(MECHANISM, members=MECHANISM.members[1:]), AUTHORITY
    )
    assert entitle(everybody(), keeps_releaser).item == ITEM
    with pytest.raises(UnauthorizedError, match="revoked"):
        entitle(retired, everybody())
    with pytest.raises(UnauthorizedError, match="revoked"):
        entitle(everybody(), retired)


# Who may order what


def test_an_order_holds_its_act_and_its_digest() -> None:
    logged = released()
    assert isinstance(judged(logged), acts.Release)
    text = f"{logged.order.token}\n{hex_sha256(logged.order.body)}".encode()
    assert logged.order.digest == hex_sha256(text)


@pytest.mark.parametrize("act", [RELEASE, APPROVE])
def test_a_service_gives_no_order_that_is_a_persons(act: dict[str, Any]) -> None:
    with pytest.raises(ForbiddenError, match="key of a person"):
        judged(order(act, "service", SERVICE))


def test_a_person_without_the_role_is_refused_and_told_which() -> None:
    with pytest.raises(ForbiddenError, match="needs the role releaser$"):
        judged(order(RELEASE, "sharer", SHARER))
    with pytest.raises(ForbiddenError, match="needs the role sharer$"):
        judged(order(DEPOSIT, "plain", PLAIN))


def test_an_approval_in_a_role_that_the_person_does_not_have_is_refused() -> None:
    assert isinstance(judged(order(APPROVE, "adviser", ADVISER)), acts.Approve)
    with pytest.raises(ForbiddenError, match="needs the role victims_unit$"):
        judged(order({**APPROVE, "role": "victims_unit"}, "adviser", ADVISER))


def test_an_approval_in_a_role_that_approves_nothing_is_refused() -> None:
    with pytest.raises(ForbiddenError, match="no such approval"):
        judged(order({**APPROVE, "role": "compliance"}, "plain", PLAIN))


def test_a_second_signature_is_refused_before_anybody_can_check_it() -> None:
    with pytest.raises(MalformedError, match="no second signature") as caught:
        judged(order(DEPOSIT, "sharer", SHARER, sig2="AAAA"))
    assert caught.value.field == "/sig2"


# Manifests

PARTICULARS: dict[str, Any] = {
    "name": "folder/report.pdf",
    "media_type": "application/pdf",
    "evidence_number": "E-1",
    "size": 4,
    "sha256": hex_sha256(b"text"),
    "relation": {"kind": "original", "of": None},
}
INNER: dict[str, Any] = {
    "share": SHARE,
    "recipient": AUTHORITY.id,
    "items": [{"n": 0, "particulars": PARTICULARS, "facts": {}}],
    "terms": {},
    "basis": {},
    "note": "",
}
SEALED: dict[str, Any] = {
    "n": 0,
    "header": hex_sha256(b"h"),
    "header_size": 1,
    "body": hex_sha256(b"b"),
    "body_size": 36,
    "size": 4,
}
MANIFEST: dict[str, Any] = {
    "v": 1,
    "share": SHARE,
    "recipient": AUTHORITY.id,
    "issued": "2026-11-23T16:18:00Z",
    "directory": 1,
    "product": "evidence",
    "items": [SEALED],
    "inner": hex_sha256(b"sealed inner"),
}
MANIFEST_KEYS = {kid("manifest"): signer("manifest").public_key}


def made(**changes: Any) -> manifest.Manifest:
    return msgspec.convert({**MANIFEST, **changes}, manifest.Manifest)


def signed_manifest(by: str = "manifest", **changes: Any) -> bytes:
    return manifest.sign_manifest(made(**changes), signer(by))


def opened(container: bytes, share: str = SHARE, to: str = AUTHORITY.id) -> manifest.Manifest:
    return manifest.open_manifest(container, MANIFEST_KEYS, share=share, recipient=to)


def opened_inner(outer: manifest.Manifest | None = None, **changes: Any) -> manifest.Inner:
    return manifest.open_inner(outer or made(), canonical_json({**INNER, **changes}))


def item(n: int, **changes: Any) -> dict[str, Any]:
    return {"n": n, "particulars": {**PARTICULARS, **changes}, "facts": {}}


def test_a_manifest_opens_for_its_share_and_recipient() -> None:
    assert opened(signed_manifest()) == made()
    assert opened_inner().items[0].particulars.name == "folder/report.pdf"
    manifest.check_inner_digest(made(), b"sealed inner")


def test_a_replayed_manifest_of_another_share_is_refused() -> None:
    with pytest.raises(VerificationError, match="of another share"):
        opened(signed_manifest(share=ident("shr", 2)))
    with pytest.raises(VerificationError, match="of another share"):
        opened(signed_manifest(), share=ident("shr", 2))


def test_a_manifest_to_another_recipient_is_refused() -> None:
    with pytest.raises(VerificationError, match="for another recipient"):
        opened(signed_manifest(recipient=OTHER.id))


def test_a_manifest_signed_by_another_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        opened(signed_manifest("sharer"))


def test_a_message_sent_as_a_manifest_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        opened(sign(messages.TYP, plain(made()), signer("manifest")))


def test_a_swapped_inner_manifest_is_refused_before_it_is_decrypted() -> None:
    with pytest.raises(VerificationError, match="not the one that was signed"):
        manifest.check_inner_digest(made(), b"another sealed inner")


@pytest.mark.parametrize(
    "changes",
    [
        {"share": ident("shr", 2)},
        {"recipient": OTHER.id},
        {"items": [item(0, size=5)]},
        {"items": [item(1)]},
        {"items": []},
        {"items": [item(0), item(1, name="b")]},
    ],
)
def test_an_inner_manifest_of_another_share_or_size_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match="two layers of the manifest do not agree"):
        opened_inner(**changes)


def test_two_items_under_one_name_are_refused_even_if_the_case_differs() -> None:
    outer = made(items=[SEALED, {**SEALED, "n": 1}])
    assert len(opened_inner(outer, items=[item(0), item(1, name="b")]).items) == 2
    for name in ("folder/report.pdf", "FOLDER/Report.PDF"):
        with pytest.raises(VerificationError, match="have one name"):
            opened_inner(outer, items=[item(0), item(1, name=name)])


def test_an_inner_manifest_with_a_name_that_leaves_its_folder_is_refused() -> None:
    with pytest.raises(MalformedError, match="relative path") as caught:
        opened_inner(items=[item(0, name="../../.ssh/authorized_keys")])
    assert caught.value.field.startswith("/items/0")


# Receipts

MANIFEST_DIGEST = hex_sha256(b"manifest")


def receipt(rung: str, by: str, signed_by: str, **changes: Any) -> bytes:
    values = {
        "v": 1,
        "id": ident("rcp", 1),
        "share": SHARE,
        "manifest": MANIFEST_DIGEST,
        "rung": rung,
        "by": by,
        "at": "2026-11-23T16:18:00Z",
    }
    made_receipt = msgspec.convert({**values, **changes}, receipts.Receipt)
    return receipts.sign_receipt(made_receipt, signer(signed_by))


def taken(container: bytes, member: Member = ENDPOINT, now: datetime = NOW) -> receipts.Receipt:
    return receipts.open_receipt(container, actor(member, AUTHORITY), now)


def test_each_rung_is_taken_from_the_one_whose_it_is() -> None:
    for rung in ("pulled", "verified"):
        assert taken(receipt(rung, ENDPOINT.id, "endpoint/message")).rung.value == rung
    for rung in ("opened", "accepted", "rejected"):
        opened_by = taken(receipt(rung, OFFICER.id, "officer/message"), OFFICER)
        assert opened_by.by == OFFICER.id
    assert set(receipts.STEP) == set(receipts.Rung)


def test_a_receipt_signed_by_another_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(receipt("pulled", ENDPOINT.id, "officer/message"))


def test_a_receipt_of_another_sent_as_ones_own_is_refused() -> None:
    with pytest.raises(ForbiddenError, match="sent by the one who signed it"):
        taken(receipt("pulled", OFFICER.id, "endpoint/message"))
    with pytest.raises(ForbiddenError, match="sent by the one who signed it"):
        taken(receipt("accepted", OFFICER.id, "officer/message"))


def test_a_receipt_signed_with_a_request_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(receipt("pulled", ENDPOINT.id, "endpoint"))


def test_a_receipt_signed_after_the_term_of_the_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        taken(receipt("pulled", ENDPOINT.id, "endpoint/message"), now=NOW + timedelta(days=365))


@pytest.mark.parametrize("rung", ["opened", "accepted", "rejected"])
def test_an_endpoint_signs_no_rung_of_an_officer(rung: str) -> None:
    with pytest.raises(ForbiddenError, match=f"rung {rung} is signed by one with role officer"):
        taken(receipt(rung, ENDPOINT.id, "endpoint/message"))


@pytest.mark.parametrize("rung", ["pulled", "verified"])
def test_an_officer_signs_no_rung_of_an_endpoint(rung: str) -> None:
    with pytest.raises(ForbiddenError, match=f"rung {rung} is signed by one with role endpoint"):
        taken(receipt(rung, OFFICER.id, "officer/message"), OFFICER)


@pytest.mark.parametrize(
    ("prefix", "role", "rung"),
    [
        ("psn", Role.ENDPOINT, "pulled"),
        ("svc", Role.OFFICER, "accepted"),
        ("psn", Role.SHARER, "accepted"),
        ("svc", Role.SHARER, "pulled"),
    ],
)
def test_a_rung_takes_both_the_role_and_the_right_kind_of_actor(
    prefix: str, role: Role, rung: str
) -> None:
    member = Member(ident(prefix, 50), "Odd", (role,), (key("odd", Use.MESSAGE),))
    with pytest.raises(ForbiddenError, match="is signed by one with role"):
        taken(receipt(rung, member.id, "odd"), member)


# Messages

MESSAGE: dict[str, Any] = {
    "v": 1,
    "id": ident("msg", 1),
    "to": AUTHORITY.id,
    "seq": 1,
    "at": "2026-11-23T16:18:00Z",
    "about": "share.recalled",
    "share": SHARE,
    "ask": "sequester",
}
MESSAGE_KEYS = {kid("service/message"): signer("service/message").public_key}


def message(by: str = "service/message", **changes: Any) -> bytes:
    made_message = msgspec.convert({**MESSAGE, **changes}, messages.Message)
    return messages.sign_message(made_message, signer(by))


def test_a_message_is_read_by_the_party_it_is_to() -> None:
    found = messages.open_message(message(), MESSAGE_KEYS, to=AUTHORITY.id)
    assert (found.about, found.ask) == (messages.About.SHARE_RECALLED, "sequester")


def test_a_message_to_another_party_is_refused() -> None:
    with pytest.raises(VerificationError, match="for another recipient"):
        messages.open_message(message(), MESSAGE_KEYS, to=OTHER.id)


def test_a_message_by_another_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by enough"):
        messages.open_message(message("endpoint/message"), MESSAGE_KEYS, to=AUTHORITY.id)


# The directory

CUSTODIANS = tuple(f"custodian/{n}" for n in range(3))
ROOT_KEYS = tuple(key(name, Use.DIRECTORY) for name in CUSTODIANS)
TRUST = Root(ROOT_KEYS, 2)
PARTIES = (MECHANISM, AUTHORITY, OTHER)


def directory_set(*signers: str, number: int = 1, parties: tuple[Party, ...] = PARTIES) -> bytes:
    made_set = directory.make_set(
        parties,
        number=number,
        issued=NOW,
        expires=NOW + timedelta(days=7),
        signers=[signer(name) for name in signers or CUSTODIANS[:2]],
    )
    return msgspec.json.encode(made_set)


SET = directory_set()
VIEW = directory.view_of(SET, [AUTHORITY.id])


def encoded(value: object) -> bytes:
    return canonical_json(plain(value))


def view_with(**changes: Any) -> bytes:
    entry = msgspec.structs.replace(VIEW.entries[0], **changes)
    return encoded(View(VIEW.signed, (entry,)))


def test_a_set_opens_whole_and_a_view_shows_no_more_than_it_names() -> None:
    whole = directory.open_set(SET, TRUST)
    assert {party.id for party in whole.parties} == {party.id for party in PARTIES}
    view = directory.open_view(encoded(VIEW), TRUST)
    assert view.parties == (AUTHORITY,)
    assert (view.number, view.digest) == (whole.number, whole.digest)
    assert MECHANISM.id not in encoded(VIEW).decode()
    assert not whole.expired(NOW)
    assert whole.expired(NOW + timedelta(days=7))


def test_a_forged_entry_in_a_view_is_refused() -> None:
    forged = msgspec.structs.replace(AUTHORITY, members=(TURNCOAT,))
    with pytest.raises(VerificationError, match="does not belong"):
        directory.open_view(view_with(party=forged), TRUST)


def test_an_entry_of_another_set_is_refused() -> None:
    other = directory.view_of(directory_set(), [AUTHORITY.id])
    with pytest.raises(VerificationError, match="does not belong"):
        directory.open_view(encoded(View(VIEW.signed, other.entries)), TRUST)


def test_a_forged_path_is_refused() -> None:
    path = VIEW.entries[0].path
    for level in (0, 5, 11):
        forged = (*path[:level], b64url(bytes(32)), *path[level + 1 :])
        with pytest.raises(VerificationError, match="does not belong"):
            directory.open_view(view_with(path=forged), TRUST)
    for wrong in (path[:-1], (*path, path[0]), ()):
        with pytest.raises(VerificationError, match="does not belong"):
            directory.open_view(view_with(path=wrong), TRUST)


def stated(root: str) -> str:
    """Return a statement of this root, as the custodians would sign it."""
    statement = plain(directory.Statement(1, "2026-11-23T16:18:00Z", "2026-11-30T16:18:00Z", root))
    return sign(directory.TYP, statement, *(signer(name) for name in CUSTODIANS[:2])).decode()


def climbed(levels: int) -> tuple[tuple[str, ...], str]:
    """Return a path of so many levels from place 0, and the root that it leads to."""
    node = sha256(b"\x00" + bytes(32) + canonical_json(plain(AUTHORITY)))
    for _ in range(levels):
        node = sha256(b"\x01" + node + bytes(32))
    return (b64url(bytes(32)),) * levels, b64url(node)


def test_a_tree_of_another_depth_is_refused_even_if_it_was_signed() -> None:
    for levels in (0, 11, 12, 13):
        path, root = climbed(levels)
        view = encoded(View(stated(root), (Entry(0, b64url(bytes(32)), AUTHORITY, path),)))
        if levels == directory.DEPTH:
            assert directory.open_view(view, TRUST).parties == (AUTHORITY,)
            continue
        with pytest.raises(VerificationError, match="does not belong"):
            directory.open_view(view, TRUST)


def test_a_root_in_a_second_spelling_is_refused_even_if_it_was_signed() -> None:
    path, root = climbed(directory.DEPTH)
    view = View(stated(f"{root}="), (Entry(0, b64url(bytes(32)), AUTHORITY, path),))
    with pytest.raises(MalformedError, match="not canonical"):
        directory.open_view(encoded(view), TRUST)


@pytest.mark.parametrize("shift", [1, 2, 4096, -4096, 1 << 40])
def test_a_forged_place_is_refused(shift: int) -> None:
    place = VIEW.entries[0].place
    moved = place ^ shift if abs(shift) < 4096 else place + shift
    with pytest.raises(VerificationError, match="does not belong"):
        directory.open_view(view_with(place=moved), TRUST)


def test_a_forged_salt_is_refused() -> None:
    with pytest.raises(VerificationError, match="does not belong"):
        directory.open_view(view_with(salt=b64url(bytes(32))), TRUST)
    with pytest.raises(MalformedError, match="expected 32 bytes"):
        directory.open_view(view_with(salt=b64url(bytes(31))), TRUST)
    path = VIEW.entries[0].path
    with pytest.raises(MalformedError, match="expected 32 bytes"):
        directory.open_view(view_with(path=(b64url(bytes(33)), *path[1:])), TRUST)


@pytest.mark.parametrize(
    "change",
    [
        lambda parties: parties[:-1],
        lambda parties: (*parties[:-1], msgspec.structs.replace(parties[-1], name="Other")),
        lambda parties: (*parties, msgspec.structs.replace(OTHER, id=ident("pty", 9))),
        lambda parties: (),
    ],
)
def test_a_set_with_its_parties_changed_is_refused(
    change: Callable[[tuple[Party, ...]], tuple[Party, ...]],
) -> None:
    whole = msgspec.json.decode(SET, type=Set)
    changed = msgspec.structs.replace(whole, parties=change(whole.parties))
    with pytest.raises(VerificationError, match="not the ones that were signed"):
        directory.open_set(encoded(changed), TRUST)


def test_a_set_with_another_seed_is_refused() -> None:
    whole = msgspec.json.decode(SET, type=Set)
    changed = msgspec.structs.replace(whole, seed=b64url(bytes(32)))
    with pytest.raises(VerificationError, match="not the ones that were signed"):
        directory.open_set(encoded(changed), TRUST)
    short = msgspec.structs.replace(whole, seed=b64url(bytes(31)))
    with pytest.raises(MalformedError, match="expected 32 bytes"):
        directory.open_set(encoded(short), TRUST)


def test_a_directory_below_the_threshold_is_refused() -> None:
    for signers in ((CUSTODIANS[0],), (CUSTODIANS[0], CUSTODIANS[0]), (CUSTODIANS[0], "sharer")):
        data = directory_set(*signers)
        with pytest.raises(VerificationError, match="not signed by enough"):
            directory.open_set(data, TRUST)
        view = directory.view_of(data, [AUTHORITY.id])
        with pytest.raises(VerificationError, match="not signed by enough"):
            directory.open_view(encoded(view), TRUST)


def test_a_custodian_adds_the_signature_that_was_missing() -> None:
    whole = msgspec.json.decode(directory_set(CUSTODIANS[0]), type=Set)
    signed = add_signature(directory.TYP, whole.signed.encode(), signer(CUSTODIANS[1]))
    again = msgspec.structs.replace(whole, signed=signed.decode())
    assert directory.open_set(encoded(again), TRUST).number == 1


def test_a_signature_of_an_older_set_does_not_sign_a_newer_statement() -> None:
    old = json.loads(msgspec.json.decode(directory_set(number=1), type=Set).signed)
    new = msgspec.json.decode(directory_set(number=2), type=Set)
    rolled = {**json.loads(new.signed), "signatures": old["signatures"]}
    mixed = msgspec.structs.replace(new, signed=canonical_json(rolled).decode())
    with pytest.raises(VerificationError, match="signature does not hold"):
        directory.open_set(encoded(mixed), TRUST)


def test_the_parties_of_a_newer_set_under_an_older_statement_are_refused() -> None:
    new = msgspec.json.decode(SET, type=Set)
    old = msgspec.json.decode(directory_set(parties=PARTIES[:2]), type=Set)
    with pytest.raises(VerificationError, match="not the ones that were signed"):
        directory.open_set(encoded(msgspec.structs.replace(new, signed=old.signed)), TRUST)


@pytest.mark.parametrize("status", [Status.RETIRED, Status.REVOKED, Status.NEXT])
def test_a_custodians_key_counts_only_while_it_is_active(status: Status) -> None:
    gone = msgspec.structs.replace(ROOT_KEYS[0], status=status)
    with pytest.raises(VerificationError, match="not signed by enough"):
        directory.open_set(SET, Root((gone, *ROOT_KEYS[1:]), 2))


def test_a_manifest_by_the_custodians_is_no_directory() -> None:
    whole = msgspec.json.decode(SET, type=Set)
    statement: Json = plain(TRUST.verify(whole.signed.encode()))
    signed = sign(manifest.TYP, statement, *(signer(name) for name in CUSTODIANS[:2]))
    with pytest.raises(VerificationError, match="not signed by enough"):
        directory.open_set(encoded(msgspec.structs.replace(whole, signed=signed.decode())), TRUST)


def test_one_party_or_person_twice_is_refused() -> None:
    twin = msgspec.structs.replace(OTHER, id=AUTHORITY.id)
    with pytest.raises(MalformedError, match="stands twice"):
        everybody(AUTHORITY, twin)
    shared = msgspec.structs.replace(OTHER, members=(ENDPOINT,))
    with pytest.raises(MalformedError, match="stands twice"):
        everybody(AUTHORITY, shared)
    with pytest.raises(MalformedError, match="stands twice"):
        directory.open_view(encoded(View(VIEW.signed, VIEW.entries * 2)), TRUST)


def test_one_key_for_two_people_or_two_uses_is_refused() -> None:
    for keys in ((key("sharer"),), (key("new"), key("new", Use.MESSAGE))):
        member = Member(ident("psn", 60), "Twin", (), keys)
        party = msgspec.structs.replace(OTHER, members=(member,))
        with pytest.raises(MalformedError, match="already belongs to another use or person"):
            everybody(MECHANISM, party)


POINTS = {
    "identity": (1).to_bytes(32, "little"),
    "order two": (2**255 - 20).to_bytes(32, "little"),
    "order four": bytes(32),
    "order eight": bytes.fromhex(
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    ),
    "off the curve": (2).to_bytes(32, "little"),
    "not reduced": (2**255 - 18).to_bytes(32, "little"),
    "all ones": b"\xff" * 32,
}


@pytest.mark.parametrize("name", sorted(POINTS))
def test_a_key_under_which_signatures_can_be_forged_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a valid Ed25519 public key"):
        Key(
            Use.REQUEST,
            "Ed25519",
            b64url(POINTS[name]),
            Status.ACTIVE,
            "2026-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        )


def test_a_key_of_another_size_or_algorithm_is_refused() -> None:
    term = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
    for use, alg, public, says in (
        (Use.REQUEST, "Ed25519", b64url(bytes(57)), "expected 32 bytes"),
        (Use.REQUEST, "Ed448", b64url(bytes(57)), "algorithm Ed448 is not for use request"),
        (Use.REQUEST, "x25519", "age1x", "algorithm x25519 is not for use request"),
        (Use.VAULT, "Ed25519", b64url(bytes(32)), "algorithm Ed25519 is not for use vault"),
    ):
        with pytest.raises(ValueError, match=says):
            Key(use, alg, public, Status.ACTIVE, *term)
    with pytest.raises(ValueError, match="ends after it begins"):
        msgspec.structs.replace(key("x"), not_after="2026-01-01T00:00:00Z").__post_init__()


# Names

SAFE = [
    "a",
    "report.pdf",
    "folder/report.pdf",
    "a.b.c",
    ".hidden",
    "…",
    "Протокол допроса №1.docx",
    "صورة.jpg",
    "CONTRACT.txt",
    "auxiliary/nul-and-void",
    "com10",
    "a b",
    " a",
    "x" * 255,
    "/".join(["x" * 100] * 10),
]
UNSAFE = [
    "",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "./a",
    "a/./b",
    "/a",
    "/",
    "a/",
    "a//b",
    "\\a",
    "a\\b",
    "..\\a",
    "C:a",
    "C:/a",
    "a:stream",
    "a::$DATA",
    "a*",
    "a?",
    'a"b',
    "a<b",
    "a>b",
    "a|b",
    "a\x00",
    "a\nb",
    "a\rb",
    "a\tb",
    "\x1b[2J",
    "a\x7f",
    "a\x85b",
    "a\x9bb",
    "\ud800",
    "a.",
    "a ",
    "a./b",
    "a /b",
    "...",
    "a/...",
    "CON",
    "con",
    "Con.txt",
    "folder/NUL",
    "nul/file",
    "nul.tar.gz",
    "nul .txt",
    "PRN",
    "AUX.h",
    "COM1",
    "com9.log",
    "COM0",
    "COM¹",
    "lpt²",
    "LPT3",
    "CONIN$",
    "conout$.txt",
    "x" * 256,
    "é" * 128,
    "/".join(["x" * 100] * 11),
    "evidence-\u202egpj.exe",
    "a\u2066b",
    "a\u2028b",
]


@pytest.mark.parametrize("name", SAFE)
def test_a_name_that_every_system_can_write_is_taken(name: str) -> None:
    check_name(name)
    assert msgspec.convert({**PARTICULARS, "name": name}, Particulars).name == name


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_leaves_its_folder_or_means_something_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="^a name "):
        check_name(name)
    with pytest.raises(msgspec.ValidationError, match="a name "):
        msgspec.convert({**PARTICULARS, "name": name}, Particulars)


@given(st.text(st.sampled_from("ab./\\: \x00~CONcon1"), max_size=12))
def test_no_name_that_is_taken_leaves_its_folder(name: str) -> None:
    try:
        check_name(name)
    except ValueError:
        return
    parts = name.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert not set(name) & set("\\:\x00")


def test_every_refusal_is_the_gateways_own() -> None:
    with pytest.raises(GatewayError):
        directory.open_view(b"[]", TRUST)
    with pytest.raises(GatewayError):
        directory.open_set(b"{}", TRUST)
    with pytest.raises(GatewayError):
        acts.judge(
            Order("", "POST", "/", b"", sha256(b"")),
            audience=AUDIENCE,
            directory=everybody(),
            logged=NOW,
        )
