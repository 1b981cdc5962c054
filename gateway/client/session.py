"""Talking to a gateway: every request signed anew, problems turned back into errors, patient retries."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from gateway.client.profile import KeyFolder
from gateway.exchange import tokens
from gateway.exchange.acts import order_body
from gateway.exchange.parse import decode
from gateway.kernel import errors
from gateway.kernel.encoding import Json, digest_of, parse_json, sha256
from gateway.kernel.signing import Signer

T = TypeVar("T")
_ERRORS: dict[int, type[errors.GatewayError]] = {
    400: errors.MalformedError,
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    413: errors.TooLargeError,
    416: errors.ConflictError,
    422: errors.VerificationError,
}
_TERMS = "/problems/termsunsigned"
_TRIES = 6
_FIRST_PAUSE = 0.2  # seconds, doubled at each try
_USUAL = 5  # seconds: what a gateway that failed for a moment says
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: "dict[str, str]"
    body: bytes

    def json(self) -> dict[str, Json]:
        """Return the body as a JSON object. Raises MalformedError."""
        value = parse_json(self.body)
        if not isinstance(value, dict):
            raise errors.MalformedError("the gateway answered something else than an object")
        return value

    def build(self, kind: type[T]) -> T:
        """Return the body as *kind*."""
        return decode(self.body, kind)


class Session:
    """Signed requests of one actor to one gateway."""

    def __init__(self, folder: KeyFolder, http: aiohttp.ClientSession, signer: Signer) -> None:
        self.folder = folder
        self._http = http
        self._signer = signer

    def order(self, act: object) -> bytes:
        """Return the body that orders *act*, with this actor's second signature if she has one."""
        return order_body(act, self._signer)

    def _token(self, method: str, target: str, body: bytes) -> str:
        return tokens.make(
            self._signer,
            issuer=self.folder.profile.actor,
            audience=self.folder.profile.audience,
            request=tokens.Request(method, target, sha256(body)),
            now=_now(),
        )

    @asynccontextmanager
    async def stream(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request. Raises the error that a problem stands for, UnavailableError offline."""
        url = URL(self.folder.profile.url + target, encoded=True)
        bearer = f"Bearer {self._token(method, target, body)}"
        try:
            async with self._http.request(
                method,
                url,
                data=io.BytesIO(body) if body else None,  # bytes would be copied in one go
                headers={**(headers or {}), "Authorization": bearer},
                allow_redirects=False,
            ) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read(), response.headers)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = type(error).__name__
            raise errors.UnavailableError(f"the gateway does not answer ({reason})") from None

    async def request(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request, again if the gateway was unavailable; every request is safe to repeat."""
        pause = _FIRST_PAUSE
        for attempt in range(_TRIES):
            try:
                async with self.stream(method, target, body, headers) as response:
                    return Reply(response.status, dict(response.headers), await response.read())
            except (errors.UnavailableError, errors.RateLimitedError) as error:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(max(pause, _told(error)))
                pause *= 2
        raise errors.UnavailableError("the gateway does not answer")

    async def get(self, target: str) -> Reply:
        """Read."""
        return await self.request("GET", target)

    async def act(self, target: str, act: object) -> dict[str, Json]:
        """Send an act as a signed order."""
        body = self.order(act)
        return (await self.request("POST", target, body, _JSON)).json()

    async def act_once(
        self, target: str, make: Callable[[], object], *command: str
    ) -> dict[str, Json]:
        """Send the act of a *command*; if an earlier run of it was left without an answer, the same act.

        So a command that is run again after a cut does nothing twice: ids are minted once.
        """

        def body() -> bytes:
            return self.order(make())

        return await self.send_once(target, body, *command)

    async def send_once(
        self, target: str, make: Callable[[], bytes], *command: str
    ) -> dict[str, Json]:
        """Send a body that is kept until it is answered, and sent again as it was by the same *command*."""
        name = f"sent-{digest_of([target, *command])[:32]}"
        body = self.folder.state(name)
        if body is None:
            body = make()
            self.folder.keep(name, body)
        try:
            answer = (await self.request("POST", target, body, _JSON)).json()
        except (errors.UnavailableError, errors.RateLimitedError):
            raise  # nobody knows whether it was done
        except errors.GatewayError:
            self.folder.forget(name)
            raise
        self.folder.forget(name)
        return answer


def _told(error: errors.UnavailableError | errors.RateLimitedError) -> int:
    """Return for how many seconds the gateway asked to wait, if for longer than it usually does."""
    usual = isinstance(error, errors.UnavailableError) and error.retry_after <= _USUAL
    return 0 if usual else min(error.retry_after, 60)


def _now() -> datetime:
    return datetime.now(UTC)


def _clock_hint(headers: Any) -> str:
    """Say by how much this machine's clock differs from the gateway's, if tokens cannot bear it."""
    try:
        theirs = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return ""
    ahead = round((_now() - theirs.replace(tzinfo=UTC)).total_seconds())
    if abs(ahead) < tokens.LEEWAY:
        return ""
    how = f"{ahead} s ahead of" if ahead > 0 else f"{-ahead} s behind"
    return f" (this machine's clock is {how} the gateway's: set it, then try again)"


def _error(status: int, body: bytes, headers: Any) -> errors.GatewayError:
    try:
        value = msgspec.json.decode(body)
        detail, field, about = (str(value.get(name, "")) for name in ("detail", "field", "type"))
    except (msgspec.DecodeError, AttributeError):
        detail = field = about = ""
    detail = detail or f"the gateway answered with status {status}"
    retry = headers.get("Retry-After", "5")
    seconds = int(retry) if retry.isdigit() else 5
    if status == 429:
        return errors.RateLimitedError(detail, retry_after=seconds)
    kind = errors.TermsUnsignedError if about == _TERMS else _ERRORS.get(status)
    if kind is errors.UnauthorizedError:
        return errors.UnauthorizedError(detail + _clock_hint(headers))
    if kind is errors.MalformedError:
        return errors.MalformedError(detail, field=field)
    return kind(detail) if kind else errors.UnavailableError(detail, retry_after=seconds)


@asynccontextmanager
async def connect(folder: KeyFolder) -> AsyncIterator[Session]:
    """Open a session with the keys of *folder*."""
    timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=300)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http:
        yield Session(folder, http, folder.request_signer())
