"""Uploads and downloads against their disk: two writers, no room, a kill, links and names."""

import asyncio
import errno
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.exchange.acts import OpenUpload
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import MalformedError
from gateway.kernel.ids import new_id
from gateway.store.blobs import LocalBlobs
from tests.web.conftest import BIG, Scene, Shares, range_ends
from tests.web.harness import JSON, TUS, Caller, caller, everything, order
from tests.web.test_forgeries import blobs_of
from tests.web.test_uploads import CHUNK, DATA, Upload, begin
from tests.world import Process, World

FIRST, OTHER = DATA[:CHUNK], bytes(CHUNK)


async def test_two_writers_at_one_offset_never_mix(scene: Scene) -> None:
    """One part wins whole; the other is told so; and what was recorded first is what is sealed."""
    for _ in range(5):
        made = await begin(scene)
        found = await asyncio.gather(
            *(made.put(0, data) for data in (FIRST, OTHER, FIRST, OTHER, FIRST, OTHER))
        )
        statuses = Counter(answer.status for answer in found)
        assert statuses == {204: 3, 409: 3}, statuses
        won = FIRST if found[0].status == 204 else OTHER
        assert all(
            (a.status == 204) is (d == won) for a, d in zip(found, [FIRST, OTHER] * 3, strict=True)
        )
        assert await made.offset() == CHUNK
        (await made.put(0, OTHER if won == FIRST else FIRST)).problem(409)
        assert (await made.put(CHUNK, DATA[CHUNK:])).status == 204


async def test_a_part_that_ends_where_the_disk_is_full_leaves_nothing_and_may_be_sent_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, write = await begin(scene), os.write
    before = set(scene.live.gateway.blobs.names())
    left = [1000]  # bytes of room

    def full(handle: int, data: Any) -> int:
        if not os.readlink(f"/proc/self/fd/{handle}").endswith(".new"):
            return write(handle, data)
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = write(handle, data[: left[0]])
        left[0] -= done
        return done

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        said = (await made.put(0, FIRST)).problem(503)
    assert "is full" in said["detail"] and left == [0]
    assert set(scene.live.gateway.blobs.names()) == before
    folder = scene.world.instance / "data" / "blobs"
    assert not [*folder.rglob("*.new")]
    assert await made.offset() == 0
    assert (await made.put(0, FIRST)).status == 204
    assert (await made.put(CHUNK, DATA[CHUNK:])).status == 204


@pytest.mark.slow
async def test_an_upload_goes_on_after_the_server_was_killed(
    world: World, template: tuple[World, Shares]
) -> None:
    """`kill -9` between two parts, and in the middle of one."""
    server = Process(world)
    await asyncio.to_thread(server.start)
    try:
        sharer, name = caller(world, "sharer"), new_id("upl")
        begun = {**TUS, **JSON, "Upload-Length": str(len(DATA))}
        body = order(OpenUpload(name, len(DATA), "pq"))
        assert (await sharer.call("POST", "/v1/uploads", body, begun)).status == 201
        made = Upload(sharer, name)
        assert (await made.put(0, FIRST)).status == 204
        cut = asyncio.create_task(_cut(sharer, made))
        await asyncio.sleep(0.1)
        server.kill()
        await cut
        await asyncio.to_thread(server.start)
        assert await made.offset() == CHUNK
        assert (
            await made.put(0, FIRST)
        ).status == 204  # as sent again by one who missed the answer
        assert (await made.put(CHUNK, DATA[CHUNK:])).status == 204
        parts = (hex_sha256(FIRST), hex_sha256(DATA[CHUNK:]))
        assert (await made.complete(replace(made.statement(), parts=parts))).status == 201
    finally:
        server.stop()


async def _cut(sharer: Caller, made: Upload) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    raw = sharer.raw("PATCH", made.target, DATA[CHUNK:], {**headers, "Upload-Offset": str(CHUNK)})
    assert await everything(sharer.port, raw[:-1]) == b""


async def test_a_link_in_the_storage_serves_no_other_file(scene: Scene) -> None:
    """Whoever can write the blob folder, but read no secret, has none sent to himself."""
    (blob,) = blobs_of(scene.live, scene.shares.items[0])
    secret = scene.world.instance / "keyholder" / "vault.key"
    stolen = secret.read_bytes().ljust(blob.stat().st_size, b"!")
    bait = scene.world.root / "bait"
    bait.write_bytes(stolen)
    blob.unlink()
    blob.symlink_to(bait)
    raw = scene.be("xa").raw("GET", f"/v1/shares/{scene.shares.ours}/items/0")
    answer = await everything(scene.port, raw)
    assert secret.read_bytes()[:40] not in answer
    assert len(answer) < len(BIG)
    assert await range_ends(scene) == ["interrupted"]


@pytest.mark.parametrize("path", ["/items/0", "/items/1", "/manifest", "/manifest/inner"])
async def test_no_name_of_a_file_gets_into_a_header(scene: Scene, path: str) -> None:
    """Names lie in the sealed inner manifest: there is nothing to inject."""
    answer = await scene.be("xa").get(f"/v1/shares/{scene.shares.ours}{path}")
    assert answer.status == 200
    said = repr(answer.headers)
    for name in ("big", "small", ".bin", ".txt", "filename"):
        assert name not in said
    assert answer.headers.get("content-disposition") == ("attachment" if "items" in path else None)


async def test_tus_metadata_means_nothing(scene: Scene) -> None:
    sharer, name = scene.be("sharer"), new_id("upl")
    metadata = "filename Li4vLi4vZXRjL3Bhc3N3ZA==,is_confidential"
    headers = {**TUS, **JSON, "Upload-Length": "9", "Upload-Metadata": metadata}
    answer = await sharer.call("POST", "/v1/uploads", order(OpenUpload(name, 9, "pq")), headers)
    assert answer.status == 201
    assert answer.json() == {"upload": name, "part_size": 8 << 20}


def test_a_blob_has_no_name_but_its_own(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    for name in ("../../secrets/vault.key", "/etc/passwd", "blb_", "blb_..", "blb_x/../y"):
        with pytest.raises(MalformedError):
            list(blobs.read(name))
