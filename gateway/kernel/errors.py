"""Every error of the gateway, named for what its caller can do about it.

Messages are lower case, without a full stop, and safe to show: ids, sizes, field and rule names;
never content, keys, tokens, paths or another party. HTTP status and exit code are decided elsewhere.

    GatewayError
    ├── MalformedError      correct the input (names the field) and send it again
    ├── TooLargeError       send less
    ├── VerificationError   a signature, digest or proof does not hold: do not trust the data
    ├── UnauthorizedError   authenticate properly
    ├── ForbiddenError      this actor may not do this, ever
    ├── NotFoundError       there is nothing here for this actor
    ├── ConflictError       the state does not allow it; read it again
    │   └── TermsUnsignedError  an officer of the recipient has to sign the terms first
    ├── RateLimitedError    wait, then try again
    ├── UnavailableError    nothing was done; try again later
    │   └── LockedError         the keyholder is away or locked; what was ordered is finished later
    └── QuarantinedError    the ledger is behind what it once published; a person must decide
"""


class GatewayError(Exception):
    """Anything the gateway refuses to do, with a message that is safe to show."""


class MalformedError(GatewayError):
    """The input has the wrong form.

    *field* names the place in it (a JSON pointer, a header, `file:line`), or is empty.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class TooLargeError(GatewayError):
    """The input exceeds a stated limit."""


class VerificationError(GatewayError):
    """A signature, digest or proof does not hold."""


class UnauthorizedError(GatewayError):
    """The request does not prove who sent it."""


class ForbiddenError(GatewayError):
    """The actor is known and may not do this."""


class NotFoundError(GatewayError):
    """There is nothing under this id for this actor; not yours and not there look alike."""


class ConflictError(GatewayError):
    """The present state does not allow this step; the message says what is possible instead."""


class TermsUnsignedError(ConflictError):
    """The terms of a share are to be signed by an officer of its recipient before anything is served."""


class RateLimitedError(GatewayError):
    """Too many requests; try again after *retry_after* seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(GatewayError):
    """The gateway cannot do this now, and did nothing; try again after *retry_after* seconds."""

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LockedError(UnavailableError):
    """The keyholder cannot wrap now: it is away, or its custodians must unlock it first."""


class QuarantinedError(GatewayError):
    """The ledger is not what it once published: nothing is written until a person has decided."""
