"""How much one actor may ask for: so many requests a minute, so many at once, so many long polls.

Counted only once a token holds, so that nobody uses up what is another's. An authority counts as one,
however many keys and endpoints it has; of the mechanism each person and service counts. Counts are kept
in memory, for this process, and are gone with it.
"""

import math
import time
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from gateway import telemetry
from gateway.exchange.directory import Actor
from gateway.exchange.parties import Kind
from gateway.kernel.errors import RateLimitedError

REQUESTS = 6000  # a minute and actor, all of them at once if need be
AT_ONCE = 32  # requests of one actor that are being answered, downloads and long polls among them
POLLS = 8  # long polls of one actor at once
_ROUNDING = 1e-6  # seconds: sums of floats are not exact
_KEYS = 4096  # actors remembered; more than any directory has, so that only a defect meets it


class Allowance:
    """So many a minute and key, as a bucket: it holds a minute's worth and fills evenly.

    Nobody gets two minutes' worth at the turn of a minute, as a fixed window would allow. Kept for each
    key is one number: when its bucket is full again (the generic cell rate algorithm, ITU-T I.371).
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._each = 60 / per_minute if per_minute else 0.0  # seconds until one more is allowed
        self._now = now
        self._full: dict[str, float] = {}

    def allow(self, key: str) -> bool:
        """Count one more for *key*; False, and it is not counted, if it is one too many."""
        now = self._now()
        full = max(self._full.get(key, now), now) + self._each
        if full - now > 60.0 + _ROUNDING:
            return False
        self._full[key] = full
        if len(self._full) > _KEYS:
            self._forget(now)
        return True

    def used_up(self, key: str) -> bool:
        """Tell whether one more for *key* would be one too many."""
        return self.wait(key) > 0

    def wait(self, key: str) -> float:
        """Return in how many seconds *key* may have one more."""
        now = self._now()
        over = self._full.get(key, now) - now + self._each - 60.0
        return over if over > _ROUNDING else 0.0

    def _forget(self, now: float) -> None:
        """Forget the full buckets, and if there are none, those that will be full the soonest."""
        kept = sorted((full, key) for key, full in self._full.items() if full > now)
        self._full = {key: full for full, key in kept[-_KEYS // 2 :]}


class Limits:
    """The limits of every actor, on one application."""

    def __init__(self, per_minute: int = REQUESTS) -> None:
        self._rate = Allowance(per_minute)
        self._asked: Counter[str] = Counter()
        self._polls: Counter[str] = Counter()

    def admit(self, request: web.Request, actor: Actor) -> None:
        """Count a request of *actor*, once. Raises RateLimitedError if it is one too many."""
        if _WHO in request:
            return
        who = _who(actor)
        if self._asked[who] >= AT_ONCE:
            raise _too_many(
                "requests at once", f"at most {AT_ONCE} requests at once: end some first"
            )
        if not self._rate.allow(who):
            wait = math.ceil(self._rate.wait(who))
            message = f"too many requests: ask again in {wait} s, and more slowly"
            raise _too_many("requests", message, wait)
        self._asked[who] += 1
        request[_WHO] = who

    def poll(self, request: web.Request, actor: Actor) -> None:
        """Count a long poll. Raises RateLimitedError if it is one too many."""
        who = _who(actor)
        if self._polls[who] >= POLLS:
            raise _too_many("polls", f"at most {POLLS} long polls at once: one is enough")
        self._polls[who] += 1
        request[_POLLS] = True

    def leave(self, request: web.Request) -> None:
        """Forget a request that has been answered."""
        who = request.get(_WHO)
        if who is None:
            return
        _less(self._asked, who)
        if _POLLS in request:
            _less(self._polls, who)


_WHO: web.RequestKey[str] = web.RequestKey("who", str)
_POLLS: web.RequestKey[bool] = web.RequestKey("polls", bool)
LIMITS: web.AppKey[Limits] = web.AppKey("limits", Limits)


def _who(actor: Actor) -> str:
    return actor.party.id if actor.party.kind is Kind.AUTHORITY else actor.id


def _less(counts: Counter[str], who: str) -> None:
    counts[who] -= 1
    if not counts[who]:
        del counts[who]


def _too_many(limit: str, message: str, wait: int = 1) -> RateLimitedError:
    telemetry.limited.labels(limit).inc()
    return RateLimitedError(message, retry_after=max(wait, 1))
