"""Other people's age implementations: Debian's command and the npm package."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.envelope import Identity, Recipient, Suite
from tests.vectors import node_modules

SCRIPT = Path(__file__).with_name("age.mjs")
Open = Callable[[Identity, bytes, Path], bytes]
Seal = Callable[[Recipient, bytes, Path], bytes]


def _age(*args: str) -> bytes:
    if shutil.which("age") is None:
        pytest.skip("age: not installed, so the command cannot check what we write")
    done = subprocess.run(["age", *args], capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def node(package: str, *args: str) -> None:
    """Run the script that uses the npm package *package*, or skip loudly."""
    modules = node_modules()
    if shutil.which("node") is None or not (modules / package).is_dir():
        pytest.skip(f"node packages: node or {package} is absent; set GATEWAY_NODE_MODULES")
    done = subprocess.run(
        ["node", str(SCRIPT), *args],
        capture_output=True,
        text=True,
        env={**os.environ, "NODE_MODULES": str(modules)},
    )
    assert done.returncode == 0, done.stderr


def age_open(identity: Identity, data: bytes, folder: Path) -> bytes:
    """Open an age file with the command."""
    key, source = folder / "identity", folder / "sealed"
    key.write_text(identity.text + "\n")
    source.write_bytes(data)
    return _age("-d", "-i", str(key), str(source))


def age_seal(recipient: Recipient, data: bytes, folder: Path) -> bytes:
    """Seal with the command."""
    source = folder / "plain"
    source.write_bytes(data)
    return _age("-r", str(recipient), str(source))


def npm_open(identity: Identity, data: bytes, folder: Path) -> bytes:
    """Open an age file with the npm package."""
    source, target = folder / "sealed", folder / "opened"
    source.write_bytes(data)
    node("age-encryption", "open", identity.text, str(source), str(target))
    return target.read_bytes()


def npm_seal(recipient: Recipient, data: bytes, folder: Path) -> bytes:
    """Seal with the npm package."""
    source, target = folder / "plain", folder / "sealed"
    source.write_bytes(data)
    node("age-encryption", "seal", str(recipient), str(source), str(target))
    return target.read_bytes()


# Debian's age is older than the post-quantum stanza, so it speaks the classic suite alone.
OPENERS: list[tuple[Suite, Open]] = [
    (Suite.CLASSIC, age_open),
    (Suite.CLASSIC, npm_open),
    (Suite.PQ, npm_open),
]
SEALERS: list[tuple[Suite, Seal]] = [
    (Suite.CLASSIC, age_seal),
    (Suite.CLASSIC, npm_seal),
    (Suite.PQ, npm_seal),
]
