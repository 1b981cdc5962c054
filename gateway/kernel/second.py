"""Second signatures: ML-DSA-65 (FIPS 204, pure mode), beside Ed25519 in what must hold for decades.

They hold if either of the two algorithms does. Both are made over the same bytes; the context string
(FIPS 204, section 5.2) is the type of the object in ASCII, so that a signature for one purpose is none
for another. Signing is hedged, as the standard recommends: two signatures of one message differ.
"""

from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from gateway.kernel.errors import MalformedError, VerificationError

ALGORITHM = "ML-DSA-65"
PUBLIC_SIZE = 1952  # bytes
SECOND_SIZE = 3309  # bytes of a signature
SEED_SIZE = 32


@dataclass(frozen=True, slots=True)
class SecondKey:
    """The secret half of a second key, held in memory."""

    _key: MLDSA65PrivateKey

    @classmethod
    def generate(cls) -> "SecondKey":
        """Draw a fresh key."""
        return cls(MLDSA65PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "SecondKey":
        """Take the key of a 32-byte *seed* (FIPS 204, algorithm 1). Raises MalformedError."""
        if len(seed) != SEED_SIZE:
            raise MalformedError("an ML-DSA seed has 32 bytes")
        return cls(MLDSA65PrivateKey.from_seed_bytes(seed))

    @property
    def public_key(self) -> bytes:
        """The public key, 1,952 bytes (FIPS 204, algorithm 22)."""
        return self._key.public_key().public_bytes_raw()

    @property
    def seed(self) -> bytes:
        """The secret seed, 32 bytes: to write a key file, and for nothing else."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes, context: bytes) -> bytes:
        """Return the 3,309-byte signature of *message* under *context* (at most 255 bytes)."""
        return self._key.sign(message, context)

    def __repr__(self) -> str:
        return "SecondKey()"


@lru_cache(maxsize=512)  # 2 KB each; to expand one takes as long as to verify with it
def _loaded(public: bytes) -> MLDSA65PublicKey:
    return MLDSA65PublicKey.from_public_bytes(public)


def check_second(public: bytes, message: bytes, signature: bytes, *, context: bytes = b"") -> None:
    """Check an ML-DSA-65 signature of *message*. Raises VerificationError, with no hint why."""
    try:
        _loaded(public).verify(signature, message, context)
    except (InvalidSignature, ValueError):
        raise VerificationError("second signature does not hold") from None
