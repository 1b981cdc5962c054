"""A token of SoftHSM in a folder of its own."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.keyfiles import tokens

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "271828"


@dataclass(frozen=True)
class Token:
    """Where it lies, and that it can be taken away and brought back."""

    folder: Path
    label: str = "gateway"
    module: str = str(MODULE)

    def uri(self, name: str) -> str:
        return f"pkcs11:token={self.label};object={name}"

    def take_away(self) -> None:
        (self.folder / "tokens").rename(self.folder / "away")
        (self.folder / "tokens").mkdir()

    def bring_back(self) -> None:
        (self.folder / "tokens").rmdir()
        (self.folder / "away").rename(self.folder / "tokens")


def softhsm(*args: str) -> None:
    subprocess.run(["softhsm2-util", *args], check=True, capture_output=True)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Token]:
    if not MODULE.exists() or shutil.which("softhsm2-util") is None:
        pytest.skip("softhsm2: not installed, so no key was tried in a token")
    folder = tmp_path / "softhsm"
    (folder / "tokens").mkdir(parents=True)
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(conf))
    monkeypatch.setenv(tokens.PIN, PIN)
    monkeypatch.delenv("GATEWAY_PASSPHRASE", raising=False)
    made = Token(folder)
    softhsm("--init-token", "--free", "--label", made.label, "--pin", PIN, "--so-pin", "314159")
    tokens.close_all()
    yield made
    tokens.close_all()
