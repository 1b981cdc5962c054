"""Request tokens: one self-signed EdDSA JWT per request, bound to method, target and body.

Header exactly `{alg: EdDSA, typ: fx-req+jwt, kid: RFC 7638 thumbprint}`; claims exactly `iss` (the
actor's id), `aud`, `iat`, `exp`, `jti`, `htm`, `htu` (raw target with query), `bd` (base64url
SHA-256 of the body). Life at most 120 s, leeway 30 s. That a `jti` is spent only once is the
store's part, and comes last, so that junk cannot fill the table (RFC 8725 for the rest).
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.exchange.directory import Actor, Directory
from gateway.exchange.parse import build
from gateway.exchange.parties import Status, Use
from gateway.kernel.encoding import Json, b64url, canonical_json, parse_json, un_b64url
from gateway.kernel.errors import MalformedError, UnauthorizedError
from gateway.kernel.signing import Signer, thumbprint
from gateway.kernel.time import unix

TYP = "fx-req+jwt"
MAX_LIFE = 120  # seconds
LEEWAY = 30  # seconds
MAX_TOKEN = 4096  # bytes
_JTI = range(16, 65)  # characters
_JWS = jwt.PyJWS(algorithms=["EdDSA"])


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The claims of a token, all of them required and no others allowed."""

    iss: str
    aud: str
    iat: int
    exp: int
    jti: str
    htm: str
    htu: str
    bd: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a token must be bound to. *target* is the raw path with query; *digest* SHA-256 of the body."""

    method: str
    target: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that holds, and whose it is."""

    actor: Actor
    claims: Claims


def make(signer: Signer, *, issuer: str, audience: str, request: Request, now: datetime) -> str:
    """Sign a token for one request, good for 60 s."""
    iat = unix(now)
    claims: dict[str, Json] = {
        "iss": issuer,
        "aud": audience,
        "iat": iat,
        "exp": iat + 60,
        "jti": secrets.token_urlsafe(24),
        "htm": request.method,
        "htu": request.target,
        "bd": b64url(request.digest),
    }
    header: dict[str, Json] = {"alg": "EdDSA", "kid": thumbprint(signer.public_key), "typ": TYP}
    signed = f"{b64url(canonical_json(header))}.{b64url(canonical_json(claims))}"
    return f"{signed}.{b64url(signer.sign(signed.encode('ascii')))}"


def verify(
    token: str, request: Request, *, audience: str, directory: Directory, now: datetime
) -> Verified:
    """Return whose *token* it is. Raises UnauthorizedError with a reason that helps an honest client.

    Not checked here: that the `jti` is fresh.
    """
    verified = verify_but_body(
        token, request.method, request.target, audience=audience, directory=directory, now=now
    )
    _check_body(verified.claims, request.digest)
    return verified


def verify_but_body(
    token: str, method: str, target: str, *, audience: str, directory: Directory, now: datetime
) -> Verified:
    """Return whose *token* it is, while the body it speaks of is still to come.

    Only to decide whether that body is worth reading: act on nothing but `verify`.
    """
    actor, claims = _authentic(token, directory)
    if claims.iss != actor.id:
        raise UnauthorizedError("issuer does not own the key")
    if not actor.key.in_force(now, Status.ACTIVE):
        raise UnauthorizedError("unknown or revoked key")
    _in_time(claims, unix(now))
    _check_target(claims, method, target, audience)
    return Verified(actor, claims)


def _authentic(token: str, directory: Directory) -> tuple[Actor, Claims]:
    if len(token) > MAX_TOKEN:
        raise UnauthorizedError("token too long")
    kid, claims = _parse(token)
    actor = directory.actor(kid)
    if actor is None or actor.key.use is not Use.REQUEST:
        raise UnauthorizedError("unknown or revoked key")
    try:
        # The signature alone: claims are checked below against the given clock, PyJWT would read its own.
        _JWS.decode(token, _public_key(actor.key.raw()), algorithms=["EdDSA"])
    except (jwt.PyJWTError, ValueError):
        raise UnauthorizedError("signature does not hold") from None
    return actor, claims


def _parse(token: str) -> tuple[str, Claims]:
    """Split a compact JWS; refuse any second spelling of it (RFC 7515, section 5.2)."""
    try:
        head, body, signature = token.split(".")
        claims = build(parse_json(un_b64url(body)), Claims)
        un_b64url(signature)
        return _kid(head), claims
    except (MalformedError, ValueError):
        raise UnauthorizedError("token is malformed") from None


@lru_cache(maxsize=1024)  # one client sends the same header with every token
def _kid(head: str) -> str:
    """Return the key that a header names. Raises MalformedError or UnauthorizedError."""
    header = parse_json(un_b64url(head))
    if not isinstance(header, dict) or set(header) != {"alg", "typ", "kid"}:
        raise UnauthorizedError("token header has other members than alg, typ and kid")
    kid = header["kid"]
    if header["alg"] != "EdDSA" or header["typ"] != TYP or not isinstance(kid, str):
        raise UnauthorizedError(f"token header must say alg EdDSA and typ {TYP}")
    return kid


@lru_cache(maxsize=1024)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def _in_time(claims: Claims, now: int) -> None:
    if not 0 < claims.exp - claims.iat <= MAX_LIFE:
        raise UnauthorizedError(f"a token lives at most {MAX_LIFE} s")
    if claims.iat > now + LEEWAY:
        ahead = claims.iat - now
        raise UnauthorizedError(
            f"token is from the future: your clock is {ahead} s ahead; set it and sign anew"
        )
    if claims.exp <= now - LEEWAY:
        raise UnauthorizedError(
            f"token expired {now - claims.exp} s ago: sign anew; if it was just signed, "
            f"your clock is {now - claims.iat} s behind: set it"
        )


def _check_target(claims: Claims, method: str, target: str, audience: str) -> None:
    if claims.aud != audience:
        raise UnauthorizedError("token is for another audience")
    if (claims.htm, claims.htu) != (method, target):
        raise UnauthorizedError("token is for another method or target")
    if len(claims.jti) not in _JTI:
        raise UnauthorizedError("jti has 16 to 64 characters")


def _check_body(claims: Claims, digest: bytes) -> None:
    if not hmac.compare_digest(claims.bd.encode(), b64url(digest).encode()):
        raise UnauthorizedError("token is for another body")
