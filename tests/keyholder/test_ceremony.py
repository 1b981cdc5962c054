"""Ceremonies with a real keyholder process over its socket, by the public commands."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.client import ceremony as directories
from gateway.kernel.errors import ConflictError, UnavailableError, VerificationError
from gateway.kernel.signing import KeySigner
from gateway.keyfiles import LEAST
from gateway.keyholder import custody, guard
from gateway.keyholder.ceremony import AskStatus, Ceremony, HandIn, Lock, Purpose, ask
from gateway.keyholder.custody import Custody
from gateway.keyholder.folder import ROOT, Config, write_config
from gateway.keyholder.memory import Hygiene
from gateway.ledger import Verifier
from tests.world import run_cli

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
NAMES = ("Ana", "Ben", "Cy")


def keyholder(tmp_path: Path) -> Path:
    """Make what a keyholder believes in, but no vault yet."""
    folder, signer = tmp_path / "keyholder", KeySigner.generate()
    folder.mkdir(mode=0o700)
    directories.write_root(tmp_path, [signer], 1, NOW)
    (tmp_path / "root.json").rename(folder / ROOT)
    write_config(folder, Config("https://gateway.example", str(Verifier("log", signer.public_key))))
    return folder


def shared(folder: Path, out: Path) -> None:
    """Put a vault into custody of 2 of 3, whose passphrases are cheap to try."""
    secret = guard.new_secret()
    made, files = guard.by_custodians(
        secret, 2, [(name, f"phrase of {name}") for name in NAMES], LEAST
    )
    custody.create(folder, secret, made, NOW)
    out.mkdir()
    for name, data in zip(NAMES, files, strict=True):
        (out / f"{name}.share").write_bytes(data)
        (out / f"{name}.phrase").write_text(f"phrase of {name}\n")


@contextmanager
def serving(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the keyholder by the public command, in a process of its own."""
    command = [sys.executable, "-m", "gateway", "keyholder", "serve", "--folder", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                ask(folder, AskStatus())
                break
            except UnavailableError:
                assert process.poll() is None
                time.sleep(0.05)
        yield process
        process.terminate()
        assert process.wait(20) == 0


def cli(folder: Path, *args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    command, *rest = args
    return run_cli("keyholder", command, "--folder", str(folder), *rest, check=check)


def said(folder: Path, *args: str) -> dict[str, Any]:
    return dict(json.loads(cli(folder, *args, "--json").stdout))


def test_two_of_three_custodians_unlock_rotate_and_lock(tmp_path: Path) -> None:
    """A night's work: each hands in her share, the new epoch is there, everything is locked again."""
    folder, out = keyholder(tmp_path), tmp_path / "shares"
    shared(folder, out)

    def with_share(name: str, phrase: str | None = None) -> tuple[str, ...]:
        file = str(out / f"{phrase or name}.phrase")
        return "--share", str(out / f"{name}.share"), "--passphrase-file", file

    with serving(folder) as process:
        assert "locked, guarded by 2 of 3 custodians" in cli(folder, "status").stdout
        wrong = cli(folder, "unlock", *with_share("Ana", "Ben"), check=False)
        assert (wrong.returncode, "share of Ana" in wrong.stderr) == (3, True)
        nothing = cli(folder, "unlock", check=False)
        assert "2 of Ana, Ben, Cy" in nothing.stderr

        first = cli(folder, "unlock", *with_share("Ana"))
        assert "1 of 2 shares are in" in first.stderr
        assert ask(folder, AskStatus()).locked
        other = cli(folder, "rotate", *with_share("Cy"), check=False)
        assert (other.returncode, "were handed in to unlock" in other.stderr) == (7, True)
        assert said(folder, "unlock", *with_share("Cy"))["locked"] is False

        active = next(
            e.name for e in ask(folder, AskStatus()).vault.epochs if e.standing == "active"
        )
        both = [*with_share("Ana"), *with_share("Ben")]
        turned = said(folder, "rotate", *both)
        assert turned["opened"] == [active, f"{active}b"]
        statement = json.loads(run_cli("keyholder", "statement", "--folder", str(folder)).stdout)
        assert [e["standing"] for e in statement["epochs"]] == ["retired", "active"]

        dry = cli(folder, "destroy", active).stdout
        assert f"would destroy the key of {active}" in re.sub(r"\s+", " ", dry)
        assert cli(folder, "destroy", f"{active}b", check=False).returncode == 7
        gone = said(folder, "destroy", active, "--yes")
        assert gone["vault"]["epochs"][0]["standing"] == "destroyed"

        assert said(folder, "lock")["locked"] is True
        modules = (folder.parent / "none").exists()
        assert not modules
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0", limits)
    gone_away = cli(folder, "status", check=False)
    assert (gone_away.returncode, "no keyholder runs" in gone_away.stderr) == (9, True)


def test_a_passphrase_is_enough_where_there_are_no_custodians(tmp_path: Path) -> None:
    """By the commands alone, from init on; the passphrase comes from standard input."""
    folder, phrase = keyholder(tmp_path), tmp_path / "phrase"
    phrase.write_text("correct horse\n")
    made = said(folder, "init", "--passphrase-file", str(phrase))
    with serving(folder):
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "keyholder", "unlock", "--folder", str(folder)]
            + ["--passphrase-file", "-", "--json"],
            input="correct horse\n",
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout)["opened"] == [made["epoch"]]
        again = cli(folder, "init", "--passphrase-file", str(phrase), check=False)
        assert again.returncode == 7


def test_new_custodians_void_the_shares_before(tmp_path: Path) -> None:
    folder, out = keyholder(tmp_path), tmp_path / "shares"
    shared(folder, out)
    new = tmp_path / "new"
    phrases = [out / "Ana.phrase", out / "Ben.phrase", *[out / "Cy.phrase"] * 2]
    command = ["reshare", "--share", str(out / "Ana.share"), "--share", str(out / "Ben.share")]
    command += ["--custodian", "Dee", "--custodian", "Eve", "--out", str(new)]
    dry = cli(folder, *command).stdout
    assert "2 of 3 custodians by what is guarded by 2 of 2" in re.sub(r"\s+", " ", dry)
    assert not new.exists()
    command += [word for path in phrases for word in ("--passphrase-file", str(path))]
    assert said(folder, *command, "--yes")["n"] == 2
    with serving(folder):
        cy = ("--share", str(out / "Cy.share"), "--passphrase-file", str(out / "Cy.phrase"))
        void = cli(folder, "unlock", *cy, check=False)
        assert (void.returncode, "of another set" in void.stderr) == (3, True)
        for name in ("Dee", "Eve"):
            assert os.stat(new / f"{name}.share").st_mode & 0o077 == 0
            ours = (
                "--share",
                str(new / f"{name}.share"),
                "--passphrase-file",
                str(out / "Cy.phrase"),
            )
            found = said(folder, "unlock", *ours)
        assert found["locked"] is False


def at_table(tmp_path: Path) -> tuple[Ceremony, dict[str, HandIn], list[datetime]]:
    """Return a ceremony in this process, a hand-in of each custodian, and its clock."""
    folder, clock = keyholder(tmp_path), [NOW]
    shared(folder, tmp_path / "shares")
    ceremony = Ceremony(Custody(folder), lambda: clock[0], Hygiene(True, True, True))
    hands = {
        name: HandIn(
            Purpose("unlock"),
            f"phrase of {name}",
            (tmp_path / "shares" / f"{name}.share").read_bytes(),
        )
        for name in NAMES
    }
    return ceremony, hands, clock


def test_shares_that_wait_too_long_are_forgotten(tmp_path: Path) -> None:
    """A custodian's consent of the evening is none at night."""
    ceremony, hands, clock = at_table(tmp_path)
    gathered = ceremony.hand_in(hands["Ana"]).gathered
    assert gathered is not None
    assert gathered.custodians == ("Ana",)
    clock[0] += timedelta(minutes=61)
    assert ceremony.status().gathered is None
    assert ceremony.hand_in(hands["Ben"]).locked


def test_locking_forgets_shares_that_were_handed_in(tmp_path: Path) -> None:
    ceremony, hands, _ = at_table(tmp_path)
    ceremony.hand_in(hands["Ana"])
    assert ceremony.lock().gathered is None
    assert ceremony.hand_in(hands["Ben"]).locked


def test_a_share_handed_in_twice_is_one(tmp_path: Path) -> None:
    ceremony, hands, _ = at_table(tmp_path)
    ceremony.hand_in(hands["Ana"])
    assert ceremony.hand_in(hands["Ana"]).locked
    assert not ceremony.hand_in(hands["Cy"]).locked


def test_a_refused_share_changes_nothing(tmp_path: Path) -> None:
    ceremony, hands, _ = at_table(tmp_path)
    ceremony.hand_in(hands["Ana"])
    with pytest.raises(VerificationError):
        ceremony.hand_in(HandIn(Purpose("unlock"), "wrong", hands["Ben"].share))
    with pytest.raises(ConflictError):
        ceremony.hand_in(HandIn(Purpose("unlock"), "a passphrase"))
    with pytest.raises(ConflictError, match="handed in to unlock the active"):
        ceremony.hand_in(
            HandIn(Purpose("unlock", ("2026Q4",)), "phrase of Ben", hands["Ben"].share)
        )
    assert not ceremony.hand_in(hands["Ben"]).locked


def test_what_is_junk_is_refused_and_the_socket_lives_on(tmp_path: Path) -> None:
    from gateway.keyholder.ceremony import opened

    ceremony, _, _ = at_table(tmp_path)
    folder, told = tmp_path / "keyholder", list[str]()
    with opened(ceremony, folder, lambda event, **_: told.append(event)):
        assert os.stat(folder / "ceremony").st_mode & 0o077 == 0
        with pytest.raises(UnavailableError):
            ask(folder / "elsewhere", Lock())
        assert ask(folder, Lock()).locked
    assert told == ["ceremony"]
