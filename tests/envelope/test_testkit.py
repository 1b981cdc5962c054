"""The age test kit (C2SP/CCTV): every vector that applies to what this project reads."""

import hashlib
import io
import zlib
from pathlib import Path

import pytest

from gateway.envelope import Suite, generate_identity, parse_identity, unseal_stream
from gateway.kernel.errors import GatewayError, MalformedError, VerificationError
from tests.vectors import node_modules, vectors

APPLICABLE = 85
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


def test_an_identity_is_never_shown() -> None:
    identity = generate_identity(Suite.CLASSIC)
    assert identity.text not in repr(identity)
    with pytest.raises(MalformedError):
        parse_identity(identity.text.replace("1", "q"))
