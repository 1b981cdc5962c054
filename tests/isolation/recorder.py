"""A proxy that keeps every byte a gateway sends, and a reader that takes it apart as far as it goes."""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Recorder:
    """The bytes sent to one client, by connection."""

    port: int
    streams: list[bytearray] = field(default_factory=list)

    async def _pipe(self, source: Any, sink: Any, kept: bytearray | None) -> None:
        with suppress(ConnectionError):
            while data := await source.read(1 << 16):
                if kept is not None:
                    kept += data
                sink.write(data)
                await sink.drain()
        with suppress(ConnectionError):
            sink.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, keeping what comes back."""
        kept = bytearray()
        self.streams.append(kept)
        back, forth = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._pipe(reader, forth, None), self._pipe(back, writer, kept))


@asynccontextmanager
async def recording(port: int) -> AsyncIterator[tuple[int, Recorder]]:
    """Record what the server on *port* sends; yield the port to talk to instead."""
    recorder = Recorder(port)
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], recorder
    finally:
        server.close()


def bodies(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield head and body of every HTTP response of a connection (RFC 9112, with Content-Length)."""
    at = 0
    while at < len(stream):
        end = stream.index(b"\r\n\r\n", at) + 4
        head = stream[at:end]
        size = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        yield head, stream[end : end + size]
        at = end + size


def taken_apart(data: bytes) -> Iterator[bytes | str]:
    """Yield *data*, and whatever JSON, text and base64 inside of it spell, to the bottom."""
    yield data
    try:
        value = json.loads(data)
    except (ValueError, UnicodeDecodeError, RecursionError):
        return
    yield from _walk(value)


def _walk(value: Any) -> Iterator[bytes | str]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from _walk(member)
    elif isinstance(value, list):
        for member in value:
            yield from _walk(member)
    elif isinstance(value, str):
        yield value
        yield from _inside(value)


def _inside(text: str) -> Iterator[bytes | str]:
    if text[:1] in "{[":
        yield from taken_apart(text.encode())
        return
    for line in text.split("\n"):
        for word in line.split(" "):
            if len(word) < 16:
                continue
            with suppress(binascii.Error, ValueError, UnicodeEncodeError):
                padded = word.encode("ascii") + b"=" * (-len(word) % 4)
                yield from taken_apart(base64.b64decode(padded, altchars=b"-_", validate=True))
            with suppress(binascii.Error, ValueError, UnicodeEncodeError):
                yield from taken_apart(base64.b64decode(word.encode("ascii"), validate=True))
