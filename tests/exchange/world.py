"""A small world: a mechanism with its people, two authorities, and a directory of them all."""

from datetime import UTC, datetime, timedelta

from gateway.exchange.directory import Actor, Directory
from gateway.exchange.parties import Key, Kind, Member, Party, Role, Status, Use
from gateway.kernel.encoding import b64url
from gateway.kernel.ids import id_from_bytes
from gateway.kernel.signing import KeySigner, thumbprint

NOW = datetime(2026, 11, 23, 16, 18, tzinfo=UTC)
AUDIENCE = "https://gateway.example"
BEGIN, END = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"


def ident(prefix: str, number: int) -> str:
    """Return the id of a kind with this number."""
    return id_from_bytes(prefix, number.to_bytes(16, "big"))


def signer(name: str) -> KeySigner:
    """Return the signer that this name always gives."""
    return KeySigner.from_seed(name.encode().ljust(32, b"."))


def kid(name: str) -> str:
    """Return the thumbprint of that signer's key."""
    return thumbprint(signer(name).public_key)


def key(
    name: str,
    use: Use = Use.REQUEST,
    status: Status = Status.ACTIVE,
    term: tuple[str, str] = (BEGIN, END),
) -> Key:
    """Return the public key of that signer."""
    return Key(use, "Ed25519", b64url(signer(name).public_key), status, *term)


def both(name: str) -> tuple[Key, Key]:
    """Return a request key and a message key."""
    return key(name), key(f"{name}/message", Use.MESSAGE)


SHARER = Member(ident("psn", 1), "Sharer", (Role.SHARER,), both("sharer"))
RELEASER = Member(ident("psn", 2), "Releaser", (Role.RELEASER,), both("releaser"))
ADVISER = Member(ident("psn", 3), "Adviser", (Role.LEGAL_ADVISER,), both("adviser"))
SERVICE = Member(
    ident("svc", 4),
    "Service",
    (Role.SHARER, Role.RELEASER, Role.LEGAL_ADVISER, Role.CUSTODIAN),
    (*both("service"), key("manifest", Use.MANIFEST), key("checkpoint", Use.CHECKPOINT)),
)
ENDPOINT = Member(ident("svc", 5), "Endpoint", (Role.ENDPOINT,), both("endpoint"))
OFFICER = Member(ident("psn", 6), "Officer", (Role.OFFICER,), both("officer"))
TURNCOAT = Member(
    ident("psn", 7), "Turncoat", (Role.SHARER, Role.RELEASER, Role.OFFICER), both("turncoat")
)
PLAIN = Member(ident("psn", 8), "Plain", (Role.COMPLIANCE,), both("plain"))

MECHANISM = Party(
    ident("pty", 1),
    "mechanism",
    "Mechanism",
    Kind.MECHANISM,
    (SHARER, RELEASER, ADVISER, SERVICE, PLAIN),
)
AUTHORITY = Party(
    ident("pty", 2), "xa", "Authority XA", Kind.AUTHORITY, (ENDPOINT, OFFICER, TURNCOAT), "XA"
)
OTHER = Party(ident("pty", 3), "xb", "Authority XB", Kind.AUTHORITY, (), "XB")


def directory(*parties: Party) -> Directory:
    """Return a directory, taken as verified, of these parties or of everybody."""
    return Directory(
        1, NOW, NOW + timedelta(days=7), "0" * 64, parties or (MECHANISM, AUTHORITY, OTHER)
    )


def with_keys(*keys: Key) -> Directory:
    """Return a directory in which the sharer has just these keys."""
    member = Member(SHARER.id, SHARER.name, SHARER.roles, keys)
    return directory(
        Party(MECHANISM.id, MECHANISM.short, MECHANISM.name, MECHANISM.kind, (member,)), AUTHORITY
    )


def actor(member: Member, party: Party) -> Actor:
    """Return a member acting by the first of its keys."""
    return Actor(member, party, member.keys[0])


def seconds(number: float) -> datetime:
    """Return the moment so many seconds from now."""
    return NOW + timedelta(seconds=number)


def spell_key(text: str, use: Use = Use.ENVELOPE) -> Key:
    """Return an age key of this text."""
    return Key(use, "x25519", text, Status.ACTIVE, BEGIN, END)
