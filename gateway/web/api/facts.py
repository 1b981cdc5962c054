"""Facts by order: attestations, amendments; and history as declared. For the mechanism alone."""

from aiohttp import web

from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.kernel.ids import check_id
from gateway.web.auth import GATEWAY, act, reader, run
from gateway.workflows import declare as declaring
from gateway.workflows import derive, facts, match
from gateway.workflows.gateway import mechanism_only

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}


@routes.post("/v1/attestations")
async def attest(request: web.Request) -> web.Response:
    """Attest a fact about a state or case."""
    return await act(request, facts.attest, status=201)


@routes.get("/v1/attestations")
async def listed(request: web.Request) -> web.Response:
    """List every attestation."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    found = await run(request, facts.listed, request.app[GATEWAY])
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/attestations/{attestation}/end")
async def end(request: web.Request) -> web.Response:
    """End an attestation."""
    name = _id(request, "attestation", "att", "no such attestation")
    return await act(request, facts.end, name)


@routes.get("/v1/items/{item}")
async def show_item(request: web.Request) -> web.Response:
    """Show an item's facts and derivations."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    found = await run(request, facts.show_item, request.app[GATEWAY], item_id(request))
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/items/{item}/amendments")
async def amend(request: web.Request) -> web.Response:
    """Amend an item's facts."""
    return await act(request, facts.amend, item_id(request), status=201)


@routes.post("/v1/items/{item}/derivation")
async def derivation(request: web.Request) -> web.Response:
    """Attest that an item was made from another."""
    return await act(request, derive.attest, item_id(request), status=201)


@routes.get("/v1/items/{item}/holders")
async def holders(request: web.Request) -> web.Response:
    """List who holds an item."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    found = await run(request, match.holders, request.app[GATEWAY], item_id(request))
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/declarations")
async def declare(request: web.Request) -> web.Response:
    """Declare history."""
    return await act(request, declaring.declare, status=201)


@routes.get("/v1/declarations")
async def declared(request: web.Request) -> web.Response:
    """List declared history."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    found = await run(request, declaring.listed, request.app[GATEWAY])
    return web.json_response(found, headers=NO_STORE)


def item_id(request: web.Request) -> str:
    """Return the item named in the path. Raises NotFoundError for what is no item's id."""
    return _id(request, "item", "itm", "no such item")


def _id(request: web.Request, name: str, prefix: str, absent: str) -> str:
    try:
        return check_id(request.match_info[name], prefix)
    except MalformedError:
        raise NotFoundError(absent) from None
