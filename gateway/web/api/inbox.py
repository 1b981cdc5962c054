"""The inbox: signed messages by cursor, with a long poll."""

from aiohttp import web

from gateway.web.auth import GATEWAY, authenticate_read, number, run_quick, spent
from gateway.web.polls import MAX_WAIT, poll
from gateway.workflows import pull

routes = web.RouteTableDef()
PAGE = 100  # messages


@routes.get("/v1/inbox")
async def inbox(request: web.Request) -> web.Response:
    """Return messages after a cursor, waiting up to `wait` seconds for the first."""
    after = number(request, "after", 0, 2**53 - 1)
    wait = number(request, "wait", 0, MAX_WAIT)
    signed, gateway = await authenticate_read(request), request.app[GATEWAY]
    found = await poll(
        request,
        signed.actor,
        wait,
        lambda: run_quick(request, spent, gateway, signed, pull.messages, after, PAGE),
        lambda: run_quick(request, pull.messages, gateway, signed, after, PAGE),
    )
    texts = [kept.container.decode() for kept in found]
    cursor = found[-1].seq if found else after
    body = {"messages": texts, "next": cursor}
    return web.json_response(body, headers={"Cache-Control": "no-store"})
