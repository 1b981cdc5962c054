"""What stands where: matches, approvals, status, suspensions, events. For the mechanism alone."""

from collections.abc import Callable
from typing import ParamSpec

from aiohttp import web

from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.kernel.ids import check_id
from gateway.web.auth import GATEWAY, number, reader, run
from gateway.web.polls import MAX_WAIT, poll
from gateway.workflows import events, match, suspend, waiting
from gateway.workflows.gateway import Answer, Signed, mechanism_only

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}
P = ParamSpec("P")


async def _staff(request: web.Request) -> Signed:
    signed = await reader(request)
    mechanism_only(signed.actor)
    return signed


async def _answer(
    request: web.Request, work: Callable[P, Answer], *args: P.args, **kw: P.kwargs
) -> web.Response:
    return web.json_response(await run(request, work, *args, **kw), headers=NO_STORE)


@routes.get("/v1/packages/{package}/matches")
async def matches(request: web.Request) -> web.Response:
    """Say who could lawfully receive a package, and what is missing for the others."""
    signed = await _staff(request)
    try:
        package = check_id(request.match_info["package"], "pkg")
    except MalformedError:
        raise NotFoundError("no such package") from None
    items = bool(number(request, "items", 0, 1))
    return await _answer(request, match.match, request.app[GATEWAY], signed, package, items=items)


@routes.get("/v1/approvals")
async def approvals(request: web.Request) -> web.Response:
    """List what is held, and what the caller could clear."""
    signed = await _staff(request)
    return await _answer(request, waiting.approvals, request.app[GATEWAY], signed)


@routes.get("/v1/status")
async def status(request: web.Request) -> web.Response:
    """List everything that is open, and what it waits for."""
    await _staff(request)
    return await _answer(request, waiting.status, request.app[GATEWAY])


@routes.get("/v1/suspensions")
async def suspensions(request: web.Request) -> web.Response:
    """List suspended shares, and why."""
    await _staff(request)
    return await _answer(request, suspend.listed, request.app[GATEWAY])


@routes.get("/v1/events")
async def tail(request: web.Request) -> web.Response:
    """Serve what happened since a cursor, waiting up to `wait` seconds for the first.

    Without a cursor, only the cursor of what comes next.
    """
    after = number(request, "after", 0, 2**53 - 1)
    wait = number(request, "wait", 0, MAX_WAIT)
    signed, gateway = await _staff(request), request.app[GATEWAY]
    if "after" not in request.query:
        head = await run(request, events.head, gateway)
        return web.json_response({"events": [], "next": head}, headers=NO_STORE)

    async def look() -> events.Page:
        return await run(request, events.after, gateway, after)

    page = await poll(request, signed.actor, wait, look, look)
    return web.json_response({"events": page.events, "next": page.next}, headers=NO_STORE)
