"""Signed notes (c2sp.org/signed-note) with Ed25519 keys."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from gateway.kernel.encoding import b64, un_b64
from gateway.kernel.errors import GatewayError, MalformedError, VerificationError
from gateway.kernel.signing import Signer, check_signature

MAX_NOTE = 1_000_000  # bytes
MAX_SIGNATURES = 100
_ED25519 = b"\x01"
_LINE = re.compile(r"\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A named public key; `str()` is its vkey, `name+hash+base64(0x01 ‖ key)`."""

    name: str
    public_key: bytes

    @property
    def key_hash(self) -> bytes:
        """The four bytes that a signature line begins with."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_hash.hex()}+{b64(_ED25519 + self.public_key)}"


def parse_verifier(vkey: str) -> Verifier:
    """Read a vkey. Raises MalformedError; keys of other algorithms are not supported."""
    name, _, rest = vkey.partition("+")
    key_hash, _, key = rest.partition("+")
    raw = un_b64(key)
    _check_name(name)
    if len(raw) != 33 or raw[:1] != _ED25519:
        raise MalformedError("not an Ed25519 verifier key")
    verifier = Verifier(name, raw[1:])
    if verifier.key_hash.hex() != key_hash:
        raise MalformedError("verifier key does not match its hash")
    return verifier


def sign_note(text: str, name: str, signer: Signer) -> bytes:
    """Sign *text*, which ends in a line feed, under *name*."""
    _check_name(name)
    _check_text(text)
    verifier = Verifier(name, signer.public_key)
    line = b64(verifier.key_hash + signer.sign(text.encode()))
    return f"{text}\n\u2014 {name} {line}\n".encode()


def open_note(note: bytes, verifiers: Iterable[Verifier]) -> str:
    """Return the text if at least one of *verifiers* signed it.

    Unknown signatures are ignored; a known one that fails, or that is there twice, condemns the
    note.
    Raises MalformedError or VerificationError.
    """
    text, lines = _split(note)
    known = {(v.name, v.key_hash): v for v in verifiers}
    held = False
    seen: set[tuple[str, bytes]] = set()
    for line in lines:
        name, key_hash, signature = _signature(line)
        verifier = known.get((name, key_hash))
        if verifier is None:
            continue
        if (name, key_hash) in seen:
            raise VerificationError("the note is signed twice by one key")
        seen.add((name, key_hash))
        check_signature(verifier.public_key, text.encode(), signature)
        held = True
    if not held:
        raise VerificationError("the note is not signed by a known key")
    return text


def _split(note: bytes) -> tuple[str, list[str]]:
    if len(note) > MAX_NOTE:
        raise MalformedError("the note is too long")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("the note is not UTF-8") from None
    at = whole.rfind("\n\n")
    if at < 0 or not whole.endswith("\n"):
        raise MalformedError("the note has no signatures")
    text, lines = whole[: at + 1], whole[at + 2 : -1].split("\n")
    _check_text(text)
    if not 0 < len(lines) <= MAX_SIGNATURES:
        raise MalformedError("the note has too many signatures")
    return text, lines


def _signature(line: str) -> tuple[str, bytes, bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise MalformedError("signature line is malformed")
    _check_name(match[1])
    try:
        raw = un_b64(match[2])
    except GatewayError:
        raise MalformedError("signature line is malformed") from None
    if len(raw) < 5:
        raise MalformedError("signature line is malformed")
    return match[1], raw[:4], raw[4:]


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(_barred(c) and c != "\n" for c in text):
        raise MalformedError("the note's text is malformed")


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() or _barred(c) for c in name):
        raise MalformedError("key name is malformed")


def _barred(char: str) -> bool:
    """Tell whether no note may hold *char*: a control character, or half of a surrogate pair."""
    return char < " " or "\ud800" <= char <= "\udfff"
