"""Envelope keys: introduced, listed, and what a lost one could open; shares wrapped anew."""

from aiohttp import web

from gateway.kernel.encoding import is_hex_digest
from gateway.kernel.errors import MalformedError, NotFoundError
from gateway.kernel.ids import check_id
from gateway.web.auth import GATEWAY, act, reader, run
from gateway.workflows import keys, revoked
from gateway.workflows import rewrap_share as rewrapping
from gateway.workflows.gateway import Signed, mechanism_only

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}


async def _staff(request: web.Request) -> Signed:
    signed = await reader(request)
    mechanism_only(signed.actor)
    return signed


@routes.get("/v1/keys")
async def listed(request: web.Request) -> web.Response:
    """List the envelope keys of the directory in force, and what each waits for."""
    await _staff(request)
    found = await run(request, keys.listed, request.app[GATEWAY])
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/keys/{key}/exposure")
async def exposure(request: web.Request) -> web.Response:
    """List what a key could open."""
    await _staff(request)
    key = request.match_info["key"]
    if not is_hex_digest(key):
        raise NotFoundError("no such key")
    after = request.query.get("after", "")
    found = await run(request, revoked.exposure, request.app[GATEWAY], key, after)
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/key-challenges")
async def challenge(request: web.Request) -> web.Response:
    """Have a challenge sealed to a key."""
    return await act(request, keys.challenge, status=201)


@routes.get("/v1/key-challenges")
async def to_answer(request: web.Request) -> web.Response:
    """List the unanswered challenges to keys of the caller's party."""
    signed = await reader(request)
    keys.check_party(signed)
    found = await run(request, keys.to_answer, request.app[GATEWAY], signed)
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/key-challenges/{challenge}/proof")
async def prove(request: web.Request) -> web.Response:
    """Take the owner's answer to a challenge."""
    return await act(request, keys.prove, _challenge(request), status=201)


@routes.post("/v1/key-challenges/{challenge}/confirmations")
async def confirm(request: web.Request) -> web.Response:
    """Take a person's word that a proved key is its owner's."""
    return await act(request, keys.confirm, _challenge(request), status=201)


@routes.get("/v1/authorities/{authority}/rewraps")
async def due(request: web.Request) -> web.Response:
    """List the open shares of an authority that are wrapped to other keys than it has now."""
    await _staff(request)
    try:
        authority = check_id(request.match_info["authority"], "pty")
    except MalformedError:
        raise NotFoundError("no such party in the directory") from None
    found = await run(request, rewrapping.due, request.app[GATEWAY], authority)
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/shares/{share}/rewrap")
async def rewrap(request: web.Request) -> web.Response:
    """Wrap a share anew to the keys that its authority has now."""
    try:
        share = check_id(request.match_info["share"], "shr")
    except MalformedError:
        raise NotFoundError("no such share") from None
    return await act(request, rewrapping.rewrap, share, status=201)


def _challenge(request: web.Request) -> str:
    try:
        return check_id(request.match_info["challenge"], "chl")
    except MalformedError:
        raise NotFoundError("no such challenge") from None
