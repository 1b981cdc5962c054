"""RFC 9457 problems: the only place that knows both errors and HTTP. Anything else is a bare 500."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp import web
from sqlalchemy.exc import DBAPIError

from gateway import telemetry
from gateway.kernel import errors

STATUS: dict[type[errors.GatewayError], HTTPStatus] = {
    errors.MalformedError: HTTPStatus.BAD_REQUEST,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.VerificationError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.TermsUnsignedError: HTTPStatus.CONFLICT,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.QuarantinedError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status_of(error: errors.GatewayError) -> HTTPStatus:
    """Return the status of an error, or of what it is a kind of."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: errors.GatewayError) -> web.Response:
    """Answer an error as `application/problem+json`."""
    status = status_of(error)
    name = next(kind.__name__ for kind in type(error).__mro__ if kind in STATUS)
    body = {
        "type": f"/problems/{name.removesuffix('Error').lower()}",
        "title": status.phrase,
        "status": status.value,
        "detail": str(error),
    }
    if isinstance(error, errors.MalformedError) and error.field:
        body["field"] = error.field
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, errors.RateLimitedError | errors.UnavailableError):
        headers["Retry-After"] = str(error.retry_after)
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return web.json_response(
        body, status=status.value, content_type="application/problem+json", headers=headers
    )


def plain_problem(
    status: int, more: Mapping[str, str] | None = None, *, detail: str = ""
) -> web.Response:
    """Answer a status that the framework raised, in the same form; *more* are headers that go with it."""
    phrase = HTTPStatus(status).phrase
    said = detail or phrase.lower()
    body = {"type": "about:blank", "title": phrase, "status": status, "detail": said}
    return web.json_response(
        body,
        status=status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(more or {})},
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into problems; log a defect once, here, without its values."""
    if "%" in request.raw_path.partition("?")[0]:
        # No path of ours needs it, and a proxy's rules must not see another path than we do.
        return plain_problem(404)
    try:
        response = await handler(request)
    except errors.GatewayError as error:
        if isinstance(error, errors.UnauthorizedError):
            telemetry.unauthenticated.inc()
        response = problem(error)
    except web.HTTPMethodNotAllowed as error:  # which says what is (RFC 9110, section 15.5.6)
        response = plain_problem(error.status, {"Allow": error.headers["Allow"]})
    except web.HTTPException as error:
        response = plain_problem(error.status)
    except (ConnectionError, TimeoutError):
        raise
    except DBAPIError as error:
        _log.error("database_failed", defect=type(error).__name__)
        response = problem(errors.UnavailableError("the database failed; try again"))
    except Exception as error:
        _log.error("request_failed", defect=type(error).__name__, exc_info=True)
        response = plain_problem(500)
    return response
