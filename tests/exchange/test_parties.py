"""Parties and their keys, the directory's look-ups, and the forms of what they sign."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.exchange import directory, manifest, messages, receipts
from gateway.exchange.directory import PLACES, Root, make_set, open_set, open_view, view_of
from gateway.exchange.entries import RECIPIENT_SLOTS, Entry
from gateway.exchange.entries import Kind as EntryKind
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Key, Kind, Member, Party, Status, Use
from gateway.kernel.encoding import canonical_json, digest_of
from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.ledger import Slot
from tests.exchange.test_attacks import INNER, MANIFEST, MESSAGE, SEALED, SHARE
from tests.exchange.world import (
    AUTHORITY,
    ENDPOINT,
    MECHANISM,
    NOW,
    OTHER,
    SERVICE,
    SHARER,
    ident,
    key,
    kid,
    signer,
    spell_key,
)
from tests.exchange.world import directory as everybody

WHOLE = everybody()


def party_with(*keys: Key) -> Party:
    member = Member(ident("svc", 70), "Keys", (), keys)
    return msgspec.structs.replace(OTHER, members=(member,))


def test_a_party_is_found_by_id_and_by_short_name() -> None:
    assert WHOLE.party(AUTHORITY.id) is WHOLE.party("xa") is AUTHORITY
    assert WHOLE.mechanism() is MECHANISM
    assert WHOLE.member(ENDPOINT.id) is ENDPOINT


def test_who_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="no such party"):
        WHOLE.party("xz")
    with pytest.raises(NotFoundError, match="no such person"):
        WHOLE.member(ident("psn", 99))
    with pytest.raises(NotFoundError, match="no mechanism"):
        everybody(AUTHORITY).mechanism()
    assert WHOLE.actor("nobody") is None


def test_the_owner_of_a_key_is_found_whatever_its_status() -> None:
    among = everybody(party_with(key("old", status=Status.REVOKED)))
    found = among.actor(kid("old"))
    assert found is not None
    assert (found.party.id, found.key.status) == (OTHER.id, Status.REVOKED)


def test_signatures_of_retired_keys_count_and_of_revoked_and_next_ones_do_not() -> None:
    party = party_with(
        *(key(f"m/{status.value}", Use.MANIFEST, status) for status in Status),
        key("m/request"),
        key("m/over", Use.MANIFEST, term=("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")),
    )
    found = WHOLE.verify_keys(party, Use.MANIFEST, NOW)
    assert found == {kid(f"m/{n}"): signer(f"m/{n}").public_key for n in ("active", "retired")}
    assert [k.kid for k in party.keys(Use.MANIFEST, NOW)] == [kid("m/active")]


def test_a_key_is_in_force_from_its_first_second_until_its_end() -> None:
    made = key("k", term=("2026-11-23T16:18:00Z", "2026-11-23T16:19:00Z"))
    assert not made.in_force(NOW - timedelta(seconds=1))
    assert made.in_force(NOW)
    assert not made.in_force(NOW + timedelta(seconds=60))


def test_an_age_key_is_named_by_its_own_text() -> None:
    made = spell_key("age1example")
    assert made.kid == "age1example"
    with pytest.raises(ValueError, match="base64"):
        made.raw()


def test_a_person_is_told_from_a_service() -> None:
    assert SHARER.is_person
    assert not SERVICE.is_person
    with pytest.raises(ValueError, match="psn or svc"):
        Member(ident("pty", 1), "x", (), ())


def test_an_authority_and_nobody_else_is_of_a_jurisdiction() -> None:
    for kind, jurisdiction in ((Kind.AUTHORITY, None), (Kind.MECHANISM, "XA"), (Kind.SOURCE, "XA")):
        with pytest.raises(ValueError, match="of a jurisdiction"):
            Party(ident("pty", 1), "x", "X", kind, (), jurisdiction)
    with pytest.raises(ValueError, match="starting with pty"):
        Party(ident("psn", 1), "x", "X", Kind.SOURCE, ())


@pytest.mark.parametrize("threshold", [0, -1, 3])
def test_a_trust_root_asks_for_no_fewer_and_no_more_keys_than_it_has(threshold: int) -> None:
    keys = (key("c/1", Use.DIRECTORY), key("c/2", Use.DIRECTORY))
    assert Root(keys, 2).threshold == 2
    with pytest.raises(ValueError, match="threshold"):
        Root(keys, threshold)
    with pytest.raises(ValueError, match="threshold"):
        Root((keys[0], keys[0]), 2)


CUSTODIAN = signer("c/1")
TRUST = Root((key("c/1", Use.DIRECTORY),), 1)


def made_set(parties: tuple[Party, ...]) -> bytes:
    expires = NOW + timedelta(days=1)
    made = make_set(parties, number=7, issued=NOW, expires=expires, signers=[CUSTODIAN])
    return canonical_json(plain(made))


def sources(count: int) -> tuple[Party, ...]:
    return tuple(
        Party(ident("pty", 100 + n), f"s{n}", f"Source {n}", Kind.SOURCE, ()) for n in range(count)
    )


@settings(max_examples=8)
@given(st.integers(0, 30), st.data())
def test_every_view_of_a_set_opens_to_just_the_parties_it_names(
    count: int, data: st.DataObject
) -> None:
    parties = sources(count)
    names = sorted(party.id for party in parties)
    wanted = data.draw(st.sets(st.sampled_from(names))) if names else set()
    container = made_set(parties)
    whole = open_set(container, TRUST)
    shown = open_view(canonical_json(plain(view_of(container, wanted))), TRUST)
    assert whole.parties == parties
    assert {party.id for party in shown.parties} == wanted
    assert (shown.number, shown.issued, shown.expires) == (7, NOW, NOW + timedelta(days=1))


def test_parties_whose_places_collide_all_find_one() -> None:
    parties = sources(PLACES // 4)
    places = directory._places(bytes(32), parties)
    assert len(set(places)) == len(parties)
    assert all(0 <= place < PLACES for place in places)


def test_a_set_holds_no_more_parties_than_hide_in_it() -> None:
    with pytest.raises(MalformedError, match="at most 1024 parties"):
        made_set(sources(PLACES // 4 + 1))


def test_a_set_that_would_not_verify_is_not_made() -> None:
    with pytest.raises(MalformedError, match="stands twice"):
        made_set((OTHER, OTHER))


RECEIPT: dict[str, Any] = {
    "v": 1,
    "id": ident("rcp", 1),
    "share": SHARE,
    "manifest": "0" * 64,
    "rung": "pulled",
    "by": ENDPOINT.id,
    "at": "2026-11-23T16:18:00Z",
}


@pytest.mark.parametrize(
    ("kind", "good", "changes", "says"),
    [
        (receipts.Receipt, RECEIPT, {"v": 2}, "version 1"),
        (receipts.Receipt, RECEIPT, {"manifest": "x"}, "digest"),
        (receipts.Receipt, RECEIPT, {"id": SHARE}, "rcp"),
        (receipts.Receipt, RECEIPT, {"share": ENDPOINT.id}, "shr"),
        (receipts.Receipt, RECEIPT, {"by": SHARE}, "psn or svc"),
        (receipts.Receipt, RECEIPT, {"at": "today"}, "a time such as"),
        (receipts.Receipt, RECEIPT, {"rung": "framed"}, "invalid enum"),
        (messages.Message, MESSAGE, {"v": 2}, "version 1"),
        (messages.Message, MESSAGE, {"seq": 0}, "version 1"),
        (messages.Message, MESSAGE, {"id": SHARE}, "msg"),
        (messages.Message, MESSAGE, {"to": SHARE}, "pty"),
        (messages.Message, MESSAGE, {"share": AUTHORITY.id}, "shr"),
        (messages.Message, MESSAGE, {"at": ""}, "a time such as"),
        (manifest.Manifest, MANIFEST, {"v": 2}, "version 1"),
        (manifest.Manifest, MANIFEST, {"items": []}, "with items"),
        (manifest.Manifest, MANIFEST, {"items": [{**SEALED, "n": 1}]}, "numbered from 0"),
        (manifest.Manifest, MANIFEST, {"items": [SEALED, SEALED]}, "numbered from 0"),
        (manifest.Manifest, MANIFEST, {"share": AUTHORITY.id}, "shr"),
        (manifest.Manifest, MANIFEST, {"recipient": SHARE}, "pty"),
        (manifest.Manifest, MANIFEST, {"issued": "now"}, "a time such as"),
        (manifest.SealedItem, SEALED, {"header": "x"}, "hex digits"),
        (manifest.SealedItem, SEALED, {"body": "x"}, "hex digits"),
        (manifest.SealedItem, SEALED, {"n": -1}, "not negative"),
        (manifest.SealedItem, SEALED, {"header_size": -1}, "not negative"),
        (manifest.SealedItem, SEALED, {"body_size": -1}, "not negative"),
        (manifest.SealedItem, SEALED, {"size": -1}, "not negative"),
        (manifest.Inner, INNER, {"more": 1}, "unknown field"),
    ],
)
def test_what_is_signed_has_one_form(
    kind: type, good: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    written = plain(build(good, kind))
    assert {name: written[name] for name in good} == good
    with pytest.raises(MalformedError, match=says):
        build({**good, **changes}, kind)


def test_an_entry_commits_to_what_it_states_and_to_nothing_else() -> None:
    assert Entry(EntryKind.REFUSED, NOW).values() == {
        Slot.KIND: "refused",
        Slot.TIME: "2026-11-23T16:18:00.000000Z",
    }


def test_the_items_of_an_entry_are_a_set() -> None:
    one, two = (
        Entry(EntryKind.SHARE_RELEASED, NOW, items=items).values()
        for items in (("a", "b"), ("b", "a"))
    )
    assert one == two
    assert one[Slot.ITEMS] == digest_of(["a", "b"])


def test_a_recipient_opens_neither_actor_order_decision_nor_cause() -> None:
    hidden = {Slot.ACTOR, Slot.ORDER, Slot.ITEMS, Slot.DECISION, Slot.CAUSE}
    full = Entry(
        EntryKind.RECEIPT, NOW, "a", "o", "s", "r", ("i",), "d", "ok", "c", {"n": 1}
    ).values()
    assert set(full) - hidden == RECIPIENT_SLOTS
    assert hidden <= set(full)
