"""tus 1.0 (core, creation, termination) for the sharing team, with signed parts; completion; deposit."""

from aiohttp import web

from gateway import telemetry
from gateway.kernel.errors import MalformedError
from gateway.web.auth import GATEWAY, act, authenticate, performed, read_body, reader, run
from gateway.workflows import deposit

routes = web.RouteTableDef()
TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}


def _check_version(request: web.Request) -> None:
    if request.headers.get("Tus-Resumable") != "1.0.0":
        raise MalformedError("send Tus-Resumable: 1.0.0", field="Tus-Resumable")


def _length(request: web.Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise MalformedError(f"{name} is a whole number of bytes", field=name)
    return int(text)


@routes.post("/v1/uploads")
async def create(request: web.Request) -> web.Response:
    """Begin an upload; the signed body says what tus metadata would, and binds it."""
    _check_version(request)
    stated = _length(request, "Upload-Length")
    body = await read_body(request)
    signed = authenticate(request, body)
    act_size = deposit.stated_size(body)
    if act_size != stated:
        raise MalformedError("Upload-Length differs from the signed size", field="Upload-Length")
    answer = await performed(request, signed, deposit.open_upload)
    headers = {**TUS, "Location": f"/v1/uploads/{answer['upload']}"}
    return web.json_response(answer, status=201, headers=headers)


@routes.head("/v1/uploads/{upload}")
async def offset(request: web.Request) -> web.Response:
    """Say how far an upload has come."""
    _check_version(request)
    signed = await reader(request)
    upload = request.match_info["upload"]
    at, size = await run(request, deposit.offset, request.app[GATEWAY], signed, upload)
    return web.Response(headers={**TUS, "Upload-Offset": str(at), "Upload-Length": str(size)})


@routes.patch("/v1/uploads/{upload}")
async def put_part(request: web.Request) -> web.Response:
    """Take one part; of its request only the token is kept."""
    _check_version(request)
    if request.content_type != "application/offset+octet-stream":
        raise MalformedError("expected application/offset+octet-stream", field="Content-Type")
    start = _length(request, "Upload-Offset")
    body = await read_body(request, deposit.MAX_PART)
    signed = authenticate(request, body, keep_body=False)
    telemetry.bytes_in.inc(len(body))
    upload = request.match_info["upload"]
    at = await performed(request, signed, deposit.put_part, upload, start, body)
    return web.Response(status=204, headers={**TUS, "Upload-Offset": str(at)})


@routes.delete("/v1/uploads/{upload}")
async def abandon(request: web.Request) -> web.Response:
    """Give up an upload that is not complete."""
    _check_version(request)
    signed = authenticate(request, await read_body(request, limit=0))
    await performed(request, signed, deposit.abandon, request.match_info["upload"])
    return web.Response(status=204, headers=TUS)


@routes.post("/v1/uploads/{upload}/complete")
async def complete(request: web.Request) -> web.Response:
    """Make a sealed upload of what arrived."""
    return await act(request, deposit.complete, request.match_info["upload"], status=201)


@routes.post("/v1/items")
async def deposit_item(request: web.Request) -> web.Response:
    """Accept a deposit record."""
    return await act(request, deposit.deposit, status=201)
