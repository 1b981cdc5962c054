"""Openings at rest: sealed under a random key per entry and audience, that key under the audience's.

Kept apart from the leaves, so that destroying one small key makes one entry unreadable for one
audience while every proof still verifies (XSalsa20-Poly1305, libsodium secretbox).
"""

import nacl.exceptions
import nacl.secret
import nacl.utils

from gateway.kernel.errors import MalformedError, VerificationError

KEY = 32


def new_key() -> bytes:
    """Draw a key, 32 bytes."""
    return nacl.utils.random(KEY)


def seal(data: bytes, key: bytes) -> bytes:
    """Seal *data*; nonce and ciphertext in one. Raises MalformedError for a key of another size."""
    if len(key) != KEY:
        raise MalformedError(f"a key has {KEY} bytes")
    return bytes(nacl.secret.SecretBox(key).encrypt(data))


def unseal(data: bytes, key: bytes) -> bytes:
    """Open what `seal` made. Raises VerificationError."""
    try:
        return nacl.secret.SecretBox(key).decrypt(data)
    except (nacl.exceptions.CryptoError, ValueError):
        raise VerificationError("sealed data does not open under this key") from None
