"""What stands before the keyholder's unlocking secret: a passphrase, or custodians *k* of *n*.

The unlocking secret is 32 random bytes; every key file of the keyholder is sealed under it. Shamir's
sharing (over GF(2^128), by pycryptodome) takes 16 bytes, so the two halves are shared apart, under the
same numbers. The sharing itself does not notice a wrong share. So each share is sealed with what it
is a share of, names its set, and what a set yields must fit the digest that the guard keeps.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from Crypto.Protocol.SecretSharing import Shamir

from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import Json, b64url, canonical_json, digest_of, sha256, un_b64url
from gateway.kernel.errors import ConflictError, MalformedError, VerificationError
from gateway.keyfiles import MODERATE, SealedSecret, Work, seal_secret, unseal_secret

SECRET = 32
MOST = 16
"""The most custodians of a set."""

_HALF = 16
_LABEL = b"evidence-gateway/keyholder/unlocking\x00"


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the unlocking secret is kept: *sealed* under one passphrase, or shared among *custodians*.

    *set* names this secret and its shares, *digest* is SHA-256 over it, base64url.
    """

    set: str
    digest: str
    k: int
    custodians: tuple[str, ...] = ()
    sealed: SealedSecret | None = None

    def __post_init__(self) -> None:
        if (self.sealed is None) is not bool(self.custodians):
            raise ValueError("a guard is either a passphrase or custodians")
        if not 1 <= self.k <= max(len(self.custodians), 1) <= MOST:
            raise ValueError(f"k is between 1 and the number of custodians, at most {MOST}")

    @property
    def n(self) -> int:
        """How many custodians there are, 0 for a passphrase."""
        return len(self.custodians)


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custodian's share file. *digest* is over all other members: it tells damage from a wrong phrase."""

    v: Literal[1]
    kind: Literal["keyholder-share"]
    set: str
    custodian: str
    index: int
    k: int
    n: int
    sealed: SealedSecret
    digest: str


class _Inside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the box: the share, and what it is a share of, so that no outside can be put around it."""

    set: str
    custodian: str
    index: int
    k: int
    n: int
    share: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A share that its custodian has opened: 32 bytes, the shares of both halves."""

    set: str
    custodian: str
    index: int
    value: bytes = field(repr=False)


def new_secret() -> bytearray:
    """Draw an unlocking secret, 32 bytes that can be wiped."""
    return bytearray(secrets.token_bytes(SECRET))


def wipe(secret: bytearray) -> None:
    """Overwrite a secret. Copies that Python made of it stay until their memory is used again."""
    secret[:] = bytes(len(secret))


def by_passphrase(secret: bytearray, passphrase: str, work: Work = MODERATE) -> Guard:
    """Put a secret under one passphrase."""
    name = _name()
    return Guard(name, _digest(name, secret), 1, (), seal_secret(bytes(secret), passphrase, work))


def by_custodians(
    secret: bytearray, k: int, phrases: Sequence[tuple[str, str]], work: Work = MODERATE
) -> tuple[Guard, list[bytes]]:
    """Share a secret among custodians, given as name and passphrase; return their share files too.

    Any *k* of them open it, fewer learn nothing. Raises MalformedError unless names differ and
    2 ≤ k ≤ n ≤ 16: with a single one it would be a passphrase.
    """
    names = tuple(name for name, _ in phrases)
    if not 2 <= k <= len(names) <= MOST:
        raise MalformedError(f"k of n: k is at least 2, n at least k and at most {MOST}")
    if len({*names}) != len(names) or not all(_NAME.fullmatch(name) for name in names):
        raise MalformedError("custodians have names of their own, of letters, digits, dot and dash")
    name = _name()
    halves = [Shamir.split(k, len(names), bytes(secret[at : at + _HALF])) for at in (0, _HALF)]
    files = []
    for (index, first), (_, second), (custodian, phrase) in zip(*halves, phrases, strict=True):
        inside = _Inside(name, custodian, index, k, len(names), b64url(first + second))
        box = seal_secret(canonical_json(plain(inside)), phrase, work)
        clear: dict[str, Json] = {
            "v": 1, "kind": "keyholder-share", "set": name, "custodian": custodian,
            "index": index, "k": k, "n": len(names), "sealed": plain(box),
        }  # fmt: skip
        files.append(canonical_json({**clear, "digest": digest_of(clear)}) + b"\n")
    return Guard(name, _digest(name, secret), k, names), files


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}", re.ASCII)


def read_share(data: bytes) -> Share:
    """Read a share file. Raises MalformedError if it is none, or was damaged."""
    share = decode(data.strip(), Share)
    clear = {key: value for key, value in plain(share).items() if key != "digest"}
    if share.digest != digest_of(clear):
        raise MalformedError("the share file is damaged: use another copy of it")
    return share


def open_share(guard: Guard, data: bytes, passphrase: str) -> Opened:
    """Open a custodian's share of the set that *guard* stands for.

    Raises MalformedError for a damaged file, VerificationError for a share of another set or a
    passphrase that does not open it, ConflictError if no shares are used.
    """
    if not guard.custodians:
        raise ConflictError("this keyholder is unlocked by a passphrase, not by shares")
    share = read_share(data)
    if share.set != guard.set:
        raise VerificationError("the share is of another set: a newer one was made since")
    try:
        inside = decode(unseal_secret(share.sealed, passphrase), _Inside)
    except VerificationError:
        message = f"the passphrase does not open the share of {share.custodian}"
        raise VerificationError(message) from None
    value = un_b64url(inside.share, size=SECRET)
    said = _Inside(share.set, share.custodian, share.index, share.k, share.n, inside.share)
    if said != inside or (inside.k, inside.n) != (guard.k, guard.n):
        raise VerificationError("the share file says something else than the share in it")
    return Opened(inside.set, inside.custodian, inside.index, value)


def combine(guard: Guard, shares: Sequence[Opened]) -> bytearray:
    """Return the unlocking secret that *k* shares of one set yield.

    Raises ConflictError while there are fewer, VerificationError if they do not yield it.
    """
    distinct = {share.index: share for share in shares}
    if len(distinct) < guard.k:
        raise ConflictError(f"{len(distinct)} of {guard.k} shares were handed in")
    chosen = [distinct[index] for index in sorted(distinct)][: guard.k]
    if any(share.set != guard.set for share in chosen):
        raise VerificationError("the shares are not of one set")
    halves = [
        Shamir.combine([(share.index, share.value[at : at + _HALF]) for share in chosen])
        for at in (0, _HALF)
    ]
    secret = bytearray(b"".join(halves))
    check(guard, secret)
    return secret


def open_passphrase(guard: Guard, passphrase: str) -> bytearray:
    """Return the unlocking secret. Raises VerificationError for another passphrase."""
    if guard.sealed is None:
        raise ConflictError(f"this keyholder is unlocked by {guard.k} of {guard.n} custodians")
    try:
        secret = bytearray(unseal_secret(guard.sealed, passphrase))
    except VerificationError:
        raise VerificationError("the passphrase does not open the keyholder") from None
    check(guard, secret)
    return secret


def check(guard: Guard, secret: bytearray) -> None:
    """Check that this is the secret of *guard*. Raises VerificationError."""
    if not hmac.compare_digest(_digest(guard.set, secret), guard.digest):
        raise VerificationError("this is not the unlocking secret of this keyholder")


def _name() -> str:
    return b64url(secrets.token_bytes(12))


def _digest(name: str, secret: bytearray) -> str:
    # Of 32 random bytes a digest tells nothing that could be searched for.
    return b64url(sha256(_LABEL + name.encode() + b"\x00" + bytes(secret)))
