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


def wycheproof(name: str) -> Path:
    """Return the file of C2SP/wycheproof vectors *name*, from a folder of such files, or skip loudly."""
    usual = ROOT.parent / "shared" / "vectors" / "wycheproof"
    path = Path(os.environ.get("GATEWAY_WYCHEPROOF", usual)) / f"{name}_test.json"
    if not path.is_file():
        pytest.skip(f"vectors: wycheproof {path.name} not found; set GATEWAY_WYCHEPROOF")
    return path


def node_modules() -> Path:
    """Return the folder of npm packages that the interoperability tests use."""
    return Path(os.environ.get("GATEWAY_NODE_MODULES", ROOT / ".node_modules_tests/node_modules"))
