"""The systemd units: they hold what they promise, and the keyholder runs so confined."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from gateway.keyfiles import LEAST
from gateway.keyholder import custody, guard
from gateway.keyholder.ceremony import HandIn, Purpose, ask
from tests.keyholder.test_ceremony import keyholder, now, serving
from tests.world import ROOT

UNITS = ROOT / "deploy" / "systemd"
KEYHOLDER, SERVER = "gateway-keyholder.service", "gateway.service"
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _CLONE_NEWNET = 38, 65, 0x40000000


def said(name: str) -> dict[str, list[str]]:
    """Return what a unit says by `Section.Directive`."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[f"{section}.{key}"].append(value)
    return found


@pytest.mark.parametrize("name", [KEYHOLDER, SERVER])
def test_a_unit_gives_no_rights_that_nobody_needs(name: str) -> None:
    unit = said(name)
    for directive, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "MemoryDenyWriteExecute": "yes",
        "RestrictNamespaces": "yes",
        "LimitCORE": "0",
        "CapabilityBoundingSet": "",
        "SystemCallArchitectures": "native",
    }.items():
        assert unit[f"Service.{directive}"] == [value], directive
    assert "@system-service" in unit["Service.SystemCallFilter"][0]
    assert unit["Service.User"][0] not in ("", "root")


def test_the_keyholder_has_a_user_of_its_own_and_no_network() -> None:
    unit, server = said(KEYHOLDER), said(SERVER)
    assert unit["Service.PrivateNetwork"] == ["yes"]
    assert unit["Service.RestrictAddressFamilies"] == ["AF_UNIX"]
    assert unit["Service.IPAddressDeny"] == ["any"]
    assert unit["Service.LimitMEMLOCK"] == ["infinity"]
    assert unit["Service.User"] != server["Service.User"]
    assert "-/var/lib/gateway-keyholder" in server["Service.InaccessiblePaths"]
    assert any("-/var/lib/gateway" in paths.split() for paths in unit["Service.InaccessiblePaths"])
    assert server["Service.SupplementaryGroups"] == unit["Service.Group"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize(("name", "most"), [(KEYHOLDER, 10), (SERVER, 20)])
def test_systemd_takes_a_unit_and_calls_it_safe(name: str, most: int, tmp_path: Path) -> None:
    """The exposure that systemd computes is at most 1.0 for the keyholder, 2.0 for the server."""
    text = (UNITS / name).read_text()
    for program in ("/opt/gateway/bin/python", "/opt/gateway/bin/gateway"):
        text = text.replace(f"ExecStart={program}", f"ExecStart={sys.executable}")
    (tmp_path / name).write_text(text)
    verify = ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    about = [line for line in done.stderr.splitlines() if line.startswith(name)]
    assert (about, done.returncode) == ([], 0), done.stderr
    judge = ["systemd-analyze", "security", "--offline=true", f"--threshold={most}"]
    subprocess.run([*judge, str(tmp_path / name)], check=True, capture_output=True)


def confine() -> None:
    """Take from this process what the unit takes: writable code, more rights, the network."""
    call = ctypes.CDLL(None).prctl
    call(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call(_PR_SET_MDWE, 1, 0, 0, 0)
    if os.geteuid() == 0:
        ctypes.CDLL(None).unshare(_CLONE_NEWNET)


def test_the_keyholder_unlocks_confined(tmp_path: Path) -> None:
    """Without network and without memory that is both writable and executable, as far as this kernel can."""
    folder, secret = keyholder(tmp_path), guard.new_secret()
    custody.create(folder, secret, guard.by_passphrase(secret, "a phrase", LEAST), now())
    with serving(folder, confine):
        found = ask(folder, HandIn(Purpose("unlock"), "a phrase"))
    assert not found.locked
