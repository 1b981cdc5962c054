"""Connections: how many there may be, how slow each, and what is answered to what is no HTTP.

aiohttp bounds none of this: it would keep every connection, wait for the end of a head as long as a
connection may be idle, and hold an answer for a reader who never reads. Who is behind a connection is
not known here; what one actor may ask for is the business of `limits`.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway import telemetry
from gateway.web.problems import plain_problem

HEAD_SECONDS = 10.0  # from the first byte of a request to the end of its head
IDLE_SECONDS = (
    30.0  # without a request; a proxy in front gives up sooner, or it would meet a closed one
)
STALL_SECONDS = 30.0  # in which an answer that waits for its reader must come on
PROGRESS = 32 << 10  # by as many bytes, or to its end: about a KiB a second
_SWEEP_SECONDS = 1.0
_NOT_HTTP = "this is no well-formed HTTP/1.1 request, or its head is too large"


@dataclass(frozen=True, slots=True)
class Caps:
    """How many connections there may be at once: in all, and from one address.

    *proxies* are addresses of proxies in front, apart by blanks. All clients come from there, so they
    are not counted as one.
    """

    total: int = 500
    per_address: int = 64
    proxies: str = "127.0.0.1 ::1"


class Guard:
    """Counts the connections of one listener, and breaks off those that do not come on."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._proxies = frozenset(caps.proxies.split())
        self._open: set[Connection] = set()
        self._addresses: Counter[str] = Counter()

    def enter(self, connection: "Connection", address: str) -> bool:
        """Let a connection in; False if it is one too many."""
        counted = address not in self._proxies
        if len(self._open) >= self._caps.total or (
            counted and self._addresses[address] >= self._caps.per_address
        ):
            return False
        self._open.add(connection)
        self._addresses[address] += 1
        return True

    def leave(self, connection: "Connection", address: str) -> None:
        """Forget a connection, if it was let in."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    async def watch(self) -> None:
        """Look at every connection each second, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for connection in list(self._open):
                connection.check(loop.time())


class Connection(web.RequestHandler):
    """One connection, which is broken off when it does not come on."""

    __slots__ = ("_address", "_channel", "_gone", "_guard", "_head_since", "_left", "_left_since")

    def __init__(self, guard: Guard, server: web.Server, **kwargs: object) -> None:
        # The keywords are those that aiohttp's runner collected for its own class.
        super().__init__(server, loop=asyncio.get_running_loop(), **kwargs)  # type: ignore[arg-type]
        self._guard = guard
        self._address = ""
        # aiohttp lets go of the transport before its last bytes have left; we must still see them.
        self._channel: asyncio.Transport | None = None
        self._gone: asyncio.Future[None] | None = None
        self._head_since: float | None = None
        self._left: int | None = None
        self._left_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection in, or say that there are too many."""
        self._channel = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        if self._guard.enter(self, self._address):
            super().connection_made(transport)
        else:
            self._refuse(503, "too many connections: close some, or try again later", "too many")

    def data_received(self, data: bytes) -> None:
        """Take bytes; note since when a head is incomplete."""
        super().data_received(data)
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._head_since = None
        elif self._head_since is None:
            self._head_since = self._loop.time()

    def resume_writing(self) -> None:
        """Note that the reader has taken nearly all that waited for it."""
        self._left = None
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another."""
        self._guard.leave(self, self._address)
        self._channel = None
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        super().connection_lost(exc)

    def gone(self) -> "asyncio.Future[None]":
        """Return a future that is done once the other side has gone."""
        if self._gone is None:
            self._gone = self._loop.create_future()
            if self._channel is None:
                self._gone.set_result(None)
        return self._gone

    def check(self, now: float) -> None:
        """Break the connection off if a head is overdue, or an answer does not leave."""
        if self._head_since is not None and now - self._head_since >= HEAD_SECONDS:
            self._refuse(408, "the head of a request must come at once", "slow head")
        elif self._stalled(now) and self._channel is not None:
            telemetry.broken_off.labels("slow reader").inc()
            self._channel.abort()

    def _stalled(self, now: float) -> bool:
        left = self._channel.get_write_buffer_size() if self._channel is not None else 0
        if not left:
            self._left = None
        elif self._left is None or left <= self._left - PROGRESS:
            self._left, self._left_since = left, now
        return self._left is not None and now - self._left_since >= STALL_SECONDS

    def _refuse(self, status: int, detail: str, why: str) -> None:
        telemetry.broken_off.labels(why).inc()
        self._head_since = None
        if self._channel is not None:
            self._channel.write(_spelt(status, detail))
            self._channel.close()
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, as everything else, by a problem, and close.

        Nothing is logged of it: anyone can send as many as they like.
        """
        _ = message  # it repeats what was sent
        unparsable = isinstance(exc, HttpProcessingError)
        if not unparsable:
            self.log_exception("request failed outside of its handler", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        response = plain_problem(status, detail=_NOT_HTTP if unparsable else "")
        response.force_close()
        return response


def _spelt(status: int, detail: str) -> bytes:
    """Spell an answer for a connection on which no request was read."""
    phrase = HTTPStatus(status).phrase
    value = {"type": "about:blank", "title": phrase, "status": status, "detail": detail}
    body = json.dumps(value).encode()
    lines = (
        f"HTTP/1.1 {status} {phrase}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Retry-After: 5",
        "Server: gateway",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def gone(request: web.Request) -> "asyncio.Future[None]":
    """Return a future that is done once whoever asks has gone."""
    connection = request.protocol
    if isinstance(connection, Connection):
        return connection.gone()
    return asyncio.get_running_loop().create_future()


class _Server(web.Server):
    """aiohttp's server, making our connections."""

    def __init__(self, guard: Guard, made: web.Server, **kwargs: object) -> None:
        # As above, the keywords are aiohttp's own.
        super().__init__(made.request_handler, request_factory=made.request_factory, **kwargs)  # type: ignore[arg-type]
        self._guard = guard

    def __call__(self) -> Connection:
        return Connection(self._guard, self, **self._kwargs)


class _Runner(web.AppRunner):
    """aiohttp's runner, with our server."""

    __slots__ = ("guard",)

    def __init__(self, app: web.Application, guard: Guard, drain: float) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=drain,
            keepalive_timeout=IDLE_SECONDS,
            auto_decompress=False,
        )
        self.guard = guard

    async def _make_server(self) -> web.Server:
        return _Server(self.guard, await super()._make_server(), **self._kwargs)


@asynccontextmanager
async def listen(
    app: web.Application, host: str, port: int, caps: Caps | None = None, *, drain: float
) -> AsyncIterator[None]:
    """Serve *app* on a port; at the end, running transfers get *drain* seconds."""
    guard = Guard(caps or Caps())
    runner = _Runner(app, guard, drain)
    await runner.setup()
    watching = asyncio.create_task(guard.watch())
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
        watching.cancel()
