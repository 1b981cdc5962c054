"""Key files: secret keys on disk, mode 0600, sealed under a passphrase unless told otherwise.

JSON: `{v, kind, public, secret}` in clear, or `{v, kind, public, sealed: {ops, mem, salt, box}}` with
Argon2id and XSalsa20-Poly1305 (libsodium). Files that others may read are refused.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import nacl.exceptions
import nacl.secret
import nacl.utils
from nacl.pwhash import argon2id

from gateway.envelope import Identity, Suite, generate_identity, parse_identity
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import b64url, canonical_json, un_b64url
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.signing import KeySigner

Kind = Literal["ed25519", "age", "symmetric"]
PASSPHRASE = "GATEWAY_PASSPHRASE"  # noqa: S105 - a name, no secret
"""The environment variable that brings the passphrase of sealed key files."""


class SealedSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret under a passphrase: Argon2id parameters (libsodium's units) and the box."""

    ops: int
    mem: int
    salt: str
    box: str


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The content of a key file."""

    v: int
    kind: Kind
    public: str
    secret: str | None = None
    sealed: SealedSecret | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """How hard Argon2id works, in libsodium's units: passes, and bytes of memory."""

    ops: int
    mem: int


MODERATE = Work(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE)
"""For what people type."""

LEAST = Work(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
"""For what is random already: nobody guesses 32 bytes, however cheap a guess is."""


def write(
    path: Path,
    kind: Kind,
    public: str,
    secret: bytes,
    passphrase: str | None,
    work: Work = MODERATE,
) -> None:
    """Write a new key file. Raises MalformedError if there is one already: keys are not overwritten."""
    sealed = None if passphrase is None else seal_secret(secret, passphrase, work)
    clear = b64url(secret) if passphrase is None else None
    data = canonical_json(plain(KeyFile(1, kind, public, clear, sealed)))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MalformedError(f"key file {path.name} exists already: move it away first") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, kind: Kind, passphrase: str | None) -> bytes:
    """Return the secret of a key file.

    Raises MalformedError if it is missing, of another kind or readable by others, VerificationError
    for a wrong passphrase.
    """
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError:
        raise MalformedError(f"key file {path.name} cannot be read") from None
    if mode & 0o077:
        raise MalformedError(f"key file {path.name} is open to others: run chmod 600 on it")
    found = decode(data.strip(), KeyFile)
    if found.v != 1:
        raise MalformedError(f"key file {path.name} is of another version")
    if found.kind != kind:
        raise MalformedError(f"key file {path.name} holds a {found.kind} key, expected {kind}")
    if found.secret is not None:
        return un_b64url(found.secret)
    if found.sealed is None or passphrase is None:
        raise MalformedError(f"key file {path.name} is sealed: set {PASSPHRASE}")
    return unseal_secret(found.sealed, passphrase)


def make_signer(path: Path, passphrase: str | None) -> KeySigner:
    """Make a signing key and its file."""
    signer = KeySigner.generate()
    write(path, "ed25519", b64url(signer.public_key), signer.seed, passphrase)
    return signer


def read_signer(path: Path, passphrase: str | None) -> KeySigner:
    """Read a signing key."""
    return KeySigner.from_seed(read(path, "ed25519", passphrase))


def make_identity(path: Path, suite: Suite, passphrase: str | None) -> Identity:
    """Make an age identity and its file."""
    identity = generate_identity(suite)
    write(path, "age", str(identity.recipient), identity.text.encode(), passphrase)
    return identity


def read_identity(path: Path, passphrase: str | None) -> Identity:
    """Read an age identity."""
    return parse_identity(read(path, "age", passphrase).decode())


def make_symmetric(path: Path, passphrase: str | None) -> bytes:
    """Make a 32-byte secret and its file."""
    secret = nacl.utils.random(32)
    write(path, "symmetric", "", secret, passphrase)
    return secret


def read_symmetric(path: Path, passphrase: str | None) -> bytes:
    """Read a 32-byte secret."""
    return read(path, "symmetric", passphrase)


def seal_secret(secret: bytes, passphrase: str, work: Work = MODERATE) -> SealedSecret:
    """Seal a secret under a passphrase: Argon2id, then XSalsa20-Poly1305 (libsodium)."""
    salt = nacl.utils.random(argon2id.SALTBYTES)
    key = argon2id.kdf(32, passphrase.encode(), salt, work.ops, work.mem)
    box = bytes(nacl.secret.SecretBox(key).encrypt(secret))
    return SealedSecret(work.ops, work.mem, b64url(salt), b64url(box))


def unseal_secret(sealed: SealedSecret, passphrase: str) -> bytes:
    """Open what `seal_secret` sealed.

    Raises VerificationError for another passphrase, MalformedError for work beyond all reason.
    """
    limit = argon2id.MEMLIMIT_SENSITIVE
    if not (0 < sealed.ops <= argon2id.OPSLIMIT_SENSITIVE and 0 < sealed.mem <= limit):
        raise MalformedError("key file asks for unreasonable work")
    salt = un_b64url(sealed.salt, size=argon2id.SALTBYTES)
    key = argon2id.kdf(32, passphrase.encode(), salt, sealed.ops, sealed.mem)
    try:
        return nacl.secret.SecretBox(key).decrypt(un_b64url(sealed.box))
    except nacl.exceptions.CryptoError:
        raise VerificationError("the passphrase does not open the key file") from None
