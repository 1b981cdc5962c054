"""From a request to who sent it: body within limits, token, and for reads a token spent."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web

from gateway.exchange import tokens
from gateway.exchange.acts import Order
from gateway.kernel.errors import (
    GatewayError,
    MalformedError,
    QuarantinedError,
    RateLimitedError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from gateway.kernel.time import unix
from gateway.web.limits import LIMITS, Allowance
from gateway.web.threads import Threads
from gateway.workflows.gateway import Gateway, Signed, refuse

GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
EXECUTOR: web.AppKey[ThreadPoolExecutor] = web.AppKey("executor", ThreadPoolExecutor)
READERS: web.AppKey[Threads] = web.AppKey("readers", Threads)
MAX_BODY = 8 << 20  # bytes
BODY_SECONDS = 120  # for a whole body, however slowly it drips

P = ParamSpec("P")
T = TypeVar("T")


async def run(request: web.Request, work: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    """Run blocking work in the bounded executor."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(request.app[EXECUTOR], lambda: work(*args, **kw))


async def run_quick(request: web.Request, work: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    """Run a statement or two, where no long work stands before them, and few threads stay warm."""
    return await request.app[READERS].run(lambda: work(*args, **kw))


async def read_body(request: web.Request, limit: int = MAX_BODY) -> bytes:
    """Read a body of at most *limit* bytes. Raises TooLargeError or MalformedError."""
    if request.headers.get("Content-Encoding"):
        raise MalformedError("send the body without content encoding", field="Content-Encoding")
    if "Transfer-Encoding" in request.headers:
        # Chunks bring extensions and trailers without a limit, and a second notion of length.
        raise MalformedError("state the length of a body", field="Transfer-Encoding")
    if request.content_length is not None and request.content_length > limit:
        raise TooLargeError(f"a body has at most {limit} bytes")
    if limit:
        _announced(request)
    if not request.body_exists:
        return b""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > limit:
                    raise TooLargeError(f"a body has at most {limit} bytes")
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(data)


def authenticate(request: web.Request, body: bytes, *, keep_body: bool = True) -> Signed:
    """Return who signed this very request. Raises UnauthorizedError."""
    token = _bearer(request)
    gateway = request.app[GATEWAY]
    digest = hashlib.sha256(body).digest()
    order = Order(token, request.method, request.raw_path, body if keep_body else b"", digest)
    by = gateway.sets.directory
    with _counted(gateway):
        verified = tokens.verify(
            token,
            order.request,
            audience=gateway.audience,
            directory=by,
            now=gateway.now(),
        )
    request.app[LIMITS].admit(request, verified.actor)
    return Signed(verified.actor, order, verified.claims, by.number)


def _announced(request: web.Request) -> None:
    """Check all of a token but the digest of a body that is still to come.

    Else anyone could have us hold a body in memory for each connection.
    """
    gateway = request.app[GATEWAY]
    with _counted(gateway):
        verified = tokens.verify_but_body(
            _bearer(request),
            request.method,
            request.raw_path,
            audience=gateway.audience,
            directory=gateway.sets.directory,
            now=gateway.now(),
        )
    request.app[LIMITS].admit(request, verified.actor)


@contextmanager
def _counted(gateway: Gateway) -> Iterator[None]:
    """Count what does not prove who sent it: one entry a minute says how many there were."""
    try:
        yield
    except UnauthorizedError:
        gateway.unauthenticated += 1
        raise


async def authenticate_read(request: web.Request) -> Signed:
    """Authenticate a request that changes nothing. Its token is not spent: `spent` does that."""
    return authenticate(request, await read_body(request, limit=0))


async def reader(request: web.Request) -> Signed:
    """Authenticate a request that changes nothing, and spend its token."""
    signed = await authenticate_read(request)
    await run_quick(request, spend, request.app[GATEWAY], signed)
    return signed


async def read(
    request: web.Request,
    work: Callable[Concatenate[Gateway, Signed, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    """Authenticate a request that changes nothing, spend its token and do *work*."""
    signed = await authenticate_read(request)
    return await run(request, lambda: spent(request.app[GATEWAY], signed, work, *args, **kw))


def spend(gateway: Gateway, signed: Signed) -> None:
    """Spend the token of a read. Raises UnauthorizedError if it was spent before."""
    claims = signed.claims
    fresh = gateway.replay.spend(
        claims.iss,
        claims.jti,
        issued=claims.iat,
        expires=claims.exp + tokens.LEEWAY,
        now=unix(gateway.now()),
    )
    if not fresh:
        raise UnauthorizedError("token was spent before")


def spent(
    gateway: Gateway,
    signed: Signed,
    work: Callable[Concatenate[Gateway, Signed, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    """Spend the token, and only then do *work*: both in one go of the executor."""
    spend(gateway, signed)
    return work(gateway, signed, *args, **kw)


async def act(
    request: web.Request,
    workflow: Callable[..., T],
    *args: object,
    status: int = 200,
    limit: int = MAX_BODY,
) -> web.Response:
    """Authenticate an order and perform *workflow* on it; record what it refuses before its work."""
    body = await read_body(request, limit)
    signed = authenticate(request, body)
    answer = await performed(request, signed, workflow, *args)
    return web.json_response(answer, status=status, headers={"Cache-Control": "no-store"})


async def performed(
    request: web.Request, signed: Signed, workflow: Callable[..., T], *args: object
) -> T:
    """Run a workflow; a signed request that it refuses is recorded, unless it has done so itself.

    Every refusal makes an entry, so a key has only so many of them a minute. Raises RateLimitedError.
    """
    gateway, kid = request.app[GATEWAY], signed.actor.key.kid
    if request.app[REFUSALS].used_up(kid):
        raise RateLimitedError("too many refused requests: find out why first", retry_after=60)
    try:
        return await run(request, workflow, gateway, signed, *args)
    except (UnavailableError, QuarantinedError):
        raise
    except GatewayError as error:
        request.app[REFUSALS].allow(kid)
        await run(request, refuse, gateway, signed, error)
        raise


REFUSALS: web.AppKey[Allowance] = web.AppKey("refusals", Allowance)
SMALL_RANGES: web.AppKey[Allowance] = web.AppKey("small_ranges", Allowance)


def _bearer(request: web.Request) -> str:
    found = request.headers.getall("Authorization", [])
    if len(found) != 1 or not found[0].startswith("Bearer "):
        raise UnauthorizedError("send exactly one Authorization: Bearer header")
    return found[0].removeprefix("Bearer ")


def number(request: web.Request, name: str, default: int, highest: int) -> int:
    """Return a whole number from the query. Raises MalformedError."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) > highest:
        raise MalformedError(f"{name} is a number from 0 to {highest}", field=name)
    return int(text)
