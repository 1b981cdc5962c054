"""RFAs: sent and followed by authorities, worked on by the mechanism's officers."""

from aiohttp import web

from gateway.exchange.parties import Kind
from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.kernel.ids import check_id
from gateway.web.auth import GATEWAY, act, reader, run
from gateway.workflows import dossier
from gateway.workflows import request as requesting
from gateway.workflows import rfa as officers
from gateway.workflows.gateway import Signed, mechanism_only

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}


@routes.post("/v1/rfas")
async def submit(request: web.Request) -> web.Response:
    """Take in an RFA of an authority: a signed message."""
    return await act(request, requesting.submit, status=201)


@routes.post("/v1/rfas/paper")
async def record(request: web.Request) -> web.Response:
    """Enter an RFA that came on paper."""
    return await act(request, officers.record, status=201)


@routes.get("/v1/rfas")
async def listed(request: web.Request) -> web.Response:
    """List an authority's own RFAs; all of them for the mechanism."""
    signed = await reader(request)
    gateway = request.app[GATEWAY]
    if _is_authority(signed):
        found = await run(request, requesting.listed, gateway, signed)
    else:
        mechanism_only(signed.actor)
        found = await run(request, dossier.listed, gateway)
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/rfas/{rfa:(?!paper$)[^/]+}")  # that path takes POST alone, and says so
async def show(request: web.Request) -> web.Response:
    """Show an RFA: what its authority may see of it, or all for the mechanism."""
    signed = await reader(request)
    gateway, name = request.app[GATEWAY], rfa_id(request)
    if _is_authority(signed):
        found = await run(request, requesting.show, gateway, signed, name)
    else:
        mechanism_only(signed.actor)
        found = await run(request, dossier.show, gateway, name)
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/rfas/{rfa}/messages")
async def add(request: web.Request) -> web.Response:
    """Take in what an authority adds to its RFA, or its withdrawal."""
    return await act(request, requesting.add, rfa_id(request), status=201)


@routes.get("/v1/rfas/{rfa}/messages/{message}")
async def message(request: web.Request) -> web.Response:
    """Serve one signed message about an RFA."""
    signed = await reader(request)
    try:
        name = check_id(request.match_info["message"], "msg")
    except MalformedError:
        raise NotFoundError("no such message") from None
    gateway = request.app[GATEWAY]
    found = await run(request, requesting.message, gateway, signed, rfa_id(request), name)
    return web.Response(body=found, content_type="application/json", headers=NO_STORE)


@routes.post("/v1/rfas/{rfa}/steps")
async def step(request: web.Request) -> web.Response:
    """Do what an officer orders about an RFA."""
    return await act(request, officers.act_on, rfa_id(request), status=201)


def rfa_id(request: web.Request) -> str:
    """Return the RFA named in the path. Raises NotFoundError for what is no RFA's id."""
    try:
        return check_id(request.match_info["rfa"], "rfa")
    except MalformedError:
        raise NotFoundError("no such RFA") from None


def _is_authority(signed: Signed) -> bool:
    return signed.actor.party.kind is Kind.AUTHORITY
