"""Long polls: a request that waits for something to happen holds neither a thread nor a connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from gateway.exchange.directory import Actor
from gateway.web.connections import gone
from gateway.web.limits import LIMITS

MAX_WAIT = 60  # seconds
T = TypeVar("T")


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


async def poll(
    request: web.Request,
    actor: Actor,
    wait: int,
    first: Callable[[], Awaitable[T]],
    again: Callable[[], Awaitable[T]],
) -> T:
    """Return what *first* finds; if that is nothing, look *again* at each commit for *wait* seconds.

    Raises RateLimitedError if the actor waits in too many places at once.
    """
    if wait:
        request.app[LIMITS].poll(request, actor)
    departed, loop = gone(request), asyncio.get_running_loop()
    until = loop.time() + wait
    bell = request.app[BELL].waiter()
    try:
        found = await first()
        while not (found or departed.done()) and (left := until - loop.time()) > 0:
            # Who has gone waits no more: else each poll that was broken off would count for a minute.
            either = asyncio.FIRST_COMPLETED
            await asyncio.wait([bell, departed], timeout=left, return_when=either)
            bell.cancel()
            bell = request.app[BELL].waiter()
            found = await again()
    finally:
        bell.cancel()
    return found
