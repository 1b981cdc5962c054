"""The API's own description: for anyone, since it says nothing about anyone."""

from aiohttp import web

from gateway.web.auth import read_body

routes = web.RouteTableDef()
DOCUMENT: web.AppKey[bytes] = web.AppKey("document", bytes)


@routes.get("/v1/openapi.json")
async def openapi(request: web.Request) -> web.Response:
    """Serve the OpenAPI document, made once at start."""
    await read_body(request, limit=0)
    body = request.app[DOCUMENT]
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=body, content_type="application/json", headers=headers)
