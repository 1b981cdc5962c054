"""What the keyholder wraps, what it answers again, and each reason for which it refuses."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.envelope import Suite, generate_identity
from gateway.exchange.entries import Kind
from gateway.exchange.parties import Role, Status
from gateway.exchange.rewraps import Rewrap, sign_rewrap
from gateway.kernel.encoding import hex_sha256, sha256
from gateway.kernel.errors import ConflictError, GatewayError, VerificationError
from gateway.kernel.ids import new_id
from gateway.keyholder.client import Keyholder
from gateway.keyholder.judge import View, WrapRequest
from gateway.keyholder.protocol import RewrapItem, RewrapRequest, ShowRecalls
from gateway.ledger import leaf_hash
from tests.keyholder.scene import NOW, Deposited, Log, Logged, Scene, age_key


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "keyholder")


@pytest.fixture
def holder(scene: Scene) -> Iterator[Keyholder]:
    with scene.serving() as (holder, _):
        yield holder


def plain_release(scene: Scene, handling: str = "standard") -> tuple[str, Deposited, Logged]:
    share, item = new_id("shr"), scene.deposit(handling)
    return share, item, scene.released(share, [item])


def test_what_entitled_persons_released_is_wrapped_for_its_recipient_alone(
    scene: Scene, holder: Keyholder
) -> None:
    _, item, release = plain_release(scene)
    (made,) = holder.wrap(scene.request(release, [item], holder.state().size)).headers
    assert made.item == item.id and scene.opens(made.header, item.id)
    assert made.keys == (str(scene.theirs.recipient),)
    with pytest.raises(VerificationError):
        scene.opens(made.header, item.id, scene.others)


def test_a_finished_wrap_is_answered_again_byte_for_byte(scene: Scene, tmp_path: Path) -> None:
    _, item, release = plain_release(scene)
    with scene.serving() as (holder, _):
        first = holder.wrap(scene.request(release, [item], holder.state().size))
        assert holder.wrap(scene.request(release, [item], holder.state().size)) == first
    scene.new_keys(NOW, age_key(generate_identity(Suite.PQ)))
    with scene.serving() as (holder, _):
        holder.show_directory(scene.shown_directory(2, holder.state().size))
        assert holder.wrap(scene.request(release, [item], holder.state().size)) == first


def test_a_night_between_release_and_wrap_changes_nothing(scene: Scene, holder: Keyholder) -> None:
    """The releaser's key is revoked meanwhile; what she ordered before stays ordered."""
    _, item, release = plain_release(scene)
    scene.now += timedelta(hours=12)
    scene.revoke("releaser", scene.now)
    holder.show_directory(scene.shown_directory(2, holder.state().size))
    (made,) = holder.wrap(scene.request(release, [item], holder.state().size)).headers
    assert scene.opens(made.header, item.id)


def test_many_items_go_under_one_order(scene: Scene, holder: Keyholder) -> None:
    share, items = new_id("shr"), [scene.deposit() for _ in range(20)]
    release = scene.released(share, items)
    made = holder.wrap(scene.request(release, items[:12], holder.state().size)).headers
    made += holder.wrap(scene.request(release, items[12:], holder.state().size)).headers
    assert all(scene.opens(one.header, one.item) for one in made)
    assert [one.item for one in made] == [item.id for item in items]


def test_approvers_fill_the_floor_of_the_handling_class(scene: Scene, holder: Keyholder) -> None:
    share, item = new_id("shr"), scene.deposit("protected")
    proposal = scene.proposed(share)
    given = [
        scene.approved(share, [item], "head", Role.LEGAL_ADVISER),
        scene.approved(share, [item], "victims", Role.VICTIMS_UNIT),
    ]
    release = scene.released(share, [item])
    wanted = scene.request(release, [item], holder.state().size, given, proposal)
    (made,) = holder.wrap(wanted).headers
    assert scene.opens(made.header, item.id)


def test_a_rewrap_goes_to_a_newer_key_of_the_same_authority_and_to_nothing_else(
    scene: Scene, holder: Keyholder
) -> None:
    share, item, release = plain_release(scene)
    said = RewrapRequest(share, (RewrapItem(item.id, item.header),))
    with pytest.raises(VerificationError, match="never wrapped for this share"):
        holder.rewrap(said)
    (first,) = holder.wrap(scene.request(release, [item], holder.state().size)).headers
    assert holder.rewrap(said).headers == (first,)
    newer = generate_identity(Suite.PQ)
    scene.new_keys(NOW, age_key(scene.theirs), age_key(newer, Status.NEXT))
    holder.show_directory(scene.shown_directory(2, holder.state().size))
    (second,) = holder.rewrap(said).headers
    assert scene.opens(second.header, item.id, newer) and second != first
    assert holder.rewrap(said).headers == (second,)
    only = replace(said, keys=(str(scene.theirs.recipient),))
    with pytest.raises(ConflictError, match="no newer pq key"):
        holder.rewrap(only)
    stranger = replace(said, items=(RewrapItem(item.id, scene.deposit().header),))
    with pytest.raises(VerificationError, match="vault header is not the one"):
        holder.rewrap(stranger)


def recalled(scene: Scene, share: str) -> Logged:
    act = {"type": "recall", "share": share, "ask": "sequester", "reason": "a reason"}
    return scene.logged(act, "releaser", Kind.SHARE_RECALLED, share)


def test_a_recall_once_shown_is_for_ever(scene: Scene) -> None:
    share, item, release = plain_release(scene)
    with scene.serving() as (holder, _):
        holder.wrap(scene.request(release, [item], holder.state().size))
        recall = recalled(scene, share)
        state = holder.show_recalls(
            ShowRecalls(scene.log.view(holder.state().size), (recall.shown(),))
        )
        assert state.recalled == recall.index
    with scene.serving() as (holder, _):
        with pytest.raises(VerificationError, match="its recall was shown"):
            holder.wrap(scene.request(release, [item], holder.state().size))
        with pytest.raises(VerificationError, match="its recall was shown"):
            holder.rewrap(RewrapRequest(share, (RewrapItem(item.id, item.header),)))


def test_a_recall_that_nobody_ordered_stops_nothing(scene: Scene, holder: Keyholder) -> None:
    share, item, release = plain_release(scene)
    act = {"type": "recall", "share": share, "ask": "sequester", "reason": "a reason"}
    forged = scene.logged(act, "turncoat", Kind.SHARE_RECALLED, share)
    with pytest.raises(VerificationError, match="not an order of the mechanism"):
        holder.show_recalls(ShowRecalls(scene.log.view(holder.state().size), (forged.shown(),)))
    assert holder.wrap(scene.request(release, [item], holder.state().size)).headers


def test_directories_only_grow_and_are_signed_by_the_pinned_root(
    scene: Scene, holder: Keyholder
) -> None:
    scene.new_directory(NOW)
    holder.show_directory(scene.shown_directory(2, holder.state().size))
    with pytest.raises(VerificationError, match="set 2 was shown already"):
        holder.show_directory(scene.shown_directory(1, holder.state().size))
    scene.new_directory(NOW, signer=scene.log.signer)
    with pytest.raises(VerificationError, match="not signed by enough"):
        holder.show_directory(scene.shown_directory(3, holder.state().size))


def test_a_floor_seats_one_person_in_one_role() -> None:
    from gateway.keyholder.judge import Floor

    floor = Floor(0, (Role.LEGAL_ADVISER, Role.VICTIMS_UNIT))
    both = frozenset({Role.LEGAL_ADVISER, Role.VICTIMS_UNIT})
    assert not floor.met_by({"a": both})
    assert floor.met_by({"a": both, "b": frozenset({Role.LEGAL_ADVISER})})
    assert floor.met_by({"b": frozenset({Role.LEGAL_ADVISER}), "a": both})
    assert not floor.met_by(
        {"a": frozenset({Role.LEGAL_ADVISER}), "b": frozenset({Role.LEGAL_ADVISER})}
    )


# A thousand requests that are not owed


Forged = tuple[WrapRequest, str]


def foreign_header(scene: Scene, since: int) -> Forged:
    share, item, release = plain_release(scene)
    other = scene.deposit()
    wanted = scene.request(release, [item], since)
    forged = replace(wanted.items[0], vault_header=other.header)
    return replace(wanted, items=(forged,)), "item: the vault header is not the one of the deposit"


def foreign_item(scene: Scene, since: int) -> Forged:
    stranger = scene.deposit()
    _, _, release = plain_release(scene)
    return scene.request(release, [stranger], since), "item: the release does not name this"


def wrong_recipient(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    return scene.request(release, [item], since, to=scene.other), "release: it is for another recip"


def released_to_no_authority(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    release = scene.released(share, [item], to=scene.mechanism)
    wanted = scene.request(release, [item], since, to=scene.mechanism)
    return wanted, "recipient: only authorities receive"


def too_few_approvers(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit("protected")
    proposal = scene.proposed(share)
    one = scene.approved(share, [item], "legal", Role.LEGAL_ADVISER)
    release = scene.released(share, [item])
    wanted = scene.request(release, [item], since, [one], proposal)
    return wanted, "approvals: 1 count, the keyholder's floor asks for 2"


def no_approvers(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene, "guarded")
    return scene.request(
        release, [item], since
    ), "approvals: 0 count, the keyholder's floor asks for 1"


def one_approver_twice(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit("a class that nobody named")
    proposal = scene.proposed(share)
    given = [scene.approved(share, [item], "legal", Role.LEGAL_ADVISER) for _ in range(2)]
    release = scene.released(share, [item])
    return scene.request(release, [item], since, given, proposal), "approvals: 1 count"


def the_releaser_approves(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit("guarded")
    proposal = scene.proposed(share)
    own = scene.approved(share, [item], "releaser", Role.LEGAL_ADVISER)
    release = scene.released(share, [item])
    return scene.request(release, [item], since, [own], proposal), "approvals: 0 count"


def approved_elsewhere(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit("guarded")
    proposal = scene.proposed(share)
    other = scene.approved(new_id("shr"), [item], "legal", Role.LEGAL_ADVISER)
    release = scene.released(share, [item])
    wanted = scene.request(release, [item], since, [other], proposal)
    return wanted, "approval 0: its entry is about something else"


def approved_other_items(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit("guarded")
    proposal = scene.proposed(share)
    other = scene.approved(share, [scene.deposit()], "legal", Role.LEGAL_ADVISER)
    release = scene.released(share, [item])
    return scene.request(release, [item], since, [other], proposal), "approval 0: it is of other it"


def approved_afterwards(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit("guarded")
    proposal, release = scene.proposed(share), scene.released(share, [item])
    late = scene.approved(share, [item], "legal", Role.LEGAL_ADVISER)
    wanted = scene.request(release, [item], since, [late], proposal)
    return wanted, "approval 0: it was logged after the release"


def unreleased(scene: Scene, since: int) -> Forged:
    """The order was given and refused: its entry says so."""
    share, item = new_id("shr"), scene.deposit()
    act = {
        "type": "release",
        "share": share,
        "recipient": scene.authority.id,
        "items": [item.named],
    }
    refused = scene.logged(act, "releaser", Kind.REFUSED, share)
    return scene.request(refused, [item], since), "release: its entry is of another kind"


def an_approval_for_a_release(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    other = scene.approved(share, [item], "legal", Role.LEGAL_ADVISER)
    index = scene.enter(other.order, Kind.SHARE_RELEASED, share, "legal")
    return scene.request(
        Logged(scene, other.order, index), [item], since
    ), "release: it is not a rel"


def never_logged(scene: Scene, since: int) -> Forged:
    share, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since)
    copy = replace(wanted.release.entry, index=item.logged.index)
    return replace(wanted, release=replace(wanted.release, entry=copy)), "release: inclusion proof"


def tampered_path(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since)
    shown = wanted.items[0].deposit
    path = (bytes(32), *shown.entry.path[1:])
    shown = replace(shown, entry=replace(shown.entry, path=path))
    bad = replace(wanted.items[0], deposit=shown)
    return replace(wanted, items=(bad,)), "deposit: inclusion proof does not hold"


def tampered_opening(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since)
    opening = wanted.release.entry.opening.replace(b"share.released", b"share.proposed")
    entry = replace(wanted.release.entry, opening=opening)
    return (
        replace(wanted, release=replace(wanted.release, entry=entry)),
        "release: the opening of slot kind does not hold",
    )


def another_orders_entry(scene: Scene, since: int) -> Forged:
    share, item, _ = plain_release(scene)
    again = scene.order(
        {"type": "release", "share": share, "recipient": scene.authority.id, "items": [item.named]},
        "releaser",
    )
    index = scene.released(share, [item]).index
    return scene.request(
        Logged(scene, again, index), [item], since
    ), "release: its entry commits to"


def tampered_body(scene: Scene, since: int) -> Forged:
    share, item, release = plain_release(scene)
    swapped = release.order.body.replace(scene.authority.id.encode(), scene.other.id.encode())
    order = dataclasses.replace(release.order, body=swapped, body_digest=sha256(swapped))
    index = scene.enter(order, Kind.SHARE_RELEASED, share, "releaser")
    wanted = scene.request(Logged(scene, order, index), [item], since, to=scene.other)
    return wanted, "release: token is for another body"


def signed_by_a_stranger(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    release = scene.released(share, [item], who="turncoat")
    return scene.request(release, [item], since), "release: it is not an order of the mechanism"


def signed_without_the_role(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    release = scene.released(share, [item], who="plain")
    return scene.request(release, [item], since), "release: this act needs the role releaser"


def signed_by_the_attacker(scene: Scene, since: int) -> Forged:
    """The checkpoint key signs in the releaser's name."""
    share, item = new_id("shr"), scene.deposit()
    scene.signers["releaser"], kept = scene.log.signer, scene.signers["releaser"]
    release = scene.released(share, [item])
    scene.signers["releaser"] = kept
    return scene.request(release, [item], since), "release: unknown or revoked key"


def for_another_audience(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    act = {
        "type": "release",
        "share": share,
        "recipient": scene.authority.id,
        "items": [item.named],
    }
    order = scene.order(act, "releaser", audience="https://elsewhere.example")
    index = scene.enter(order, Kind.SHARE_RELEASED, share, "releaser")
    wanted = scene.request(Logged(scene, order, index), [item], since)
    return wanted, "release: token is for another audience"


def logged_much_later(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    act = {
        "type": "release",
        "share": share,
        "recipient": scene.authority.id,
        "items": [item.named],
    }
    order = scene.order(act, "releaser", scene.now - timedelta(hours=1))
    index = scene.enter(order, Kind.SHARE_RELEASED, share, "releaser")
    return scene.request(Logged(scene, order, index), [item], since), "release: token expired 35"


def backdated(scene: Scene, since: int) -> Forged:
    """A revoked key signs as of a time when it was good, and the ledger's owner enters that time."""
    share, item = new_id("shr"), scene.deposit()
    release = scene.released(share, [item], who="fired", at=NOW - timedelta(days=1, hours=2))
    return scene.request(release, [item], since), "release: the time of its entry does not fit"


def revoked(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    release = scene.released(share, [item], who="fired")
    return scene.request(release, [item], since), "release: unknown or revoked key"


def rolled_back(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since)
    old = Log(scene.log.signer)
    for leaf, openings in scene.log.leaves[: since - 1]:
        old.leaves.append((leaf, openings))
        old._edge.append(leaf_hash(leaf))
    old._full.update({(level, n): d for level, n, d in old._edge.take_full()})
    return replace(wanted, view=old.view(0)), "checkpoint: it is smaller than the last one seen"


def forked(scene: Scene, since: int) -> Forged:
    """The checkpoint key signs a ledger of the same size with another past."""
    fork = Log(scene.log.signer)
    _, item, release = plain_release(scene)
    for leaf, openings in scene.log.leaves:
        leaf = bytes([*leaf[:-1], leaf[-1] ^ 1])
        fork.leaves.append((leaf, openings))
        fork._edge.append(leaf_hash(leaf))
    fork._full.update({(level, n): d for level, n, d in fork._edge.take_full()})
    wanted = replace(scene.request(release, [item], since), view=fork.view(since))
    return wanted, "checkpoint: consistency proof does not hold"


def other_log(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since)
    scene.log.signer, kept = scene.signers["plain"], scene.log.signer
    view = scene.log.view(since)
    scene.log.signer = kept
    return replace(wanted, view=view), "checkpoint: the note is not signed by a known key"


def other_origin(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since)
    scene.log.origin, kept = "other.example/ledger", scene.log.origin
    view = scene.log.view(since)
    scene.log.origin = kept
    return replace(wanted, view=view), "checkpoint: the note is not signed by a known key"


def unproved_growth(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since)
    view = View(wanted.view.checkpoint, since, wanted.view.consistency[:-1])
    return replace(wanted, view=view), "checkpoint: consistency proof does not hold"


def proved_from_elsewhere(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = scene.request(release, [item], since - 1)
    return wanted, "checkpoint: another was seen meanwhile"


def stale_directory(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    scene.now = NOW + timedelta(days=200)
    return scene.request(release, [item], since), "directory: the newest set shown has expired"


def twice_in_one(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    return scene.request(release, [item, item], since), "item: it stands twice in the request"


def deposited_by_an_authority(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit(who="turncoat")
    release = scene.released(share, [item])
    return scene.request(release, [item], since), "deposit: it is not an order of the mechanism"


def deposited_afterwards(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit()
    release = scene.released(share, [item])
    late = scene.enter(item.logged.order, Kind.ITEM_DEPOSITED, item.id, "sharer")
    item.logged = Logged(scene, item.logged.order, late)
    return scene.request(release, [item], since), "deposit: it was logged after the release"


def no_key_of_its_suite(scene: Scene, since: int) -> Forged:
    share, item = new_id("shr"), scene.deposit(suite="classic")
    release = scene.released(share, [item])
    return scene.request(release, [item], since), "recipient: it has no classic key in force"


def no_key_among_those_given(scene: Scene, since: int) -> Forged:
    _, item, release = plain_release(scene)
    wanted = replace(scene.request(release, [item], since), keys=(str(scene.others.recipient),))
    return wanted, "recipient: it has no pq key in force"


def a_chain_of_rewraps(scene: Scene, since: int) -> Forged:
    """The gateway's own keys sign no record that leads to the vault header of another item."""
    _, item, release = plain_release(scene)
    other = scene.deposit().header
    wanted = scene.request(release, [item], since)
    old, new = hex_sha256(item.header), hex_sha256(other)
    record = Rewrap(item.id, old, new, hex_sha256(b"before"), hex_sha256(b"after"))
    forged = sign_rewrap(record, scene.log.signer)
    chained = replace(wanted.items[0], vault_header=other, chain=(forged,))
    return replace(wanted, items=(chained,)), "item: not signed by enough"


ATTACKS: tuple[Callable[[Scene, int], Forged], ...] = (
    foreign_header,
    foreign_item,
    wrong_recipient,
    released_to_no_authority,
    too_few_approvers,
    no_approvers,
    one_approver_twice,
    the_releaser_approves,
    approved_elsewhere,
    approved_other_items,
    approved_afterwards,
    unreleased,
    an_approval_for_a_release,
    never_logged,
    tampered_path,
    tampered_opening,
    another_orders_entry,
    tampered_body,
    signed_by_a_stranger,
    signed_without_the_role,
    signed_by_the_attacker,
    for_another_audience,
    logged_much_later,
    backdated,
    revoked,
    rolled_back,
    forked,
    other_log,
    other_origin,
    unproved_growth,
    proved_from_elsewhere,
    stale_directory,
    twice_in_one,
    deposited_by_an_authority,
    deposited_afterwards,
    no_key_of_its_suite,
    no_key_among_those_given,
    a_chain_of_rewraps,
)


assert len(ATTACKS) == 38  # and the two that need what was shown before


def test_a_thousand_forged_or_mismatched_requests_are_refused_each_with_its_reason(
    scene: Scene, holder: Keyholder
) -> None:
    scene.revoke("fired", NOW - timedelta(days=1))
    holder.show_directory(scene.shown_directory(2, holder.state().size))
    share, item, release = plain_release(scene)  # what was wrapped once
    holder.wrap(scene.request(release, [item], holder.state().size))
    again = scene.released(share, [item])
    gone, lost, first = plain_release(scene)
    recall = recalled(scene, gone)
    holder.show_recalls(ShowRecalls(scene.log.view(holder.state().size), (recall.shown(),)))
    expected: list[str] = []

    def refused(wanted: WrapRequest, reason: str) -> None:
        with pytest.raises(GatewayError) as caught:
            holder.wrap(wanted)
        assert reason in str(caught.value), (reason, str(caught.value))
        expected.append(str(caught.value))

    for n in range(1000):
        since = holder.state().size
        if n % 40 == 38:  # a second order for what was wrapped by another
            said = "release: the share was wrapped by another order before"
            refused(scene.request(again, [item], since), said)
        elif n % 40 == 39:
            refused(scene.request(first, [lost], since), "share: its recall was shown")
        else:
            refused(*ATTACKS[n % 40](scene, since))
        scene.now = NOW
    lines = [json.loads(line) for line in scene.said().splitlines()]
    told = [line["reason"] for line in lines if line["event"] in ("refused", "conflict")]
    assert told == expected
    assert len(set(told)) >= 35
    assert holder.wrap(scene.request(release, [item], holder.state().size)).headers
    secrets = [str(scene.vault.text), *(key.hex() for key in scene.file_keys.values())]
    assert not any(secret in scene.said() for secret in secrets)
