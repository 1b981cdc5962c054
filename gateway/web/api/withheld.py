"""What is kept back from authorities, and its review. For some roles of the mechanism alone."""

from aiohttp import web

from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.kernel.ids import check_id
from gateway.web.api.rfas import rfa_id
from gateway.web.auth import GATEWAY, act, number, reader, run
from gateway.workflows import withheld

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}


@routes.get("/v1/withheld")
async def listed(request: web.Request) -> web.Response:
    """List what is kept back; with `open=1` what of it waits for somebody."""
    pending = bool(number(request, "open", 0, 1))
    signed = await reader(request)
    withheld.check_reader(signed.actor)
    found = await run(request, withheld.listed, request.app[GATEWAY], signed, pending=pending)
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/rfas/{rfa}/withheld")
async def of_rfa(request: web.Request) -> web.Response:
    """List what is kept back from the authority of an RFA, with the reasons."""
    signed = await reader(request)
    withheld.check_reader(signed.actor)  # before the RFA is looked for: others learn nothing of it
    found = await run(request, withheld.of_rfa, request.app[GATEWAY], signed, rfa_id(request))
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/withheld/{withheld}/review")
async def review(request: web.Request) -> web.Response:
    """Take in what a reviewer found."""
    try:
        name = check_id(request.match_info["withheld"], "wth")
    except MalformedError:
        raise NotFoundError("no such item kept back") from None
    return await act(request, withheld.review, name, status=201)
