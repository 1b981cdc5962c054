"""The age test kit (C2SP/CCTV): every vector that applies to what this project reads."""

import hashlib
import io
import zlib
from collections import Counter
from pathlib import Path

import pytest

from gateway.envelope import Suite, generate_identity, parse_identity, unseal_stream
from gateway.kernel.errors import GatewayError, MalformedError, VerificationError
from tests.envelope.armour import unarmoured
from tests.vectors import node_modules, vectors

APPLICABLE, ARMOURED, PASSPHRASE = 85, 33, 25
_NOTHING = hashlib.sha256(b"").hexdigest()
EXPECTED = {
    "header failure": MalformedError,
    "HMAC failure": VerificationError,
    "no match": VerificationError,
    "payload failure": VerificationError,
}


def kit() -> Path:
    """Return the vectors, from their own folder or from the npm package that carries them."""
    package = node_modules() / "cctv-age"
    for folder in (package / "testdata", package / "vectors", package):
        if (folder / "x25519").is_file():
            return folder
    return vectors("age-testkit")


def read(path: Path) -> tuple[dict[str, list[str]], bytes]:
    head, _, body = path.read_bytes().partition(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.decode().splitlines():
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return fields, zlib.decompress(body) if "compressed" in fields else body


def open_one(fields: dict[str, list[str]], body: bytes) -> tuple[type[GatewayError] | None, bytes]:
    out = bytearray()
    try:
        identities = [parse_identity(text) for text in fields.get("identity", [])]
        for chunk in unseal_stream(io.BytesIO(body), identities):
            out += chunk
    except GatewayError as error:
        return type(error), bytes(out)
    return None, bytes(out)


def test_every_applicable_vector_has_its_stated_outcome() -> None:
    count = 0
    for path in sorted(p for p in kit().iterdir() if p.is_file()):
        if path.suffix:
            continue
        fields, body = read(path)
        if "armored" in fields or "passphrase" in fields:
            continue
        count += 1
        error, plain = open_one(fields, body)
        expected = EXPECTED.get(fields["expect"][0])
        assert error is expected, (path.name, fields["expect"], error)
        if "payload" in fields:
            digest = hashlib.sha256(plain).hexdigest()
            assert digest == fields["payload"][0], path.name
    assert count >= APPLICABLE
    print(f"age test kit: {count} vectors")


def groups() -> dict[str, dict[str, tuple[dict[str, list[str]], bytes]]]:
    """Return the vectors by what they ask for: armour, a passphrase without it, or neither."""
    found: dict[str, dict[str, tuple[dict[str, list[str]], bytes]]] = {
        "armoured": {}, "passphrase": {}, "plain": {}
    }  # fmt: skip
    for path in sorted(p for p in kit().iterdir() if p.is_file() and not p.suffix):
        fields, body = read(path)
        group = "armoured" if "armored" in fields else "plain"
        found["passphrase" if group == "plain" and "passphrase" in fields else group][path.name] = (
            fields, body
        )  # fmt: skip
    return found


def test_all_143_vectors_are_accounted_for() -> None:
    counts = {name: len(group) for name, group in groups().items()}
    assert counts == {"armoured": ARMOURED, "passphrase": PASSPHRASE, "plain": APPLICABLE}
    assert sum(counts.values()) == 143


def test_armour_is_refused_as_no_age_file_whatever_is_in_it() -> None:
    """We read no armour: nothing on the wire has any, and a second spelling is a second parser to attack."""
    for name, (fields, body) in groups()["armoured"].items():
        identities = [parse_identity(text) for text in fields.get("identity", [])]
        with pytest.raises(MalformedError, match="not an age file of version 1"):
            b"".join(unseal_stream(io.BytesIO(body), identities))
        assert name


def test_what_is_in_sound_armour_has_its_stated_outcome_and_other_armour_is_none() -> None:
    """Taken off by the published format; so a file that somebody sends in armour can be opened."""
    sound = 0
    for name, (fields, body) in groups()["armoured"].items():
        expected = fields["expect"][0]
        try:
            inside = unarmoured(body)
        except ValueError:
            assert expected == "armor failure" or not body.strip(), name
            continue
        assert expected != "armor failure", name
        sound += 1
        if "passphrase" not in fields:
            error, plain = open_one(fields, inside)
            assert error is EXPECTED.get(expected), name
            assert hashlib.sha256(plain).hexdigest() == fields.get("payload", [_NOTHING])[0], name
    assert sound == 11


def test_a_passphrase_opens_nothing_and_lets_nothing_out() -> None:
    """We derive no key from a passphrase: nobody who shares evidence agrees on one, and scrypt is a lever.

    A stanza of that kind is one of another kind: passed over if it is well-formed, so that nothing
    matches, and not allowed beside others.
    """
    reasons: Counter[str] = Counter()
    for name, (fields, body) in groups()["passphrase"].items():
        identities = [parse_identity(text) for text in fields.get("identity", [])]
        identities += [generate_identity(suite) for suite in Suite]
        with pytest.raises((MalformedError, VerificationError)) as caught:
            b"".join(unseal_stream(io.BytesIO(body), identities))
        reasons[str(caught.value)] += 1
        assert name
    assert reasons == {
        "no identity matches": 22,
        "a passphrase stanza stands alone": 2,
        "header base64 is not canonical": 1,
    }


def test_an_identity_is_never_shown() -> None:
    identity = generate_identity(Suite.CLASSIC)
    assert identity.text not in repr(identity)
    with pytest.raises(MalformedError):
        parse_identity(identity.text.replace("1", "q"))
