"""Instants: aware UTC datetimes inside, RFC 3339 with whole seconds and `Z` in JSON.

Nothing here reads a clock: the core is given the time.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache

from gateway.kernel.errors import MalformedError

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_EXACT = "%Y-%m-%dT%H:%M:%S.%fZ"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@lru_cache(maxsize=4096)  # the terms of keys are read at every request
def instant(text: str) -> datetime:
    """Read `2026-11-23T16:18:00Z`; no other spelling is taken. Raises MalformedError."""
    try:
        moment = datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise MalformedError("expected a time such as 2026-11-23T16:18:00Z") from None
    if spell(moment) != text:
        raise MalformedError("expected a time such as 2026-11-23T16:18:00Z")
    return moment


def spell(moment: datetime) -> str:
    """Write an aware *moment* in UTC, cut to the second."""
    return moment.astimezone(UTC).strftime(_FORMAT)


def exact(moment: datetime) -> str:
    """Write an aware *moment* in UTC with microseconds: the exact time that ledger slots commit to."""
    return moment.astimezone(UTC).strftime(_EXACT)


def exact_instant(text: str) -> datetime:
    """Read what `exact` writes; no other spelling is taken. Raises MalformedError."""
    try:
        moment = datetime.strptime(text, _EXACT).replace(tzinfo=UTC)
    except ValueError:
        raise MalformedError("expected a time with microseconds") from None
    if exact(moment) != text:
        raise MalformedError("expected a time with microseconds")
    return moment


def unix(moment: datetime) -> int:
    """Return whole seconds since 1970, as JWT claims count them (RFC 7519, NumericDate)."""
    return int(moment.timestamp())


def day(text: str) -> date:
    """Read a calendar date such as `2026-11-23`. Raises MalformedError."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:  # 30 February
        pass
    raise MalformedError("expected a date such as 2026-11-23")
