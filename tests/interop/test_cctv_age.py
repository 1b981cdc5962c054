"""The age test vectors as npm publishes them: the applicable ones hold, the others are counted by reason."""

import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.envelope import Identity, parse_identity, unseal_stream
from gateway.kernel.errors import GatewayError, MalformedError, VerificationError
from tests.interop.tools import node

EXPECTED: dict[str, type[GatewayError] | None] = {
    "success": None,
    "header failure": MalformedError,
    "HMAC failure": VerificationError,
    "no match": VerificationError,
    "payload failure": VerificationError,
}
APPLICABLE = 85
INAPPLICABLE = {"armored": 33, "passphrase": 25}
"""We read neither the ASCII armour nor passphrases: nothing on the wire uses them."""


@dataclass
class Vector:
    """One vector: its fields, and the age file."""

    fields: dict[str, list[str]]
    body: bytes

    @property
    def reason(self) -> str | None:
        """Why the vector does not apply, or None."""
        return next((field for field in INAPPLICABLE if field in self.fields), None)


def read(data: bytes) -> Vector:
    head, _, body = data.partition(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.decode().splitlines():
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return Vector(fields, zlib.decompress(body) if "compressed" in fields else body)


def released(body: bytes, identities: Sequence[Identity]) -> tuple[type[GatewayError] | None, str]:
    """Return the error, if any, and the digest of every byte that was given out before it."""
    digest = hashlib.sha256()
    try:
        for chunk in unseal_stream(io.BytesIO(body), identities):
            digest.update(chunk)
    except GatewayError as error:
        return type(error), digest.hexdigest()
    return None, digest.hexdigest()


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Vector]:
    folder: Path = tmp_path_factory.mktemp("cctv")
    node("cctv-age", "vectors", str(folder))
    return {path.name: read(path.read_bytes()) for path in sorted(folder.iterdir())}


def test_every_applicable_vector_of_the_npm_package_has_its_stated_outcome(
    kit: dict[str, Vector],
) -> None:
    applicable = {name: vector for name, vector in kit.items() if vector.reason is None}
    for name, vector in applicable.items():
        identities = [parse_identity(text) for text in vector.fields.get("identity", [])]
        error, digest = released(vector.body, identities)
        assert error is EXPECTED[vector.fields["expect"][0]], name
        assert digest == vector.fields.get("payload", [digest])[0], name
    print(f"age vectors from npm: {len(applicable)} of {len(kit)} apply")
    assert len(applicable) >= APPLICABLE


def test_what_does_not_apply_is_armoured_or_sealed_by_a_passphrase(kit: dict[str, Vector]) -> None:
    left_out = Counter(vector.reason for vector in kit.values() if vector.reason is not None)
    assert left_out == INAPPLICABLE
