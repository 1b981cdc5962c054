"""Errors carry what their caller needs to act."""

from gateway.kernel.errors import (
    GatewayError,
    MalformedError,
    RateLimitedError,
    UnavailableError,
)


def test_malformed_names_the_field() -> None:
    error = MalformedError("expected text", field="/name")
    assert (str(error), error.field) == ("expected text", "/name")
    assert MalformedError("x").field == ""


def test_waiting_errors_say_how_long() -> None:
    assert RateLimitedError("too many", retry_after=7).retry_after == 7
    assert UnavailableError("busy").retry_after == 5


def test_every_error_is_the_gateways_and_says_what_to_do_about_it() -> None:
    kinds = GatewayError.__subclasses__()
    assert len(kinds) == 10
    assert all(kind.__doc__ for kind in kinds)
