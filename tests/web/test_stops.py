"""What stops a pull: a recall, a revoked key, a permit that dies, a directory that expires."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.client import ceremony
from gateway.exchange.acts import Ask, Propose, Recall, Release, ReleaseItem
from gateway.exchange.parse import build
from gateway.exchange.receipts import Rung
from gateway.kernel.encoding import hex_sha256, parse_json, un_b64url
from gateway.kernel.ids import new_id
from gateway.kernel.signing import thumbprint
from gateway.store.blobs import LocalBlobs
from tests.web.conftest import BIG, Scene, range_ends
from tests.web.harness import JSON, Answer, socket_to
from tests.web.test_others import receipt
from tests.world import sign_off


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """These run on both databases."""
    return str(request.param)


PATHS = ("/manifest", "/manifest/inner", "/items/0", "/items/1")


async def recall(scene: Scene, share: str) -> Answer:
    act = Recall(share, Ask.SEQUESTER, "a reason that stays inside")
    return await scene.be("releaser").act(f"/v1/shares/{share}/recall", act)


async def release(scene: Scene, share: str) -> Answer:
    releaser = scene.be("releaser")
    shown = (await releaser.get(f"/v1/shares/{share}")).json()
    items = build(shown["items"], tuple[ReleaseItem, ...])
    return await releaser.act(
        f"/v1/shares/{share}/release", Release(share, shown["recipient"], items)
    )


async def pulls(scene: Scene, share: str, who: str = "xa") -> list[int]:
    """Return the status of each kind of pull."""
    return [(await scene.be(who).get(f"/v1/shares/{share}{path}")).status for path in PATHS]


async def test_a_recall_stops_every_pull_and_tells_no_reason(scene: Scene) -> None:
    shares, endpoint = scene.shares, scene.be("xa")
    assert await pulls(scene, shares.ours) == [200] * 4
    assert (await recall(scene, shares.ours)).status == 200
    for path in PATHS:
        said = (await endpoint.get(f"/v1/shares/{shares.ours}{path}")).problem(409)
        assert said["detail"] == "the share was recalled"
    ranged = await endpoint.get(f"/v1/shares/{shares.ours}/items/0", Range="bytes=1000000-")
    ranged.problem(409)
    assert (await endpoint.call("HEAD", f"/v1/shares/{shares.ours}/items/0")).status == 409
    texts = (await endpoint.get("/v1/inbox")).json()["messages"]
    told = un_b64url(parse_json(texts[-1].encode())["payload"])  # type: ignore[index,call-overload,arg-type]
    assert b"share.recalled" in told and b"stays inside" not in told
    assert await pulls(scene, shares.theirs, "xb") == [200] * 4
    assert await pulls(scene, shares.alone) == [200, 200, 200, 404]


async def test_what_was_recalled_is_not_released_again(scene: Scene) -> None:
    await recall(scene, scene.shares.ours)
    again = await release(scene, scene.shares.ours)  # the very order that released it
    assert again.json()["state"] == "recalled"
    assert await pulls(scene, scene.shares.ours) == [409] * 4


async def test_what_was_never_offered_is_not_recalled(scene: Scene) -> None:
    (await recall(scene, scene.shares.waiting)).problem(409)
    (await recall(scene, new_id("shr"))).problem(404)


class Gate:
    """Lets the first block of a body out, and the others once it is opened."""

    def __init__(self, read: Callable[..., Iterator[bytes]]) -> None:
        self._read = read
        self.opened = threading.Event()

    def read(self, blobs: LocalBlobs, *args: Any) -> Iterator[bytes]:
        for n, data in enumerate(self._read(blobs, *args)):
            if n:
                self.opened.wait(10)
            yield data


@asynccontextmanager
async def downloading(
    scene: Scene, patch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[asyncio.StreamReader, Gate]]:
    """Be in the middle of a download: one MiB has arrived, the rest waits at the gate."""
    gate = Gate(LocalBlobs.read)
    patch.setattr(LocalBlobs, "read", lambda self, *args: gate.read(self, *args))
    async with socket_to(scene.port) as (reader, writer):
        writer.write(scene.be("xa").raw("GET", f"/v1/shares/{scene.shares.ours}/items/0"))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1 << 20)
        try:
            yield reader, gate
        finally:
            gate.opened.set()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends, however it does."""
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            found += data
    return bytes(found)


async def test_a_download_that_nobody_stops_comes_to_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with downloading(scene, monkeypatch) as (reader, gate):
        gate.opened.set()
        assert len(await rest(reader)) > len(BIG) - (1 << 20)
    assert await range_ends(scene) == ["finished"]


async def test_a_recall_aborts_a_running_download(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with downloading(scene, monkeypatch) as (reader, gate):
        assert (await recall(scene, scene.shares.ours)).status == 200
        gate.opened.set()
        assert len(await rest(reader)) < len(BIG) - (1 << 20)
    assert await range_ends(scene) == ["interrupted"]


def revoke(scene: Scene, who: str) -> None:
    """Revoke the request key of *who*, as a custodian does."""
    actor = scene.live.gateway.sets.directory.actor(_kid(scene, who))
    assert actor is not None
    ceremony.revoke(scene.world.directory, actor.key.kid)
    scene.world.sign()
    assert scene.live.reload() == []


def _kid(scene: Scene, who: str) -> str:
    return thumbprint(scene.be(who).folder.request_signer().public_key)


async def test_a_revoked_key_aborts_a_running_download(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with downloading(scene, monkeypatch) as (reader, gate):
        await asyncio.to_thread(revoke, scene, "xa")
        gate.opened.set()
        assert len(await rest(reader)) < len(BIG) - (1 << 20)
    assert await range_ends(scene) == ["interrupted"]
    assert await pulls(scene, scene.shares.ours) == [401] * 4


async def test_a_client_that_goes_away_leaves_an_interrupted_range(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with downloading(scene, monkeypatch):
        pass
    assert set(await range_ends(scene)) == {"interrupted"}
    endpoint, share = scene.be("xa"), scene.shares.ours
    manifest = hex_sha256((await endpoint.get(f"/v1/shares/{share}/manifest")).body)
    body = receipt(endpoint, share, manifest)
    (await endpoint.call("POST", f"/v1/shares/{share}/receipts", body, JSON)).problem(409)


def register(scene: Scene, was: str, becomes: str) -> None:
    """Change what is on file about `xa`."""
    path = scene.world.instance / scene.world.config.policy / "jurisdictions" / "xa.yaml"
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, becomes))
    scene.world.sign_policy()


CHANGES = [
    ("recipient.fair_trial, value: ok", "recipient.fair_trial, value: excluded"),
    ("recipient.competent, value: true", "recipient.competent, value: false"),
    ("valid_to: 2035-12-31", "valid_to: 2026-01-31"),
]


@pytest.mark.parametrize(("was", "becomes"), CHANGES)
async def test_a_permit_that_dies_stops_pulls_of_what_was_released(
    scene: Scene, was: str, becomes: str
) -> None:
    shares = scene.shares
    register(scene, was, becomes)
    assert await asyncio.to_thread(scene.live.reload) == []
    for path in PATHS:
        said = (await scene.be("xa").get(f"/v1/shares/{shares.ours}{path}")).problem(409)
        assert said["detail"] == "the share is suspended"
    assert await pulls(scene, shares.theirs, "xb") == [200] * 4
    refused = (await release(scene, shares.waiting)).problem(409)
    assert refused["detail"].startswith("cannot release a share that is denied"), "it was swept"
    assert (await recall(scene, shares.ours)).status == 200


async def test_a_permit_that_comes_back_lets_pulls_go_on(scene: Scene) -> None:
    was, becomes = CHANGES[1]
    register(scene, was, becomes)
    assert await asyncio.to_thread(scene.live.reload) == []
    assert await pulls(scene, scene.shares.ours) == [409] * 4
    register(scene, becomes, was)
    await sign_off(scene.world)
    assert await asyncio.to_thread(scene.live.reload) == []
    assert await pulls(scene, scene.shares.ours) == [200] * 4


async def test_a_policy_that_does_not_load_leaves_the_old_one_in_force(scene: Scene) -> None:
    path: Path = scene.world.instance / scene.world.config.policy / "rules" / "10-release.yaml"
    path.write_text(path.read_text() + "\n- {effect: allow everything}\n")
    assert len(await asyncio.to_thread(scene.live.reload)) == 1
    assert await pulls(scene, scene.shares.ours) == [200] * 4


async def test_an_expired_directory_stops_releases_and_pulls_but_neither_recalls_nor_receipts(
    scene: Scene,
) -> None:
    shares, endpoint = scene.shares, scene.be("xa")
    manifest = hex_sha256((await endpoint.get(f"/v1/shares/{shares.ours}/manifest")).body)
    assert await pulls(scene, shares.ours) == [200] * 4
    await range_ends(scene)
    scene.live.skew = timedelta(days=91)
    assert await pulls(scene, shares.ours) == [503] * 4
    (await release(scene, shares.waiting)).problem(503)
    for rung in (Rung.PULLED, Rung.VERIFIED):
        body = receipt(scene.be("xa"), shares.ours, manifest, rung)
        answer = await scene.be("xa").call("POST", f"/v1/shares/{shares.ours}/receipts", body, JSON)
        assert answer.status == 201, answer.body
    assert (await recall(scene, shares.ours)).status == 200
    assert (await scene.be("xa").get("/v1/inbox")).status == 200


async def test_in_quarantine_nothing_is_written_and_reads_go_on(scene: Scene) -> None:
    shares = scene.shares
    scene.live.gateway.quarantine = "the ledger is behind its copy"
    assert await pulls(scene, shares.ours) == [200, 200, 503, 503]
    (await recall(scene, shares.ours)).problem(503)
    act = Propose(new_id("shr"), shares.package, scene.world.party("xb"))
    (await scene.be("sharer").act("/v1/shares", act)).problem(503)
    (await release(scene, shares.waiting)).problem(503)
