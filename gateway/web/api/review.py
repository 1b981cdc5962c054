"""The ledger and the directory, to read and to check."""

from aiohttp import web

from gateway.web.api.shares import share_id
from gateway.web.auth import GATEWAY, number, read, reader, run
from gateway.workflows import review

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}
HIGHEST = 2**53 - 1


@routes.get("/v1/ledger/checkpoint")
async def checkpoint(request: web.Request) -> web.Response:
    """Serve the newest signed checkpoint, a signed note."""
    await reader(request)
    note = await run(request, review.checkpoint, request.app[GATEWAY])
    return web.Response(body=note, content_type="text/plain", charset="utf-8", headers=NO_STORE)


@routes.get("/v1/ledger/consistency")
async def consistency(request: web.Request) -> web.Response:
    """Prove that one head begins another."""
    old, new = number(request, "old", 0, HIGHEST), number(request, "new", 0, HIGHEST)
    await reader(request)
    found = await run(request, review.consistency, request.app[GATEWAY], old, new)
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/ledger/entries")
async def entries(request: web.Request) -> web.Response:
    """Serve a page of leaves."""
    start = number(request, "start", 0, HIGHEST)
    found = await read(request, review.entries, start)
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/ledger/proof")
async def proof(request: web.Request) -> web.Response:
    """Serve the proof of one entry, a tlog-proof."""
    index = number(request, "index", 0, HIGHEST)
    await reader(request)
    text = await run(request, review.proof, request.app[GATEWAY], index)
    return web.Response(text=text, headers=NO_STORE)


@routes.get("/v1/shares/{share}/evidence")
async def evidence(request: web.Request) -> web.Response:
    """Serve the ledger's evidence of a share to its recipient."""
    found = await read(request, lambda g, s: review.share_evidence(g, s, share_id(request)))
    return web.json_response(found, headers=NO_STORE)


@routes.get("/v1/directory")
async def directory(request: web.Request) -> web.Response:
    """Serve the directory view of the caller."""
    return web.json_response(await read(request, review.directory), headers=NO_STORE)
