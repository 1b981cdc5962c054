"""What belongs to another is not there; who may not do a thing is told so, and no more."""

import time
from datetime import UTC, datetime

import pytest

from gateway.exchange.acts import Ask, OpenUpload, Propose, Recall, Release, ReleaseItem
from gateway.exchange.parse import build
from gateway.exchange.receipts import Receipt, Rung, sign_receipt
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.ids import new_id
from gateway.kernel.time import spell
from gateway.workflows import pull
from tests.web.conftest import Scene
from tests.web.harness import JSON, PART, TUS, Answer, Caller, order

READS = ("/manifest", "/manifest/inner", "/items/0", "/items/1", "/items/99", "/evidence")


def same(one: Answer, other: Answer) -> None:
    """Check that two answers cannot be told apart but for the clock."""
    assert (one.status, one.body) == (other.status, other.body)
    drop = {"date"}
    assert {k: v for k, v in one.headers.items() if k not in drop} == {
        k: v for k, v in other.headers.items() if k not in drop
    }


def receipt(caller: Caller, share: str, manifest: str, rung: Rung = Rung.PULLED) -> bytes:
    made = Receipt(
        v=1,
        id=new_id("rcp"),
        share=share,
        manifest=manifest,
        rung=rung,
        by=caller.folder.profile.actor,
        at=spell(datetime.now(UTC)),
    )
    return sign_receipt(made, caller.folder.message_signer())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", READS)
async def test_a_share_of_another_is_not_there(scene: Scene, path: str, method: str) -> None:
    endpoint = scene.be("xa")
    theirs, nothing, waiting = [
        await endpoint.call(method, f"/v1/shares/{share}{path}")
        for share in (scene.shares.theirs, new_id("shr"), scene.shares.waiting)
    ]
    assert theirs.status == 404
    same(theirs, nothing)
    same(waiting, nothing)


async def test_ranges_of_another_are_not_there(scene: Scene) -> None:
    endpoint = scene.be("xa")
    theirs, nothing = [
        await endpoint.call("GET", f"/v1/shares/{share}/items/0", headers={"Range": "bytes=0-9"})
        for share in (scene.shares.theirs, new_id("shr"))
    ]
    assert theirs.status == 404
    same(theirs, nothing)


async def test_a_receipt_for_the_share_of_another_finds_nothing(scene: Scene) -> None:
    endpoint = scene.be("xa")
    answers = []
    for share in (scene.shares.theirs, new_id("shr")):
        body = receipt(endpoint, share, "0" * 64)
        answers.append(await endpoint.call("POST", f"/v1/shares/{share}/receipts", body, JSON))
    answers[0].problem(404)
    same(answers[0], answers[1])


async def test_a_receipt_does_not_wait_for_the_downloads_of_another(scene: Scene) -> None:
    """A recipient's own receipt does, for up to two seconds: others would learn that he is pulling."""
    scene.live.gateway.underway.add((scene.shares.theirs, new_id("srv")))
    for who, status, waits in (("xa", 404, False), ("xb", 422, True)):
        me, begun = scene.be(who), time.monotonic()
        body = receipt(me, scene.shares.theirs, "0" * 64)
        target = f"/v1/shares/{scene.shares.theirs}/receipts"
        (await me.call("POST", target, body, JSON)).problem(status)
        assert (time.monotonic() - begun >= pull._SETTLE) is waits


async def test_an_inbox_has_no_address_but_its_owners_key(scene: Scene) -> None:
    found = [(await scene.be(who).get("/v1/inbox")).json()["messages"] for who in ("xa", "xb")]
    assert [len(messages) for messages in found] == [2, 1]
    assert not any(scene.shares.theirs in text for text in found[0])
    assert not any(scene.shares.ours in text for text in found[1])
    for target in (f"/v1/inbox?party={scene.world.party('xb')}", "/v1/inbox?recipient=x"):
        assert (await scene.be("xa").get(target)).json()["messages"] == found[0]


async def test_the_upload_of_another_person_is_not_there(scene: Scene) -> None:
    sharer, other = scene.be("sharer"), scene.be("releaser")
    upload = new_id("upl")
    begun = {**TUS, **JSON, "Upload-Length": "9"}
    body = order(OpenUpload(upload, 9, "pq"))
    assert (await sharer.call("POST", "/v1/uploads", body, begun)).status == 201
    heads, parts = [], []
    for name in (upload, new_id("upl")):
        target = f"/v1/uploads/{name}"
        heads.append(await other.call("HEAD", target, headers=TUS))
        part = {**PART, "Upload-Offset": "0"}
        parts.append(await other.call("PATCH", target, b"forgeries", part))
    assert heads[0].status == parts[0].status == 404
    same(*heads)
    same(*parts)
    kept = await sharer.call("HEAD", f"/v1/uploads/{upload}", headers=TUS)
    assert kept.headers["upload-offset"] == "0"


async def test_the_id_of_another_persons_upload_cannot_be_taken_over(scene: Scene) -> None:
    upload = new_id("upl")
    for who, size, status in (("sharer", 9, 201), ("releaser", 9, 409), ("sharer", 10, 409)):
        begun = {**TUS, **JSON, "Upload-Length": str(size)}
        body = order(OpenUpload(upload, size, "pq"))
        answer = await scene.be(who).call("POST", "/v1/uploads", body, begun)
        assert answer.status == status, answer.body


async def test_an_authority_does_nothing_that_staff_does(scene: Scene) -> None:
    endpoint, officer, shares = scene.be("xa"), scene.be("xa-officer"), scene.shares
    shown = (await scene.be("releaser").get(f"/v1/shares/{shares.waiting}")).json()
    items = build(shown["items"], tuple[ReleaseItem, ...])
    acts = {
        "/v1/shares": Propose(new_id("shr"), shares.package, scene.world.party("xa")),
        f"/v1/shares/{shares.waiting}/release": Release(shares.waiting, shown["recipient"], items),
        f"/v1/shares/{shares.ours}/recall": Recall(shares.ours, Ask.SEQUESTER, "why"),
    }
    for who in (endpoint, officer):
        for target, act in acts.items():
            (await who.act(target, act)).problem(403)
        for target in ("/v1/shares", f"/v1/shares/{shares.ours}", f"/v1/shares/{shares.theirs}"):
            (await who.get(target)).problem(403)
    body = order(OpenUpload(new_id("upl"), 9, "pq"))
    begun = {**TUS, **JSON, "Upload-Length": "9"}
    (await endpoint.call("POST", "/v1/uploads", body, begun)).problem(403)
    assert (await scene.be("releaser").get(f"/v1/shares/{shares.ours}")).json()["state"] == (
        "available"
    )


@pytest.mark.parametrize("who", ["releaser", "auditor", "robot", "xa-officer"])
async def test_only_an_endpoint_pulls(scene: Scene, who: str) -> None:
    for path in ("/manifest", "/manifest/inner", "/items/0"):
        (await scene.be(who).get(f"/v1/shares/{scene.shares.ours}{path}")).problem(403)
    (await scene.be(who).get("/v1/inbox")).problem(403)


async def test_the_key_of_a_service_releases_and_recalls_nothing(scene: Scene) -> None:
    robot, share = scene.be("robot"), scene.shares.waiting
    shown = (await robot.get(f"/v1/shares/{share}")).json()
    act = Release(share, shown["recipient"], build(shown["items"], tuple[ReleaseItem, ...]))
    said = (await robot.act(f"/v1/shares/{share}/release", act)).problem(403)
    assert "person" in said["detail"]
    recalled = Recall(scene.shares.ours, Ask.SEQUESTER, "why")
    (await robot.act(f"/v1/shares/{scene.shares.ours}/recall", recalled)).problem(403)


async def test_who_shares_does_not_release(scene: Scene) -> None:
    sharer, share = scene.be("sharer"), scene.shares.waiting
    shown = (await sharer.get(f"/v1/shares/{share}")).json()
    act = Release(share, shown["recipient"], build(shown["items"], tuple[ReleaseItem, ...]))
    (await sharer.act(f"/v1/shares/{share}/release", act)).problem(403)


async def test_nothing_is_shared_with_the_mechanism_or_a_party_nobody_knows(scene: Scene) -> None:
    sharer, package = scene.be("sharer"), scene.shares.package
    mechanism = scene.live.gateway.sets.directory.mechanism().id
    (await sharer.act("/v1/shares", Propose(new_id("shr"), package, mechanism))).problem(403)
    unknown = await sharer.act("/v1/shares", Propose(new_id("shr"), package, new_id("pty")))
    assert unknown.status in {403, 404}
    twice = Propose(scene.shares.theirs, package, scene.world.party("xa"))
    (await sharer.act("/v1/shares", twice)).problem(409)


async def test_only_the_auditor_sees_what_entries_say(scene: Scene) -> None:
    for who, opens in (("auditor", True), ("sharer", False), ("xa", False)):
        rows = (await scene.be(who).get("/v1/ledger/entries")).json()["entries"]
        assert rows and all(("openings" in row) is opens for row in rows)


async def test_a_directory_view_names_no_other_authority(scene: Scene) -> None:
    view = (await scene.be("xa").get("/v1/directory")).body
    assert b"Prosecution service of xa" in view
    assert b"of xb" not in view and scene.world.party("xb").encode() not in view


async def test_a_receipt_is_for_bytes_that_were_served_and_for_this_manifest(scene: Scene) -> None:
    endpoint, share = scene.be("xa"), scene.shares.ours
    container = (await endpoint.get(f"/v1/shares/{share}/manifest")).body
    for digest, rung, status in (
        (hex_sha256(container), Rung.PULLED, 409),
        ("0" * 64, Rung.PULLED, 422),
        (hex_sha256(container), Rung.VERIFIED, 409),
    ):
        body = receipt(endpoint, share, digest, rung)
        (await endpoint.call("POST", f"/v1/shares/{share}/receipts", body, JSON)).problem(status)
