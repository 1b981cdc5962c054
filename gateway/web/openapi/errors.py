"""The errors of the document: what each status means, and the headers that answers carry."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from gateway.web.openapi.schemas import ref

MEANING: Mapping[int, str] = {
    400: "The request has the wrong form: correct it. `field` names the place.",
    401: "The token does not prove who sent this request: `detail` says why. Sign a new one.",
    403: "This actor may not do this.",
    404: "There is nothing here for this actor; not yours and not there look alike.",
    408: "The body took longer than 120 s.",
    409: "The present state does not allow it: read it again. `detail` says what is possible.",
    413: "The body is too large: a part or act has at most 8 MiB, a request that reads none.",
    416: "The range cannot be satisfied. Several ranges at once cannot.",
    422: "A signature or digest does not hold.",
    429: "Too many: wait for `Retry-After`.",
    503: (
        "Nothing was done: try again after `Retry-After`. Or the ledger is in quarantine "
        "(`/problems/quarantined`): then a person must decide first."
    ),
}
"""What each error status means for who gets it."""

_PROBLEM = "application/problem+json"
_CONTENT_RANGE = r"^bytes ([0-9]+-[0-9]+|\*)/[0-9]+$"


def _header(text: str, schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"description": text, "required": required, "schema": schema}


_DIGITS: dict[str, Any] = {"type": "integer", "minimum": 0}
HEADERS: Mapping[str, dict[str, Any]] = {
    "Cache-Control": _header("No answer is kept on its way.", {"const": "no-store"}),
    "Location": _header("Where the upload is.", {"type": "string", "pattern": "^/v1/uploads/upl_"}),
    "Tus-Resumable": _header("The version of tus.", {"const": "1.0.0"}),
    "Upload-Offset": _header("How many bytes are durable.", _DIGITS),
    "Upload-Length": _header("The upload's size in bytes.", _DIGITS),
    "ETag": _header(
        "A strong validator: half of the header's digest, half of the body's.",
        {"type": "string", "pattern": '^"[0-9a-f]{64}"$'},
    ),
    "Accept-Ranges": _header("Ranges are of bytes.", {"const": "bytes"}),
    "Content-Disposition": _header("Never to be shown by a browser.", {"const": "attachment"}),
    "Content-Range": _header(
        "What was sent of it, and its size.", {"type": "string", "pattern": _CONTENT_RANGE}
    ),
    "WWW-Authenticate": _header("A token is asked for.", {"const": "Bearer"}),
    "Retry-After": _header("Seconds to wait.", _DIGITS, required=False),
}
"""Every header that answers carry, by name."""

_MORE: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    416: ("Content-Range", "ETag", "Accept-Ranges"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def responses() -> dict[str, Any]:
    """Return the answer to each error status, by the name of the status."""
    return {_name(status): _response(status, text) for status, text in MEANING.items()}


def errors_of(statuses: Iterable[int]) -> dict[str, Any]:
    """Refer to the answers to these statuses."""
    return {str(one): {"$ref": f"#/components/responses/{_name(one)}"} for one in statuses}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _response(status: int, text: str) -> dict[str, Any]:
    names = ("Cache-Control", *_MORE.get(status, ()))
    return {
        "description": text,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {_PROBLEM: {"schema": ref("Problem")}},
    }
