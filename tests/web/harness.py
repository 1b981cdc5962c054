"""Requests as an attacker makes them: signed bytes on a bare socket, and whatever comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.client.profile import KeyFolder, open_folder
from gateway.exchange import tokens
from gateway.exchange.parse import plain
from gateway.kernel.encoding import Json, canonical_json, parse_json, sha256
from tests.world import World

JSON = {"Content-Type": "application/json"}
TUS = {"Tus-Resumable": "1.0.0"}
PART = {**TUS, "Content-Type": "application/offset+octet-stream"}
PATIENCE = 20  # seconds
Headers = Mapping[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An answer off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        value = parse_json(self.body)
        assert isinstance(value, dict)
        return value

    def problem(self, status: int) -> dict[str, Any]:
        """Return the problem, which must be one of *status* in the form of RFC 9457."""
        assert self.status == status, (self.status, self.body)
        assert self.headers["content-type"].startswith("application/problem+json")
        found = self.json()
        assert found["status"] == status
        assert {"type", "title", "status", "detail"} <= set(found)
        return found


@asynccontextmanager
async def socket_to(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection, and close it whatever happened on it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def head_of(method: str, target: str, headers: Headers = ()) -> bytes:  # type: ignore[assignment]
    """Spell the head of a request. A list of headers may hold one twice."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway.example", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in pairs]
    return "\r\n".join([*lines, "", ""]).encode("utf-8")


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer:
    """Read one answer."""
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        status = int(first.split(" ")[1])
        if method == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"")
        if "content-length" in headers:
            return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
        return Answer(status, headers, await reader.read())


async def exchange(port: int, raw: bytes, method: str = "GET") -> Answer:
    """Send bytes, return the first answer to them."""
    async with socket_to(port) as (reader, writer):
        with contextlib.suppress(ConnectionError):  # it may refuse before it has read all
            writer.write(raw)
            await writer.drain()
        return await read_answer(reader, method)


async def everything(port: int, raw: bytes) -> bytes:
    """Send bytes, return all that comes back until the server closes."""
    found = bytearray()
    async with socket_to(port) as (reader, writer):
        with contextlib.suppress(ConnectionError):  # it may refuse before it has read all
            writer.write(raw)
            await writer.drain()
            async with asyncio.timeout(PATIENCE):
                while data := await reader.read(65536):
                    found += data
    return bytes(found)


def order(act: object) -> bytes:
    """Spell the body of an acting request."""
    return canonical_json({"act": plain(act), "sig2": None})


@dataclass
class Caller:
    """Someone with keys who sends what he likes."""

    folder: KeyFolder
    port: int
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def token(self, method: str, target: str, body: bytes = b"", at: datetime | None = None) -> str:
        profile = self.folder.profile
        return tokens.make(
            self.folder.request_signer(),
            issuer=profile.actor,
            audience=profile.audience,
            request=tokens.Request(method, target, sha256(body)),
            now=at or self.now(),
        )

    def raw(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> bytes:
        """Spell a whole signed request; *headers* override what it would say."""
        said = {"Authorization": f"Bearer {token or self.token(method, target, body)}"}
        if body or method in ("POST", "PATCH"):
            said["Content-Length"] = str(len(body))
        return head_of(method, target, {**said, **(headers or {})}) + body

    async def call(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        return await exchange(self.port, self.raw(method, target, body, headers, token), method)

    async def get(self, target: str, **headers: str) -> Answer:
        spelt = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("GET", target, headers=spelt)

    async def act(self, target: str, act: object) -> Answer:
        return await self.call("POST", target, order(act), JSON)

    async def post(self, target: str, value: Json) -> Answer:
        return await self.call("POST", target, canonical_json(value), JSON)


def caller(world: World, who: str) -> Caller:
    """Become *who*."""
    return Caller(open_folder(world.folder(who), None), world.config.port)
