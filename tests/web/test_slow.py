"""Slow and many: heads that drip, readers who never read, connections without end."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway import settings, telemetry
from gateway.web import connections
from gateway.web.connections import Caps, Guard
from tests.web.conftest import BIG, Scene, range_ends
from tests.web.harness import caller, read_answer, socket_to
from tests.world import World, running

INBOX = "/v1/inbox"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a gateway started afterwards lose patience within a second."""
    for name, seconds in (("HEAD", 0.4), ("IDLE", 0.5), ("STALL", 0.6), ("_SWEEP", 0.05)):
        monkeypatch.setattr(connections, f"{name}_SECONDS", seconds)


@pytest.fixture
async def quick(hasty: None, scene: Scene) -> AsyncIterator[Scene]:
    yield scene


def broken_off(why: str) -> float:
    return float(telemetry.broken_off.labels(why)._value.get())


async def drip(writer: asyncio.StreamWriter, data: bytes, pause: float = 0.05) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause)


async def test_a_head_that_drips_is_given_up(quick: Scene) -> None:
    raw, before = quick.be("xa").raw("GET", INBOX), broken_off("slow head")
    async with socket_to(quick.port) as (reader, writer):
        dripping = asyncio.create_task(drip(writer, raw[:60]))
        begun = time.monotonic()
        (await read_answer(reader)).problem(408)
        assert time.monotonic() - begun < 2
        with contextlib.suppress(ConnectionError):  # what still drips meets a closed connection
            assert await reader.read() == b""
        await dripping
    assert broken_off("slow head") == before + 1


async def test_a_head_that_stops_short_is_given_up(quick: Scene) -> None:
    async with socket_to(quick.port) as (reader, writer):
        writer.write(quick.be("xa").raw("GET", INBOX)[:-2])
        (await read_answer(reader)).problem(408)


async def test_a_second_head_that_drips_is_given_up_too(quick: Scene) -> None:
    raw = quick.be("xa").raw("GET", INBOX).replace(b"Connection: close\r\n", b"")
    async with socket_to(quick.port) as (reader, writer):
        writer.write(raw)
        assert (await read_answer(reader)).status == 200
        writer.write(raw[:30])
        (await read_answer(reader)).problem(408)


async def test_a_head_behind_a_request_that_takes_long_is_not_overdue_meanwhile(
    quick: Scene,
) -> None:
    """What comes while an answer is being made waits; its time begins with its turn."""
    endpoint = quick.be("xa")
    poll = endpoint.raw("GET", f"{INBOX}?after=9&wait=1").replace(b"Connection: close\r\n", b"")
    raw = endpoint.raw("GET", INBOX)
    async with socket_to(quick.port) as (reader, writer):
        writer.write(poll + raw[:40])
        assert (await read_answer(reader)).status == 200  # after a second, more than a head has
        writer.write(raw[40:])
        assert (await read_answer(reader)).status == 200


@pytest.mark.parametrize("before", [b"", b"asked"])
async def test_an_idle_connection_is_closed(quick: Scene, before: bytes) -> None:
    async with socket_to(quick.port) as (reader, writer):
        if before:
            raw = quick.be("xa").raw("GET", INBOX)
            writer.write(raw.replace(b"Connection: close\r\n", b""))
            assert (await read_answer(reader)).status == 200
        async with asyncio.timeout(3):
            assert await reader.read() == b""


@contextlib.asynccontextmanager
async def unread(port: int, raw: bytes) -> AsyncIterator[socket.socket]:
    """Send a request over a socket that takes in next to nothing, and read nothing."""
    loop = asyncio.get_running_loop()
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setblocking(False)
        await loop.sock_connect(made, ("127.0.0.1", port))
        await loop.sock_sendall(made, raw)
        yield made


async def until(what: str, more_than: float) -> None:
    async with asyncio.timeout(10):
        while broken_off(what) <= more_than:
            await asyncio.sleep(0.02)


async def test_a_download_that_nobody_reads_is_broken_off(narrow: None, quick: Scene) -> None:
    before = broken_off("slow reader")
    raw = quick.be("xa").raw("GET", f"/v1/shares/{quick.shares.ours}/items/0")
    async with unread(quick.port, raw):
        await until("slow reader", before)
        assert await range_ends(quick) == ["interrupted"]


async def test_a_page_that_nobody_reads_is_broken_off_after_it_was_answered(
    narrow: None, quick: Scene
) -> None:
    """Its bytes wait in memory when the request has long ended, and closing waits for them."""
    before = broken_off("slow reader")
    raw = quick.be("auditor").raw("GET", "/v1/ledger/entries")
    async with unread(quick.port, raw):
        await until("slow reader", before)


async def test_a_reader_who_comes_on_slowly_is_served_to_the_end(
    narrow: None, quick: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PROGRESS", 4 << 10)
    loop, found = asyncio.get_running_loop(), 0
    raw = quick.be("xa").raw("GET", f"/v1/shares/{quick.shares.ours}/items/0")
    async with unread(quick.port, raw) as made:
        begun = time.monotonic()
        while data := await loop.sock_recv(made, 65536):
            found += len(data)
            if time.monotonic() - begun < 2:  # three times what a reader may stand still
                await asyncio.sleep(0.05)
    assert found > len(BIG)
    assert await range_ends(quick) == ["finished"]


@contextlib.asynccontextmanager
async def capped(world: World, **caps: int | str) -> AsyncIterator[int]:
    changed = msgspec.structs.replace(settings.read(world.instance), **caps)
    settings.write(world.instance, changed)
    async with running(World(world.root, changed)):
        yield changed.port


async def connected(port: int, number: int, stack: contextlib.AsyncExitStack) -> list[object]:
    return [await stack.enter_async_context(socket_to(port)) for _ in range(number)]


@pytest.mark.parametrize(
    "caps",
    [{"max_connections": 5}, {"max_connections_per_address": 5, "proxies": "192.0.2.1 192.0.2.2"}],
)
async def test_connections_have_a_cap_and_room_again(world: World, caps: dict[str, int]) -> None:
    endpoint = caller(world, "xa")
    async with capped(world, **caps) as port, contextlib.AsyncExitStack() as stack:
        async with contextlib.AsyncExitStack() as held:
            await connected(port, 4, held)
            assert (await endpoint.get(INBOX)).status == 200  # the fifth
            await asyncio.sleep(0.05)
            await connected(port, 1, held)
            async with socket_to(port) as (reader, _):
                answer = await read_answer(reader)
            answer.problem(503)
            assert answer.headers["retry-after"].isdigit()
        await asyncio.sleep(0.05)
        await connected(port, 4, stack)
        assert (await endpoint.get(INBOX)).status == 200


async def test_the_proxy_in_front_is_not_taken_for_one_client(world: World) -> None:
    async with capped(world, max_connections_per_address=2) as port:
        async with contextlib.AsyncExitStack() as held:
            await connected(port, 10, held)
            assert (await caller(world, "xa").get(INBOX)).status == 200


def test_a_cap_is_for_each_address() -> None:
    guard, made = Guard(Caps(10, 2, "")), [object() for _ in range(6)]
    enter = [guard.enter(one, address) for one, address in zip(made, "aaabbb", strict=True)]  # type: ignore[arg-type]
    assert enter == [True, True, False, True, True, False]
    guard.leave(made[2], "a")  # type: ignore[arg-type]  # was never in
    assert not guard.enter(made[2], "a")  # type: ignore[arg-type]
    guard.leave(made[0], "a")  # type: ignore[arg-type]
    assert guard.enter(made[2], "a")  # type: ignore[arg-type]


async def test_a_flood_of_connections_leaves_nothing_behind(quick: Scene) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(5):
        async with contextlib.AsyncExitStack() as held:
            await connected(quick.port, 40, held)
    await asyncio.sleep(0.8)
    assert len(asyncio.all_tasks()) <= before + 3
    assert (await quick.be("xa").get(INBOX)).status == 200
