"""Full disks, cut connections and lost answers: the same command run again ends well."""

import asyncio
import errno
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import func, select

from gateway.client import audit, pull, push
from gateway.client.session import Session
from gateway.exchange.acts import OpenUpload
from gateway.exchange.parse import plain
from gateway.kernel.encoding import Json, canonical_json
from gateway.kernel.errors import UnavailableError
from gateway.kernel.ids import new_id
from gateway.store import tables
from gateway.store.blobs import LocalBlobs
from tests.faults.scenario import DATA, PART, Template, quick_clients, template
from tests.world import POSTGRES, Running, World, running, session, share_with, source

BIG = 24 << 20  # bytes: more than the buffers of a socket hold


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Template:
    made = template(tmp_path_factory.mktemp("disk"))
    made.kind = request.param
    if made.kind == "postgresql" and not POSTGRES:
        pytest.skip("PostgreSQL: set GATEWAY_POSTGRES to a server where tests may make databases")
    return made


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small parts, and a command that fails at its first error, so that it is run again as a whole."""
    quick_clients(monkeypatch)
    monkeypatch.setattr("gateway.client.session._TRIES", 1)
    monkeypatch.setattr("gateway.client.fetch._TRIES", 1)


@asynccontextmanager
async def _live(made: Template, folder: Path) -> AsyncIterator[Running]:
    with made.copy(folder, made.kind) as world:
        async with running(world) as live:
            yield live


async def _push(live: Running) -> str:
    async with session(live.world, "sharer") as sharer:
        record = await push.deposit(sharer, source(live.world.root / "order.txt"), lambda _: None)
    return record.item


async def _pull(live: Running, share: str) -> bytes:
    async with session(live.world, "xa") as endpoint:
        done = await pull.pull(endpoint, share, live.world.root / "out", lambda _: None)
    (found,) = done.folder.iterdir()
    return found.read_bytes()


async def _until_done(command: Callable[[], Any]) -> tuple[Any, int]:
    """Run a command until it ends well; return its result and how often it failed before."""
    for failed in range(3):
        try:
            return await command(), failed
        except UnavailableError:
            continue
    raise AssertionError("the command never ended well")


def _counts(live: Running) -> dict[str, int | None]:
    wanted = (tables.uploads, tables.sealed, tables.items, tables.parts)
    with live.gateway.engine.connect() as conn:
        return {
            table.name: conn.execute(select(func.count()).select_from(table)).scalar()
            for table in wanted
        }


ONE = {"uploads": 1, "sealed": 1, "items": 1, "parts": 2}


async def _kinds(world: World) -> list[str]:
    async with session(world, "auditor") as auditor:
        await audit.verify(auditor)
        return [row["kind"] for row in await audit.entries(auditor, 0)]


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_a_push_goes_on_after_the_disk_was_full(
    made: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, code: int
) -> None:
    write, calls = LocalBlobs._write, list[Path]()

    def fail(path: Path, data: bytes | bytearray) -> None:
        calls.append(path)
        if len(calls) == nth:
            path.write_bytes(data[:100])
            raise OSError(code, os.strerror(code))
        write(path, data)

    monkeypatch.setattr(LocalBlobs, "_write", staticmethod(fail))
    async with _live(made, tmp_path) as live:
        item, failed = await _until_done(lambda: _push(live))
        assert failed == 1
        assert len(calls) == 3
        assert _counts(live) == ONE
        assert len(list(live.gateway.blobs.names())) == 2
        assert (await _kinds(live.world)).count("item.deposited") == 1
        assert item.startswith("itm_")


def _lose_answer(monkeypatch: pytest.MonkeyPatch, nth: int) -> list[str]:
    """Lose the answer to request number *nth*, after the gateway has done its work; list all requests."""
    stream, asked = Session.stream, list[str]()

    @asynccontextmanager
    async def lossy(
        self: Session, method: str, target: str, *args: Any, **kw: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with stream(self, method, target, *args, **kw) as response:
            asked.append(f"{method} {target}")
            if len(asked) == nth:
                await response.read()
                raise UnavailableError("the answer was lost")
            yield response

    monkeypatch.setattr(Session, "stream", lossy)
    return asked


async def test_a_push_whose_answer_was_lost_is_repeated_without_a_trace(
    made: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(1, 7):
        with monkeypatch.context() as patch:
            asked = _lose_answer(patch, nth)
            async with _live(made, tmp_path) as live:
                _, failed = await _until_done(lambda: _push(live))
                assert failed == 1, asked[nth - 1]
                assert _counts(live) == ONE, asked[nth - 1]
                assert (await _kinds(live.world)).count("item.deposited") == 1
    assert asked[nth - 1] == "POST /v1/items"  # the last request of a push


async def test_a_pull_whose_answer_was_lost_is_repeated_without_a_trace(
    made: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _live(made, tmp_path) as live:
        for nth in range(1, 9):
            share = await share_with(live.world, "xa", [source(live.world.root / "order.txt")])
            with monkeypatch.context() as patch:
                asked = _lose_answer(patch, nth)
                got, failed = await _until_done(partial(_pull, live, share))
            assert (got, failed) == (DATA, 1), asked[nth - 1]
            shutil.rmtree(live.world.root / "out")
        assert asked[nth - 1].endswith("/receipts")
        kinds = await _kinds(live.world)
    assert kinds.count("receipt") == 2 * 8
    assert kinds.count("refused") == 0
    assert kinds.count("range.authorised") == kinds.count("range.finished") == 8 + 1


async def _raw(live: Running, head: str, body: bytes) -> tuple[asyncio.StreamReader, Any]:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", live.world.config.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


def _cut(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_a_part_cut_in_its_middle_leaves_nothing(made: Template, tmp_path: Path) -> None:
    async with _live(made, tmp_path) as live:
        async with session(live.world, "sharer") as sharer:
            upload, part = new_id("upl"), DATA[:PART]
            act: Json = {"act": plain(OpenUpload(upload, len(DATA), "pq")), "sig2": None}
            headers = {**push.TUS, "Upload-Length": str(len(DATA))}
            await sharer.request("POST", "/v1/uploads", canonical_json(act), headers)
            target = f"/v1/uploads/{upload}"
            head = (
                f"PATCH {target} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
                f"Authorization: Bearer {sharer._token('PATCH', target, part)}\r\n"
                "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
                f"Content-Length: {len(part)}\r\n\r\n"
            )
            for size in (0, 1, PART // 2, PART - 1):
                _, writer = await _raw(live, head, part[:size])
                _cut(writer)
            reply = await sharer.request("HEAD", target, headers=push.TUS)
            assert reply.headers["Upload-Offset"] == "0"
            _, writer = await _raw(live, head, part)  # the same token: it was never spent
            await asyncio.sleep(0.2)
            _cut(writer)
            reply = await sharer.request("HEAD", target, headers=push.TUS)
            assert reply.headers["Upload-Offset"] == str(PART)
        assert len(list(live.gateway.blobs.names())) == 1
        await _push(live)
        assert (await _kinds(live.world)).count("item.deposited") == 1


async def test_a_download_cut_in_its_middle_goes_on(
    made: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "PART", 8 << 20)
    big = tmp_path / "film.bin"
    big.write_bytes(os.urandom(BIG))
    async with _live(made, tmp_path) as live:
        share = await share_with(live.world, "xa", [source(big)])
        async with session(live.world, "xa") as endpoint:
            target = f"/v1/shares/{share}/items/0"
            head = (
                f"GET {target} HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {endpoint._token('GET', target, b'')}\r\n\r\n"
            )
            reader, writer = await _raw(live, head, b"")
            assert b"200 OK" in await reader.readline()
            await reader.readexactly(100_000)
            _cut(writer)
        assert await _pull(live, share) == big.read_bytes()
        with live.gateway.engine.connect() as conn:
            cut, whole = conn.execute(select(tables.servings).order_by(tables.servings.c.at))
        assert (cut.state, whole.state) == ("interrupted", "finished")
        assert cut.sent < cut.end
        kinds = await _kinds(live.world)
    assert [kinds.count(f"range.{how}") for how in ("authorised", "interrupted", "finished")] == [
        2,
        1,
        1,
    ]
