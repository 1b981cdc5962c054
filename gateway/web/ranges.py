"""Range requests (RFC 9110, section 14), one range at a time."""

import re
from dataclasses import dataclass

from aiohttp import web

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes [first, end) of a representation; *partial* if the client asked for a part."""

    first: int
    end: int
    partial: bool


def parse_range(request: web.Request, size: int, etag: str) -> Range | None:
    """Return what to send, or None if the range cannot be satisfied.

    A stale or weak If-Range asks for the whole (section 13.1.5). Several ranges, and what is not a
    range of bytes, are not satisfied: guessing would send evidence nobody asked for.
    """
    text = request.headers.get("Range")
    condition = request.headers.get("If-Range")
    if text is None or (condition is not None and condition != etag):
        return Range(0, size, partial=False)
    match = _RANGE.fullmatch(text)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start = max(size - int(last), 0)
        return Range(start, size, partial=True) if int(last) else None
    end = min(int(last) + 1, size) if last else size
    return Range(int(first), end, partial=True) if int(first) < end else None
