"""Policy sets: put into force, looked at before that; and recorded decisions. For the mechanism alone."""

from aiohttp import web

from gateway.exchange.policy_acts import MAX_SET
from gateway.kernel.encoding import is_hex_digest
from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.kernel.ids import check_id
from gateway.web.auth import GATEWAY, act, authenticate, read_body, reader, run, spent
from gateway.workflows import policy_preview, policy_replay, policy_sets
from gateway.workflows.gateway import mechanism_only

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}


@routes.post("/v1/policy/sets")
async def activate(request: web.Request) -> web.Response:
    """Put a policy set into force."""
    return await act(request, policy_sets.activate, status=201, limit=MAX_SET)


@routes.get("/v1/policy/sets")
async def listed(request: web.Request) -> web.Response:
    """List the policy sets that came into force."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    found = await run(request, policy_sets.listed, request.app[GATEWAY])
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/policy/sets/{number}")
async def shown(request: web.Request) -> web.Response:
    """Show a policy set with its files."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise NotFoundError("no policy set of this number is kept with its files")
    found = await run(request, policy_sets.shown, request.app[GATEWAY], int(text))
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/policy/preview")
async def preview(request: web.Request) -> web.Response:
    """Say what a policy set would change and what it lacks; nothing is recorded."""
    signed = authenticate(request, await read_body(request, limit=MAX_SET))
    found = await run(request, lambda: spent(request.app[GATEWAY], signed, policy_preview.preview))
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/policy/signoffs")
async def sign_off(request: web.Request) -> web.Response:
    """Agree to what a policy set turns to permit."""
    return await act(request, policy_replay.sign_off, status=201)


@routes.get("/v1/shares/{share}/decisions")
async def decisions(request: web.Request) -> web.Response:
    """List the recorded decisions of a share."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    try:
        share = check_id(request.match_info["share"], "shr")
    except MalformedError:
        raise NotFoundError("no such share") from None
    found = await run(request, policy_replay.decisions_of, request.app[GATEWAY], share)
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/decisions/{digest}")
async def decision(request: web.Request) -> web.Response:
    """Show a recorded decision with its facts."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    digest = request.match_info["digest"]
    if not is_hex_digest(digest):
        raise NotFoundError("no such decision")
    found = await run(request, policy_replay.decision, request.app[GATEWAY], digest)
    return web.json_response(found, headers=NO_STORE)
