"""The HTTP server: the public application, and the admin one on a port of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import lru_cache

import aiohttp.http
from aiohttp import web, web_response
from prometheus_client import Counter, Histogram, generate_latest

from gateway import telemetry
from gateway.kernel.errors import UnavailableError
from gateway.store.engine import reachable
from gateway.web.api import (
    about,
    facts,
    inbox,
    keys,
    overview,
    policy,
    review,
    rfas,
    shares,
    uploads,
    withheld,
)
from gateway.web.auth import EXECUTOR, GATEWAY, READERS, REFUSALS, SMALL_RANGES
from gateway.web.limits import LIMITS, REQUESTS, Allowance, Limits
from gateway.web.openapi.document import spelled
from gateway.web.polls import BELL, Bell
from gateway.web.problems import Handler, problems
from gateway.web.threads import Threads
from gateway.workflows.gateway import Gateway

_THREADS = 24
_READERS = {"sqlite": 1, "postgresql": 8}
"""Threads for quick reads. SQLite's file of spent tokens has one lock: a second thread would wait for
it, and waking now one thread, now another costs more than the read. PostgreSQL is waited for."""
_SMALL_RANGES = 60  # a minute and key
_REFUSALS = 300  # a minute and key
DRAINING: web.AppKey[asyncio.Event] = web.AppKey("draining", asyncio.Event)
SAME_VOLUME: web.AppKey[bool] = web.AppKey("same_volume", bool)


def check_parser() -> None:
    """Raise UnavailableError without aiohttp's C parser, whose substitute has had smuggling faults."""
    if aiohttp.http.HttpRequestParser.__module__.endswith("http_parser"):
        python = getattr(aiohttp.http_parser, "HttpRequestParserPy", None)
        if aiohttp.http.HttpRequestParser is python:
            raise UnavailableError("aiohttp runs without its C parser: unset AIOHTTP_NO_EXTENSIONS")


def make_app(gateway: Gateway, requests_per_minute: int = REQUESTS) -> web.Application:
    """Return the public application."""
    app = web.Application(middlewares=[_measured, problems])
    app[GATEWAY] = gateway
    app[LIMITS] = Limits(requests_per_minute)
    app[REFUSALS] = Allowance(_REFUSALS)
    app[SMALL_RANGES] = Allowance(_SMALL_RANGES)
    for module in (
        uploads,
        shares,
        rfas,
        withheld,
        facts,
        inbox,
        overview,
        policy,
        review,
        keys,
        about,
    ):
        app.add_routes(module.routes)
    app[about.DOCUMENT] = spelled(tuple(routes_of(app)))
    app.cleanup_ctx.append(_running)
    # Nobody is told which versions run here, not even where aiohttp answers before any code of ours.
    web_response.SERVER_SOFTWARE = "gateway"  # type: ignore[attr-defined]
    return app


def routes_of(app: web.Application) -> list[tuple[str, str]]:
    """Return method and path template of every route."""
    routes = ((route.method, route.resource) for route in app.router.routes())
    return [(method, found.canonical) for method, found in routes if found is not None]


def make_admin(gateway: Gateway, *, same_volume: bool) -> web.Application:
    """Return the admin application: liveness, readiness, metrics."""
    app = web.Application()
    app[GATEWAY] = gateway
    app[SAME_VOLUME] = same_volume
    app[DRAINING] = asyncio.Event()
    app.add_routes(
        [web.get("/livez", _livez), web.get("/readyz", _readyz), web.get("/metrics", _metrics)]
    )
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    async with _executor(app):
        yield


@asynccontextmanager
async def _executor(app: web.Application) -> AsyncIterator[None]:
    app[EXECUTOR] = ThreadPoolExecutor(_THREADS, thread_name_prefix="work")
    readers = _READERS[app[GATEWAY].engine.dialect.name]
    app[READERS] = Threads(readers)
    app[BELL] = Bell()
    app[GATEWAY].writer.on_commit(app[BELL].ring)
    yield
    app[READERS].close()
    app[EXECUTOR].shutdown(wait=True)


@web.middleware
async def _measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count by route template, never by path: paths hold ids."""
    begun = time.perf_counter()
    try:
        response = await handler(request)
    finally:
        request.app[LIMITS].leave(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    method = request.method if request.method in _METHODS else "other"
    count, duration = _metrics_of(route, method, response.status)
    count.inc()
    duration.observe(time.perf_counter() - begun)
    return response


@lru_cache(maxsize=1024)  # there are as many as routes, methods and statuses allow
def _metrics_of(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return telemetry.requests.labels(route, method, status), telemetry.duration.labels(route)


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


async def _livez(_: web.Request) -> web.Response:
    return web.json_response({"live": True})


async def _readyz(request: web.Request) -> web.Response:
    gateway = request.app[GATEWAY]
    database = await asyncio.to_thread(reachable, gateway.engine)
    problems_found = [
        name
        for name, bad in (
            ("database does not answer", not database),
            (f"quarantine: {gateway.quarantine}", gateway.quarantine is not None),
            ("no policy set in force: everything is denied", gateway.sets.policy is None),
            ("directory has expired", gateway.sets.directory.expired(gateway.now())),
            ("draining", request.app[DRAINING].is_set()),
        )
        if bad
    ]
    warnings = [f"release of {share} is stuck: {why}" for share, why in gateway.stuck.items()]
    if gateway.keyholder_trouble is not None:
        warnings.append(f"keyholder: {gateway.keyholder_trouble}")
    warnings += [
        f"what lies in the folder is not in force: {why}" for why in gateway.refused.values()
    ]
    if request.app[SAME_VOLUME]:
        warnings.append("the ledger head's copy lies on the same volume")
    body = {"ready": not problems_found, "problems": problems_found, "warnings": warnings}
    return web.json_response(body, status=503 if problems_found else 200)


async def _metrics(request: web.Request) -> web.Response:
    telemetry.quarantined.set(request.app[GATEWAY].quarantine is not None)
    return web.Response(body=generate_latest(telemetry.registry), content_type="text/plain")
