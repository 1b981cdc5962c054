"""The life of an envelope key: one table, what to do next with a key, and what a new directory may not undo.

A key's status stands in the directory, which its custodians sign. A key that was not there from the
beginning is moreover *introduced*: its owner has opened a challenge with it, and two persons have said
that it is his (`key_acts`). Nothing is wrapped to a key before.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from gateway.exchange import life
from gateway.exchange.directory import Directory
from gateway.exchange.parties import Key, Member, Status, Use
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import MalformedError
from gateway.kernel.time import instant

SOON = timedelta(days=60)
"""How long before its end a key wants a successor."""


class Step(StrEnum):
    """What can happen to a key."""

    ENTER = "enter"
    ACTIVATE = "activate"
    RETIRE = "retire"
    REVOKE = "revoke"


TRANSITIONS: Mapping[tuple[Status | None, Step], Status] = MappingProxyType(
    {
        (None, Step.ENTER): Status.NEXT,
        (Status.NEXT, Step.ACTIVATE): Status.ACTIVE,
        (Status.ACTIVE, Step.RETIRE): Status.RETIRED,
        (Status.NEXT, Step.REVOKE): Status.REVOKED,
        (Status.ACTIVE, Step.REVOKE): Status.REVOKED,
        (Status.RETIRED, Step.REVOKE): Status.REVOKED,
    }
)


def advance(status: Status | None, step: Step) -> Status:
    """Return the status after *step*. Raises ConflictError that says what is possible instead."""
    return life.advance(TRANSITIONS, status, step, "a key")


def fingerprint(key: Key) -> str:
    """Return what people read to each other: the thumbprint of a signing key, the SHA-256 of an age key."""
    return key.kid if key.alg == "Ed25519" else kid_digest(key.kid)


def kid_digest(kid: str) -> str:
    """Return the hex SHA-256 of an age recipient's text: the name of an envelope key where its text is long."""
    return hex_sha256(kid.encode())


def check_succession(before: Directory, after: Directory) -> None:
    """Check that no key comes back in a new directory: a revoked or retired one stays what it is, or goes.

    Raises MalformedError that names the first such key.
    """
    gone = {Status.REVOKED: {Status.REVOKED}, Status.RETIRED: {Status.RETIRED, Status.REVOKED}}
    for kid, was in before.actors().items():
        now = after.actor(kid)
        if now is not None and now.key.status not in gone.get(was.key.status, {*Status}):
            raise MalformedError(
                f"key {fingerprint(was.key)[:16]} was {was.key.status.value} and cannot become "
                f"{now.key.status.value}: enter a new key"
            )


def advice(member: Member, key: Key, now: datetime, *, introduced: bool | None) -> str:
    """Return what to do next about a key, in words for its keepers; empty if there is nothing.

    *introduced* is None where that is not known: in the directory's files.
    """
    left = instant(key.not_after) - now
    reasons = (
        (key.status in (Status.RETIRED, Status.REVOKED), ""),
        (left <= timedelta(0), "has ended: enter a new one"),
        (
            key.use is Use.ENVELOPE and introduced is False,
            "not introduced: gateway keys challenge, prove, confirm (two persons)",
        ),
        (key.status is Status.NEXT, "next: gateway keys activate, once its owner has it in use"),
        (_has_successor(member.keys, key, now), "has a successor: gateway keys retire, in time"),
        (left < SOON, f"ends in {left.days} days: {_RENEW.get(key.use, 'enter a new one')}"),
    )
    return next((says for holds, says in reasons if holds), "")


_RENEW = {Use.ENVELOPE: "its owner runs gateway keys rotate-envelope"}


def _has_successor(keys: Iterable[Key], key: Key, now: datetime) -> bool:
    same = (k for k in keys if (k.use, k.alg) == (key.use, key.alg) and k != key)
    return any(
        k.in_force(now, Status.NEXT, Status.ACTIVE) and k.not_before > key.not_before for k in same
    )
