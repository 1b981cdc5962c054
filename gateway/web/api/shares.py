"""Packages and shares: proposed, approved, released and recalled by the mechanism; pulled by one authority."""

import asyncio
import socket
import struct

import structlog
from aiohttp import web

from gateway import telemetry
from gateway.kernel.encoding import MAX_SAFE_INTEGER
from gateway.kernel.errors import MalformedError, NotFoundError, RateLimitedError
from gateway.kernel.ids import check_id
from gateway.store.servings import Serving
from gateway.web.auth import GATEWAY, SMALL_RANGES, act, number, read, reader, run
from gateway.web.problems import plain_problem
from gateway.web.ranges import Range, parse_range
from gateway.workflows import clear as clearing
from gateway.workflows import explain as explaining
from gateway.workflows import propose as proposing
from gateway.workflows import pull
from gateway.workflows import release as releasing
from gateway.workflows import sign as signing
from gateway.workflows.gateway import Gateway, Signed, mechanism_only

routes = web.RouteTableDef()
_log = structlog.get_logger()
_LOOK_AGAIN = 0.5  # seconds between the decisions on a running download
NO_STORE = {"Cache-Control": "no-store"}


@routes.post("/v1/packages")
async def make_package(request: web.Request) -> web.Response:
    """Make a package."""
    return await act(request, proposing.make_package, status=201)


@routes.post("/v1/shares")
async def propose(request: web.Request) -> web.Response:
    """Propose a share; the answer is its decision, whatever it is."""
    return await act(request, proposing.propose, status=201)


@routes.get("/v1/shares")
async def listed(request: web.Request) -> web.Response:
    """List every share, for the mechanism."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    return web.json_response(
        await run(request, proposing.listed, request.app[GATEWAY]), headers=NO_STORE
    )


@routes.get("/v1/shares/{share}")
async def show(request: web.Request) -> web.Response:
    """Show a share, for the mechanism."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    shown = await run(request, proposing.show, request.app[GATEWAY], share_id(request))
    return web.json_response(shown, headers=NO_STORE)


@routes.get("/v1/shares/{share}/explanation")
async def explanation(request: web.Request) -> web.Response:
    """Explain a recorded decision on a share, for the mechanism."""
    signed = await reader(request)
    mechanism_only(signed.actor)
    n = number(request, "decision", 0, MAX_SAFE_INTEGER) if "decision" in request.query else None
    found = await run(request, explaining.explanation, request.app[GATEWAY], share_id(request), n)
    return web.json_response(found, headers=NO_STORE)


@routes.post("/v1/shares/{share}/approvals")
async def clear(request: web.Request) -> web.Response:
    """Clear one obligation of a held share: an approval, or a consultation."""
    return await act(request, clearing.clear, share_id(request), status=201)


@routes.post("/v1/shares/{share}/release")
async def release(request: web.Request) -> web.Response:
    """Release a share."""
    return await act(request, releasing.release, share_id(request))


@routes.post("/v1/shares/{share}/recall")
async def recall(request: web.Request) -> web.Response:
    """Recall a share."""
    return await act(request, releasing.recall, share_id(request))


@routes.post("/v1/shares/{share}/receipts")
async def acknowledge(request: web.Request) -> web.Response:
    """Accept a receipt."""
    return await act(request, pull.acknowledge, share_id(request), status=201)


@routes.post("/v1/shares/{share}/terms")
async def sign_terms(request: web.Request) -> web.Response:
    """Accept an officer's signature under the terms of a share."""
    return await act(request, signing.sign_terms, share_id(request), status=201)


@routes.get("/v1/shares/{share}/manifest")
async def manifest(request: web.Request) -> web.Response:
    """Serve the signed outer manifest."""
    kept = await read(request, lambda g, s: pull.manifest(g, s, share_id(request)))
    return web.Response(body=kept.container, content_type="application/json", headers=NO_STORE)


@routes.get("/v1/shares/{share}/manifest/inner")
async def inner(request: web.Request) -> web.Response:
    """Serve the sealed inner manifest, an age file."""
    kept = await read(request, lambda g, s: pull.manifest(g, s, share_id(request)))
    return web.Response(body=kept.inner, content_type="application/octet-stream", headers=NO_STORE)


@routes.get("/v1/shares/{share}/items/{n}")
async def item(request: web.Request) -> web.StreamResponse:
    """Serve header ‖ body of one item, whole or a range; HEAD says what there is."""
    signed = await reader(request)
    gateway = request.app[GATEWAY]
    found = await run(request, pull.find_item, gateway, signed, share_id(request), _n(request))
    wanted = parse_range(request, found.size, found.etag)
    headers = {
        **NO_STORE,
        "Accept-Ranges": "bytes",
        "ETag": found.etag,
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment",
    }
    if wanted is None:
        said = {name: headers[name] for name in ("Accept-Ranges", "ETag")}
        return plain_problem(416, {**said, "Content-Range": f"bytes */{found.size}"})
    if request.method == "HEAD":
        await run(request, pull.check_pullable, gateway, found.share)
        return web.Response(headers={**headers, "Content-Length": str(found.size)})
    small = wanted.end - wanted.first < pull.MIN_RANGE and wanted.end < found.size
    if small and not request.app[SMALL_RANGES].allow(signed.actor.key.kid):
        raise RateLimitedError("too many small ranges: ask for a MiB or more", retry_after=60)
    return await _send(request, gateway, signed, found, wanted, headers)


async def _send(
    request: web.Request,
    gateway: Gateway,
    signed: Signed,
    found: pull.Item,
    wanted: Range,
    headers: dict[str, str],
) -> web.StreamResponse:
    """Authorise, stream, and log how it ended, also when the client goes away."""
    serving = await run(request, pull.authorise, gateway, signed, found, wanted.first, wanted.end)
    response = web.StreamResponse(status=206 if wanted.partial else 200, headers=headers)
    response.content_length = wanted.end - wanted.first
    if wanted.partial:
        last = wanted.end - 1
        response.headers["Content-Range"] = f"bytes {wanted.first}-{last}/{found.size}"
    sent = 0
    watch = asyncio.create_task(_watch(request, gateway, serving))
    try:
        await response.prepare(request)
        chunks = pull.stream(gateway, found, wanted.first, wanted.end)
        while (data := await run(request, next, chunks, None)) is not None:
            if not pull.may_continue(gateway, serving):
                break
            await response.write(data)
            sent += len(data)
        if sent == response.content_length:
            await response.write_eof()
    finally:
        watch.cancel()
        if sent != response.content_length:
            # Its length is stated already: anything but a broken connection would pass for its rest.
            _cut(request)
        telemetry.bytes_out.inc(sent)
        party = signed.actor.party.id
        await run(request, pull.ended, gateway, signed.actor.id, serving, sent, party)
    return response


async def _watch(request: web.Request, gateway: Gateway, serving: Serving) -> None:
    """Break a running download off within a second of whatever stops a new one.

    Beside the sending, which may be waiting for a slow reader. If the question cannot be answered, the
    download does not go on: it can be resumed, what was sent cannot be called back.
    """
    permitted = True
    while permitted:
        await asyncio.sleep(_LOOK_AGAIN)
        try:
            permitted = await run(request, pull.still_permitted, gateway, serving)
        except Exception as error:
            _log.error("download_unwatched", defect=type(error).__name__)
            permitted = False
    _cut(request)


def _cut(request: web.Request) -> None:
    """Break the connection off so that not even what the kernel has buffered is sent any more."""
    transport = request.transport
    if transport is None:
        return
    line: socket.socket | None = transport.get_extra_info("socket")
    if line is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def share_id(request: web.Request) -> str:
    """Return the share named in the path. Raises NotFoundError for what is no share id."""
    try:
        return check_id(request.match_info["share"], "shr")
    except MalformedError:
        raise NotFoundError("no such share") from None


def _n(request: web.Request) -> int:
    text = request.match_info["n"]
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or str(int(text)) != text:
        raise NotFoundError("no such item")
    return int(text)
