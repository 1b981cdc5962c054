"""Which keys a directory takes in: one owner, one use, Ed25519 alone."""

import functools

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from gateway.exchange.parties import Key, Member, Status, Use
from gateway.kernel.encoding import b64url
from gateway.kernel.errors import MalformedError
from tests.exchange.world import (
    AUTHORITY,
    BEGIN,
    END,
    MECHANISM,
    OTHER,
    RELEASER,
    ident,
    key,
)
from tests.exchange.world import directory as everybody

_DER = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


@functools.cache
def keys() -> dict[tuple[str, str], bytes]:
    """Spell public keys of other kinds, under their own name and under that of the right one."""
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    others = {
        "Ed448": ed448.Ed448PrivateKey.generate().public_key().public_bytes(*raw),
        "RSA": rsa.generate_private_key(65537, 2048).public_key().public_bytes(*_DER),
        "ES256": ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*_DER),
    }
    return {(name, alg): data for name, data in others.items() for alg in (name, "Ed25519")}


@pytest.mark.parametrize("use", [Use.REQUEST, Use.MESSAGE, Use.MANIFEST, Use.DIRECTORY])
@pytest.mark.parametrize("what", list(keys()))
def test_ed448_rsa_and_p256_keys_are_refused_at_registration(
    use: Use, what: tuple[str, str]
) -> None:
    with pytest.raises(ValueError, match="is not for use|expected 32 bytes"):
        Key(use, what[1], b64url(keys()[what]), Status.ACTIVE, BEGIN, END)


@pytest.mark.parametrize("status", list(Status))
def test_one_key_registered_to_two_issuers_is_refused(status: Status) -> None:
    """Of two parties or of one, and whatever the second one's status is."""
    twin = key("sharer", status=status)
    for party in (OTHER, AUTHORITY):
        member = Member(ident("svc", 61), "Twin", (), (twin,))
        changed = msgspec.structs.replace(party, members=(member,))
        with pytest.raises(MalformedError, match="already belongs"):
            everybody(MECHANISM, changed)
    with_twin = msgspec.structs.replace(RELEASER, keys=(*RELEASER.keys, twin))
    members = tuple(with_twin if m is RELEASER else m for m in MECHANISM.members)
    with pytest.raises(MalformedError, match="already belongs"):
        everybody(msgspec.structs.replace(MECHANISM, members=members))
