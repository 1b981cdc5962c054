"""The inbox: signed messages by cursor, with a long poll that holds neither thread nor connection."""

import asyncio

from aiohttp import web

from gateway.web.auth import GATEWAY, authenticate_read, number, run_quick, spent
from gateway.web.connections import gone
from gateway.web.limits import LIMITS
from gateway.workflows import pull

routes = web.RouteTableDef()
MAX_WAIT = 60  # seconds
PAGE = 100  # messages


class Bell:
    """Rings at every commit. Waiters hold only a future of the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake every waiter; may be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def waiter(self) -> asyncio.Future[None]:
        """Return a future that the next ring resolves: take it before looking, so no ring is lost."""
        waiter = self._loop.create_future()
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)
        return waiter


BELL: web.AppKey[Bell] = web.AppKey("bell", Bell)


@routes.get("/v1/inbox")
async def inbox(request: web.Request) -> web.Response:
    """Return messages after a cursor, waiting up to `wait` seconds for the first."""
    after = number(request, "after", 0, 2**53 - 1)
    wait = number(request, "wait", 0, MAX_WAIT)
    signed, gateway = await authenticate_read(request), request.app[GATEWAY]
    if wait:
        request.app[LIMITS].poll(request, signed.actor)
    departed = gone(request)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    bell = request.app[BELL].waiter()
    try:
        found = await run_quick(request, spent, gateway, signed, pull.messages, after, PAGE)
        while not (found or departed.done()) and (left := until - loop.time()) > 0:
            # Who has gone waits no more: else each poll that was broken off would count for a minute.
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait([bell, departed], timeout=left, return_when=first)
            bell.cancel()
            bell = request.app[BELL].waiter()
            found = await run_quick(request, pull.messages, gateway, signed, after, PAGE)
    finally:
        bell.cancel()
    texts = [kept.container.decode() for kept in found]
    cursor = found[-1].seq if found else after
    body = {"messages": texts, "next": cursor}
    return web.json_response(body, headers={"Cache-Control": "no-store"})
