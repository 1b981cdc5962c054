"""Where the published test vectors lie: outside the repository, named by GATEWAY_VECTORS."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def vectors(name: str) -> Path:
    """Return the folder of vectors *name*, or skip loudly."""
    base = Path(os.environ.get("GATEWAY_VECTORS", ROOT.parent / "shared" / "vectors"))
    if not (base / name).is_dir():
        pytest.skip(f"vectors: {name} not found; set GATEWAY_VECTORS")
    return base / name


def node_modules() -> Path:
    """Return the folder of npm packages that the interoperability tests use."""
    return Path(os.environ.get("GATEWAY_NODE_MODULES", ROOT / ".node_modules_tests/node_modules"))
