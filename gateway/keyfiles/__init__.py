"""Key files: secret keys on disk, mode 0600, sealed under a passphrase unless told otherwise.

JSON: `{v, kind, public, secret}` in clear, or `{v, kind, public, sealed: {ops, mem, salt, box}}` with
Argon2id and XSalsa20-Poly1305 (libsodium). Version 2 is of signing keys that have a second one beside
them: `second` is its public key, and the secret holds both seeds, Ed25519's first. Files that others
may read are refused.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import nacl.exceptions
import nacl.secret
import nacl.utils
from msgspec.structs import replace
from nacl.pwhash import argon2id

from gateway.envelope import Identity, Suite, generate_identity, parse_identity
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import b64url, canonical_json, un_b64url
from gateway.kernel.errors import ConflictError, MalformedError, VerificationError
from gateway.kernel.second import SEED_SIZE, SecondKey
from gateway.kernel.signing import PUBLIC_KEY_SIZE, KeySigner, Signer
from gateway.keyfiles import tokens
from gateway.keyfiles.uris import parse_uri

Kind = Literal["ed25519", "age", "symmetric", "pkcs11"]
PIN = tokens.PIN
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
    second: str | None = None
    uri: str | None = None
    module: str | None = None
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
    *,
    second: str | None = None,
) -> None:
    """Write a new key file. Raises MalformedError if there is one already: keys are not overwritten."""
    version = 1 if second is None else 2
    made = KeyFile(version, kind, public, second)
    _create(path, _with_secret(made, secret, passphrase, work))


def _with_secret(
    file: KeyFile, secret: bytes, passphrase: str | None, work: Work = MODERATE
) -> KeyFile:
    if passphrase is None:
        return replace(file, secret=b64url(secret))
    return replace(file, sealed=seal_secret(secret, passphrase, work))


def _create(path: Path, file: KeyFile) -> None:
    data = canonical_json(plain(file))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MalformedError(f"key file {path.name} exists already: move it away first") from None
    with os.fdopen(handle, "wb") as out:
        out.write(data + b"\n")
        out.flush()
        os.fsync(out.fileno())


def read(path: Path, kind: Kind, passphrase: str | None) -> bytes:
    """Return the secret of a key file.

    Raises MalformedError if it is missing, of another kind or readable by others, VerificationError
    for a wrong passphrase.
    """
    return _secret(path, _read(path, kind), passphrase)


def _read(path: Path, *kinds: Kind) -> KeyFile:
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError:
        raise MalformedError(f"key file {path.name} cannot be read") from None
    if mode & 0o077:
        raise MalformedError(f"key file {path.name} is open to others: run chmod 600 on it")
    found = decode(data.strip(), KeyFile)
    if found.v != (1 if found.second is None else 2):
        raise MalformedError(f"key file {path.name} is of another version")
    if found.kind not in kinds:
        raise MalformedError(f"key file {path.name} holds a {found.kind} key, expected {kinds[0]}")
    return found


def _secret(path: Path, found: KeyFile, passphrase: str | None) -> bytes:
    if found.secret is not None:
        return un_b64url(found.secret)
    if found.sealed is None or passphrase is None:
        raise MalformedError(f"key file {path.name} is sealed: set {PASSPHRASE}")
    return unseal_secret(found.sealed, passphrase)


def make_signer(path: Path, passphrase: str | None, *, second: bool = False) -> KeySigner:
    """Make a signing key and its file, with a *second* key beside it or without."""
    signer = KeySigner.generate(second=second)
    _write_signer(path, signer, passphrase)
    return signer


def read_signer(path: Path, passphrase: str | None) -> KeySigner:
    """Read a signing key, and the second one beside it if there is one."""
    found = _read(path, "ed25519")
    secret = _secret(path, found, passphrase)
    if found.second is None:
        return KeySigner.from_seed(secret)
    return KeySigner.from_seed(secret[:-SEED_SIZE], SecondKey.from_seed(secret[-SEED_SIZE:]))


def open_signer(path: Path, passphrase: str | None, pin: str | None) -> Signer:
    """Open a signing key that lies in its file, or in the token that the file names.

    *pin* is the token's, unless its URI names a pin-source. The token is asked for nothing yet. Raises
    MalformedError for a file that is neither, or without a PIN; VerificationError for a wrong passphrase.
    """
    found = _read(path, "ed25519", "pkcs11")
    if found.kind == "ed25519":
        return read_signer(path, passphrase)
    if found.uri is None or found.module is None:
        raise MalformedError(f"key file {path.name} does not say where its key lies")
    uri = parse_uri(found.uri)
    second = None
    if found.second is not None:
        second = SecondKey.from_seed(_secret(path, found, passphrase))
    public = un_b64url(found.public, size=PUBLIC_KEY_SIZE)
    return tokens.TokenSigner(found.module, uri, public, tokens.pin_of(uri, pin), second)


def write_token_key(
    path: Path, uri: str, signer: tokens.TokenSigner, passphrase: str | None, *, second: bool
) -> None:
    """Write the key file of a key that lies in a token, with a *second* key of its own in the file."""
    public = b64url(signer.public_key)
    file = KeyFile(1, "pkcs11", public, uri=uri, module=signer.module)
    if second:
        made = SecondKey.generate()
        file = replace(file, v=2, second=b64url(made.public_key))
        file = _with_secret(file, made.seed, passphrase)
    _create(path, file)


def public_key(path: Path) -> bytes:
    """Return the public key that a signing key's file states, without its secret."""
    return un_b64url(_read(path, "ed25519", "pkcs11").public, size=PUBLIC_KEY_SIZE)


def add_second(path: Path, passphrase: str | None) -> KeySigner:
    """Put a second key beside a signing key that has none, in place of its file; return both.

    Whoever is cut off has the old file or the new one. Raises ConflictError if there is one already.
    """
    old = read_signer(path, passphrase)
    if old.second is not None:
        raise ConflictError(f"key file {path.name} has a second key already")
    made = KeySigner.from_seed(old.seed, SecondKey.generate())
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    _write_signer(fresh, made, passphrase)
    fresh.replace(path)
    _sync_folder(path.parent)
    return made


def _write_signer(path: Path, signer: KeySigner, passphrase: str | None) -> None:
    public, second = b64url(signer.public_key), signer.second
    if second is None:
        write(path, "ed25519", public, signer.seed, passphrase)
    else:
        both = signer.seed + second.seed
        write(path, "ed25519", public, both, passphrase, second=b64url(second.public_key))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
