"""Recipients and identities: X25519 and the post-quantum hybrid, as age defines them.

c2sp.org/age, sections "X25519 recipient stanza" and "ML-KEM-768 + X25519 recipient stanza" (HPKE
base mode with X-Wing, HKDF-SHA256, ChaCha20-Poly1305).
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.envelope import bech32
from gateway.envelope.stanza import Stanza, b64, un_b64
from gateway.kernel.errors import MalformedError

FILE_KEY_SIZE = 16
_WRAPPED_SIZE = FILE_KEY_SIZE + 16
_X25519_INFO = b"age-encryption.org/v1/X25519"
_HYBRID_INFO = b"age-encryption.org/mlkem768x25519"
_ENC_SIZE = 1120
_MLKEM_CIPHERTEXT = 1088
_MLKEM_PUBLIC = 1184
_HYBRID_PUBLIC = 1216
_HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class Suite(StrEnum):
    """How a file key is wrapped. One header is of one suite: a classic stanza would undo the others."""

    PQ = "pq"
    CLASSIC = "classic"


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869), 32 bytes."""
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(key)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key that file keys are wrapped to."""

    suite: Suite
    public: bytes

    def __str__(self) -> str:
        return bech32.encode("age1pq" if self.suite is Suite.PQ else "age", self.public)

    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap *file_key* (16 bytes) under a fresh ephemeral share."""
        return self._hybrid(file_key) if self.suite is Suite.PQ else self._x25519(file_key)

    def _x25519(self, file_key: bytes) -> Stanza:
        ephemeral = x25519.X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(x25519.X25519PublicKey.from_public_bytes(self.public))
        # The zero nonce is safe: the wrap key comes from a fresh share and is used once.
        key = ChaCha20Poly1305(hkdf(shared, share + self.public, _X25519_INFO))
        return Stanza((b"X25519", b64(share)), key.encrypt(bytes(12), file_key, None))

    def _hybrid(self, file_key: bytes) -> Stanza:
        public = hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(self.public[:_MLKEM_PUBLIC]),
            x25519.X25519PublicKey.from_public_bytes(self.public[_MLKEM_PUBLIC:]),
        )
        sealed = _HPKE.encrypt(file_key, public, _HYBRID_INFO)
        return Stanza((b"mlkem768x25519", b64(sealed[:_ENC_SIZE])), sealed[_ENC_SIZE:])


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A secret key that unwraps what was wrapped to its recipient. Its repr shows no secret."""

    suite: Suite
    _secret: bytes

    @property
    def text(self) -> str:
        """The secret in age's spelling: to write a key file, and for nothing else."""
        hrp = "age-secret-key-pq-" if self.suite is Suite.PQ else "age-secret-key-"
        return bech32.encode(hrp, self._secret).upper()

    @property
    def recipient(self) -> Recipient:
        """The public half."""
        if self.suite is Suite.CLASSIC:
            return Recipient(self.suite, self._x25519().public_key().public_bytes_raw())
        kem, share = self._hybrid()
        public = kem.public_key().public_bytes_raw() + share.public_key().public_bytes_raw()
        return Recipient(self.suite, public)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key, or None if the stanza is of another kind or for another key.

        Raises MalformedError for a stanza of this kind that no honest sender makes.
        """
        if self.suite is Suite.PQ:
            return self._unwrap_hybrid(stanza)
        return self._unwrap_x25519(stanza)

    def _unwrap_x25519(self, stanza: Stanza) -> bytes | None:
        if stanza.args[0] != b"X25519":
            return None
        share = _share(stanza, 32)
        secret = self._x25519()
        shared = _exchange(secret, share)
        public = secret.public_key().public_bytes_raw()
        try:
            key = ChaCha20Poly1305(hkdf(shared, share + public, _X25519_INFO))
            return key.decrypt(bytes(12), stanza.body, None)
        except InvalidTag:
            return None

    def _unwrap_hybrid(self, stanza: Stanza) -> bytes | None:
        if stanza.args[0] != b"mlkem768x25519":
            return None
        enc = _share(stanza, _ENC_SIZE)
        kem, share = self._hybrid()
        # HPKE reports every failure as InvalidTag; a low-order share must read as malformed.
        _exchange(share, enc[_MLKEM_CIPHERTEXT:])
        try:
            secret = hpke.MLKEM768X25519PrivateKey(kem, share)
            return _HPKE.decrypt(enc + stanza.body, secret, _HYBRID_INFO)
        except InvalidTag:
            return None

    def _x25519(self) -> x25519.X25519PrivateKey:
        return x25519.X25519PrivateKey.from_private_bytes(self._secret)

    def _hybrid(self) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        """Expand the 32-byte seed as X-Wing does: SHAKE256 to 64 + 32 bytes."""
        expanded = hashlib.shake_256(self._secret).digest(96)
        kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        return kem, x25519.X25519PrivateKey.from_private_bytes(expanded[64:])

    def __repr__(self) -> str:
        return f"Identity({self.suite.value})"


def generate_identity(suite: Suite) -> Identity:
    """Draw a fresh identity."""
    return Identity(suite, secrets.token_bytes(32))


def parse_recipient(text: str) -> Recipient:
    """Read `age1…` or `age1pq1…`. Raises MalformedError."""
    hrp, data = bech32.decode(text)
    suite = {"age": Suite.CLASSIC, "age1pq": Suite.PQ}.get(hrp)
    if suite is None or len(data) != (_HYBRID_PUBLIC if suite is Suite.PQ else 32):
        raise MalformedError("not an age recipient")
    if suite is Suite.PQ:
        _check_kem(data[:_MLKEM_PUBLIC])
    return Recipient(suite, data)


def _check_kem(public: bytes) -> None:
    """Check an encapsulation key by its modulus (FIPS 203, section 7.2), before anything rests on it."""
    try:
        mlkem.MLKEM768PublicKey.from_public_bytes(public)
    except ValueError:
        raise MalformedError("not an age recipient: its ML-KEM key is none") from None


def parse_identity(text: str) -> Identity:
    """Read `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`. Raises MalformedError."""
    hrp, data = bech32.decode(text)
    suite = {"age-secret-key-": Suite.CLASSIC, "age-secret-key-pq-": Suite.PQ}.get(hrp)
    if suite is None or len(data) != 32:
        raise MalformedError("not an age identity")
    return Identity(suite, data)


def _share(stanza: Stanza, size: int) -> bytes:
    if len(stanza.args) != 2 or len(stanza.body) != _WRAPPED_SIZE:
        raise MalformedError("stanza has the wrong form")
    share = un_b64(stanza.args[1])
    if len(share) != size:
        raise MalformedError("stanza share has the wrong size")
    return share


def _exchange(secret: x25519.X25519PrivateKey, share: bytes) -> bytes:
    try:
        return secret.exchange(x25519.X25519PublicKey.from_public_bytes(share))
    except ValueError:  # the all-zero result of a low-order point (RFC 7748, section 6.1)
        raise MalformedError("stanza share is a low-order point") from None
