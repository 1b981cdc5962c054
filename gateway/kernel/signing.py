"""Signatures: Ed25519 over JWS general JSON (RFC 7515, section 7.2.1), keys named by RFC 7638.

One container serves everything signed that outlives a request: manifests, receipts, messages,
directory and policy sets. The protected header is not parsed but rebuilt and compared: exactly
`{"alg":"EdDSA","kid":…,"typ":…}` in canonical form, so header tricks have nothing to hold on to.
Each signature has the member `sig2`, the place of an ML-DSA-65 signature over the same bytes, by the
key that the directory pairs with the Ed25519 one; null if there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

import nacl.exceptions
import nacl.signing

from gateway.kernel.encoding import Json, b64url, canonical_json, parse_json, sha256, un_b64url
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.second import SECOND_SIZE, SecondKey, check_second

PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64


class Signer(Protocol):
    """Something that signs with one Ed25519 key, in memory or in a token, and perhaps a second one."""

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of *message* (RFC 8032, pure Ed25519)."""
        ...

    @property
    def second(self) -> SecondKey | None:
        """The key of second signatures that is paired with this one, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A signer that holds its 32-byte seed in memory, and that of its *second* key if it has one."""

    _key: nacl.signing.SigningKey
    second: SecondKey | None = None

    @classmethod
    def generate(cls, *, second: bool = False) -> "KeySigner":
        """Draw a fresh key, with a *second* one or without."""
        key = nacl.signing.SigningKey.generate()
        return cls(key, SecondKey.generate() if second else None)

    @classmethod
    def from_seed(cls, seed: bytes, second: SecondKey | None = None) -> "KeySigner":
        """Take the key of a 32-byte *seed*. Raises MalformedError for another length."""
        if len(seed) != PUBLIC_KEY_SIZE:
            raise MalformedError("an Ed25519 seed has 32 bytes")
        return cls(nacl.signing.SigningKey(seed), second)

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return bytes(self._key.verify_key)

    @property
    def seed(self) -> bytes:
        """The secret seed, 32 bytes: to write a key file, and for nothing else."""
        return bytes(self._key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of *message*."""
        return self._key.sign(message).signature

    def __repr__(self) -> str:
        return f"KeySigner({thumbprint(self.public_key)})"


@dataclass(frozen=True, slots=True)
class Pair:
    """What checks the signatures of one signer who has two keys: Ed25519 (32 bytes) and ML-DSA-65.

    If *due*, what bears the first signature alone does not hold.
    """

    first: bytes
    second: bytes
    due: bool


Keys: TypeAlias = Mapping[str, bytes | Pair]
"""Public keys by thumbprint: raw Ed25519 keys that stand alone, and pairs."""


def own_keys(signer: Signer) -> Keys:
    """Return what checks the signatures of *signer* itself, whether or not they were made twice."""
    public, second = signer.public_key, signer.second
    key = public if second is None else Pair(public, second.public_key, due=False)
    return {thumbprint(public): key}


@lru_cache(maxsize=4096)  # keys are named at every request, and there are few of them
def thumbprint(public_key: bytes) -> str:
    """Return the RFC 7638 thumbprint of an Ed25519 key (RFC 8037, appendix A.3): 43 characters."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": b64url(public_key)}
    return b64url(sha256(canonical_json(dict(members))))


def check_signature(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature. Raises VerificationError, with no hint why."""
    try:
        nacl.signing.VerifyKey(public_key).verify(message, signature)
    except (nacl.exceptions.CryptoError, ValueError, TypeError):
        raise VerificationError("signature does not hold") from None


def signing_input(typ: str, kid: str, payload: bytes) -> bytes:
    """Return the bytes an EdDSA JWS signs (RFC 7515, section 5.1)."""
    header = canonical_json({"alg": "EdDSA", "kid": kid, "typ": typ})
    return f"{b64url(header)}.{b64url(payload)}".encode("ascii")


def sign(typ: str, payload: Json, *signers: Signer) -> bytes:
    """Sign the canonical JSON of *payload*; return the container as canonical JSON bytes."""
    body = canonical_json(payload)
    return canonical_json(
        {"payload": b64url(body), "signatures": [_one(typ, body, s) for s in signers]}
    )


def add_signature(typ: str, container: bytes, signer: Signer) -> bytes:
    """Return *container* with one signature more. Raises MalformedError or VerificationError."""
    body, signatures = _parts(container)
    own = {thumbprint(signer.public_key): signer.public_key}
    others = [s for s in signatures if _kid_of(typ, s, own) is None]
    made = canonical_json(
        {"payload": b64url(body), "signatures": [*others, _one(typ, body, signer)]}
    )
    _parts(made)
    return made


def _one(typ: str, body: bytes, signer: Signer) -> dict[str, Json]:
    kid = thumbprint(signer.public_key)
    message = signing_input(typ, kid, body)
    signature = signer.sign(message)
    second = None if signer.second is None else signer.second.sign(message, typ.encode("ascii"))
    header = canonical_json({"alg": "EdDSA", "kid": kid, "typ": typ})
    return {
        "protected": b64url(header),
        "signature": b64url(signature),
        "sig2": None if second is None else b64url(second),
    }


def verify(
    typ: str, container: bytes, keys: Keys, *, threshold: int = 1
) -> tuple[Json, frozenset[str]]:
    """Return the payload and the thumbprints of the *keys* whose signature of type *typ* holds.

    *keys* maps thumbprint to public key; signatures by other keys count for nothing, but one by a
    known key that does not hold condemns the whole, and so does a second one that does not, that is
    due and missing, or that no key is paired for. Raises MalformedError for another form,
    VerificationError unless at least *threshold* different keys have signed.
    """
    body, signatures = _parts(container)
    held: set[str] = set()
    for signature in signatures:
        kid = _kid_of(typ, signature, keys)
        if kid is not None:
            _check_both(typ, keys[kid], signing_input(typ, kid, body), signature)
            held.add(kid)
    if len(held) < max(threshold, 1):
        raise VerificationError("not signed by enough of the expected keys")
    return parse_json(body), frozenset(held)


def _check_both(typ: str, key: bytes | Pair, message: bytes, signature: Mapping[str, Json]) -> None:
    first = key.first if isinstance(key, Pair) else key
    check_signature(first, message, un_b64url(_text(signature, "signature"), size=SIGNATURE_SIZE))
    text = signature["sig2"]
    check_paired(typ, key, message, text if isinstance(text, str) else None)


def check_paired(context: str, key: bytes | Pair, message: bytes, sig2: str | None) -> None:
    """Check the second signature of *message*, in base64url, for a *key* whose first one holds.

    *context* is the object's type. Raises MalformedError for another form, VerificationError for one
    that does not hold, that is due and missing, or that stands where no second key is paired.
    """
    if not isinstance(key, Pair):
        if sig2 is not None:
            raise VerificationError("a second signature by a key that is paired with none")
    elif sig2 is not None:
        raw = un_b64url(sig2, size=SECOND_SIZE)
        check_second(key.second, message, raw, context=context.encode("ascii"))
    elif key.due:
        raise VerificationError("the second signature is due and missing")


def unverified_payload(container: bytes) -> Json:
    """Return the payload without checking who signed it: to find the keys to check it with."""
    return parse_json(_parts(container)[0])


def _kid_of(typ: str, signature: dict[str, Json], keys: Keys) -> str | None:
    protected = _text(signature, "protected")
    for kid in keys:
        if b64url(canonical_json({"alg": "EdDSA", "kid": kid, "typ": typ})) == protected:
            return kid
    return None


def _parts(container: bytes) -> tuple[bytes, list[dict[str, Json]]]:
    """Split a container. A changed order of members or white space is another spelling: refused."""
    value = parse_json(container)
    if not isinstance(value, dict) or set(value) != {"payload", "signatures"}:
        raise MalformedError("not a signed object")
    signatures = value["signatures"]
    if not isinstance(signatures, list) or not 0 < len(signatures) <= 16:
        raise MalformedError("a signed object has 1 to 16 signatures", field="/signatures")
    found: list[dict[str, Json]] = []
    for signature in signatures:
        if not isinstance(signature, dict) or set(signature) != {"protected", "signature", "sig2"}:
            raise MalformedError("not a signature", field="/signatures")
        if signature["sig2"] is not None and not isinstance(signature["sig2"], str):
            raise MalformedError("not a signature", field="/signatures/sig2")
        found.append(signature)
    if canonical_json(value) != container:
        raise MalformedError("a signed object is canonical JSON")
    return un_b64url(_text(value, "payload")), found


def _text(value: Mapping[str, Json], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise MalformedError("expected text", field=f"/{name}")
    return text
