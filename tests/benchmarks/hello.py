"""A bare aiohttp application in a process of its own, the peer of a signed read."""

import sys

from aiohttp import web


async def hello(_: web.Request) -> web.Response:
    """Answer."""
    return web.json_response({"hello": "world"})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/", hello)
    web.run_app(
        app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=lambda *_: None
    )
