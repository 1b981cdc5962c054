"""The keyholder's folder: locked or unlocked, epoch by epoch, and whole after every crash."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import keyfiles
from gateway.envelope import Suite, generate_identity, unwrap, wrap
from gateway.kernel.errors import (
    ConflictError,
    LockedError,
    MalformedError,
    NotFoundError,
    VerificationError,
)
from gateway.keyfiles import LEAST
from gateway.keyholder import custody, guard
from gateway.keyholder.custody import Custody
from gateway.keyholder.periods import check_months, following, name_of, period

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
NEXT = datetime(2027, 1, 2, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, bytes]:
    """Return a keyholder's folder and its unlocking secret."""
    secret = guard.new_secret()
    custody.create(tmp_path / "kh", secret, guard.by_passphrase(secret, "a phrase", LEAST), NOW)
    return tmp_path / "kh", bytes(secret)


def test_what_is_locked_gives_nothing_and_says_so(made: tuple[Path, bytes]) -> None:
    held = Custody(made[0])
    assert held.locked
    with pytest.raises(LockedError, match="the keyholder is locked"):
        held.identities()
    with pytest.raises(LockedError, match="epoch 2026Q4 is locked"):
        held.identities("2026Q4")
    with pytest.raises(LockedError):
        held.signer()
    assert held.wanted == ("2026Q4",)


def test_unlocking_opens_the_active_epoch_and_wipes_the_secret(made: tuple[Path, bytes]) -> None:
    held, secret = Custody(made[0]), bytearray(made[1])
    held.unlock(secret, NOW)
    assert secret == bytes(32)
    (identity,) = held.identities("2026Q4")
    epoch = held.state.find("2026Q4")
    assert str(identity.recipient) == epoch.recipient
    assert held.identities(epoch.id) == (identity,)
    header = wrap(b"k" * 16, [identity.recipient])
    assert unwrap(header, held.identities()) == b"k" * 16
    assert held.signer().public_key
    held.lock()
    assert held.locked
    with pytest.raises(LockedError):
        held.identities()


def test_another_secret_opens_nothing(made: tuple[Path, bytes]) -> None:
    held, wrong = Custody(made[0]), guard.new_secret()
    with pytest.raises(VerificationError):
        held.unlock(wrong, NOW)
    assert held.locked
    assert wrong == bytes(32)


def test_only_epochs_with_open_work_are_opened(made: tuple[Path, bytes]) -> None:
    """An old epoch stays shut until there is work for it; then custodians come again."""
    held = Custody(made[0])
    assert held.rotate(bytearray(made[1]), NEXT).name == "2027Q1"
    held.unlock(bytearray(made[1]), NEXT)
    assert [*held.opened] == ["2027Q1"]
    with pytest.raises(LockedError, match="2026Q4"):
        held.identities("2026Q4")
    held.unlock(bytearray(made[1]), NEXT)
    assert [*held.opened] == ["2026Q4", "2027Q1"]
    held.lock()
    held.unlock(bytearray(made[1]), NEXT, ["2026Q4"])
    assert [*held.opened] == ["2026Q4"]
    with pytest.raises(NotFoundError):
        held.unlock(bytearray(made[1]), NEXT, ["1999Q1"])
    held.want("2027Q1", "2026Q4", "nothing")
    assert [*held.wanted] == ["2027Q1"]


def test_epochs_go_from_next_to_active_to_retired(made: tuple[Path, bytes]) -> None:
    held = Custody(made[0])
    held.unlock(bytearray(made[1]), NOW)
    ahead = held.rotate(bytearray(made[1]), NOW, ahead=True)
    assert (ahead.name, held.state.standing(ahead, NOW)) == ("2027Q1", "next")
    assert [*held.opened] == ["2026Q4"]
    with pytest.raises(ConflictError, match="already"):
        held.rotate(bytearray(made[1]), NOW, ahead=True)
    assert [held.state.standing(e, NEXT) for e in held.state.epochs] == ["retired", "active"]
    now = held.rotate(bytearray(made[1]), NOW)
    assert (now.name, held.state.standing(now, NOW)) == ("2026Q4b", "active")
    assert [*held.opened] == ["2026Q4", "2026Q4b"], "one that begins now is open at once"
    assert Custody(made[0]).state == held.state
    assert [e.standing for e in custody.public_statement(held.state, NOW).epochs] == [
        "retired", "next", "active",
    ]  # fmt: skip


def test_a_locked_keyholder_rotates_and_stays_locked(made: tuple[Path, bytes]) -> None:
    held = Custody(made[0])
    held.rotate(bytearray(made[1]), NEXT)
    assert held.locked
    with pytest.raises(VerificationError):
        held.rotate(guard.new_secret(), NEXT)


def test_a_rotation_cut_off_before_it_was_kept_is_begun_again(made: tuple[Path, bytes]) -> None:
    """The key file is there, custody.json does not name it: nobody was told of its recipient."""
    held = Custody(made[0])
    before = (made[0] / custody.FILE).read_bytes()
    held.rotate(bytearray(made[1]), NEXT)
    (made[0] / custody.FILE).write_bytes(before)
    again = Custody(made[0])
    assert again.rotate(bytearray(made[1]), NEXT).name == "2027Q1"
    again.unlock(bytearray(made[1]), NEXT)
    assert again.identities("2027Q1")


def test_a_new_guard_voids_what_opened_the_keyholder(made: tuple[Path, bytes]) -> None:
    held, fresh = Custody(made[0]), guard.new_secret()
    held.rotate(bytearray(made[1]), NEXT)
    held.destroy("2026Q4", NEXT)
    old = held.state.guard
    new, files = guard.by_custodians(fresh, 2, [("Ana", "a"), ("Ben", "b")], LEAST)
    held.reguard(bytearray(made[1]), fresh, new)
    assert not (made[0] / "epochs" / old.set).exists()
    again = Custody(made[0])
    with pytest.raises(VerificationError):
        again.unlock(bytearray(made[1]), NEXT)
    shares = [guard.open_share(new, files[0], "a"), guard.open_share(new, files[1], "b")]
    again.unlock(guard.combine(new, shares), NEXT)
    assert again.opened == ("2027Q1",)
    assert again.signer().public_key


def test_a_new_guard_cut_off_leaves_the_old_one(made: tuple[Path, bytes]) -> None:
    """Killed after the new key files, before custody.json names them: the old secret opens."""
    before = (made[0] / custody.FILE).read_bytes()
    copy = made[0].with_name("copy")
    shutil.copytree(made[0], copy)
    held, fresh = Custody(made[0]), guard.new_secret()
    held.reguard(bytearray(made[1]), fresh, guard.by_passphrase(fresh, "other", LEAST))
    (new,) = (made[0] / "epochs").iterdir()
    shutil.copytree(new, copy / "epochs" / new.name)
    again = Custody(copy)
    again.unlock(bytearray(made[1]), NOW)
    assert (copy / custody.FILE).read_bytes() == before
    assert again.identities("2026Q4")


def test_only_a_retired_epoch_is_destroyed(made: tuple[Path, bytes]) -> None:
    held = Custody(made[0])
    with pytest.raises(ConflictError, match="the epoch is active"):
        held.destroy("2026Q4", NOW)
    held.rotate(bytearray(made[1]), NEXT)
    gone = held.destroy("2026Q4", NEXT)
    assert held.state.standing(gone, NEXT) == "destroyed"
    held.want("2027Q1")
    held.unlock(bytearray(made[1]), NEXT)
    assert [*held.opened] == ["2027Q1"]
    with pytest.raises(NotFoundError, match="destroyed"):
        held.unlock(bytearray(made[1]), NEXT, ["2026Q4"])
    assert not list(made[0].glob("epochs/*/2026Q4.key"))


def test_files_are_for_the_keyholder_alone(made: tuple[Path, bytes]) -> None:
    for path in made[0].rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        assert made[1].hex() not in path.read_text() if path.is_file() else True
    os.chmod(made[0], 0o750)
    with pytest.raises(MalformedError, match="open to others"):
        Custody(made[0])
    with pytest.raises(MalformedError, match="gateway keyholder init"):
        Custody(made[0] / "elsewhere")


def test_a_key_file_of_another_epoch_is_noticed(made: tuple[Path, bytes]) -> None:
    """Somebody put a key of his own in place, sealed under the right secret even."""
    (path,) = made[0].glob("epochs/*/2026Q4.key")
    path.unlink()
    other = generate_identity(Suite.PQ)
    phrase = custody._phrase(bytearray(made[1]))
    keyfiles.write(path, "age", str(other.recipient), other.text.encode(), phrase, LEAST)
    with pytest.raises(MalformedError, match="another epoch"):
        Custody(made[0]).unlock(bytearray(made[1]), NOW)


def test_a_folder_is_taken_once(made: tuple[Path, bytes]) -> None:
    secret = guard.new_secret()
    with pytest.raises(ConflictError):
        custody.create(made[0], secret, guard.by_passphrase(secret, "x", LEAST), NOW)


@pytest.mark.parametrize(
    ("months", "begin", "end", "name"),
    [
        (3, "2026-10-01", "2027-01-01", "2026Q4"),
        (1, "2026-11-01", "2026-12-01", "2026-11"),
        (12, "2026-01-01", "2027-01-01", "2026"),
        (6, "2026-07-01", "2027-01-01", "2026-07"),
    ],
)
def test_epochs_have_the_length_that_was_chosen(
    months: int, begin: str, end: str, name: str
) -> None:
    first, last = period(NOW, months)
    assert (first.date().isoformat(), last.date().isoformat()) == (begin, end)
    assert period(following(NOW, months), months)[0] == last
    assert name_of(first, months) == name
    assert name_of(first, months, [name]) == f"{name}b"
    check_months(months)


def test_an_epoch_of_five_months_is_none() -> None:
    with pytest.raises(MalformedError):
        check_months(5)
    with pytest.raises(MalformedError, match="26 epochs"):
        name_of(NOW, 12, ["2026", *(f"2026{c}" for c in "bcdefghijklmnopqrstuvwxyz")])


PROBE = """
import json, pathlib, resource
from gateway.keyholder import memory
found = memory.protect()
status = pathlib.Path("/proc/self/status").read_text()
readable = pathlib.Path("/proc/self").stat().st_uid
print(json.dumps({
  "core": resource.getrlimit(resource.RLIMIT_CORE), "said": [found.core, found.dumpable, found.swap],
  "locked": int(status.split("VmLck:")[1].split()[0]), "lacks": found.lacks(),
}))
"""


def test_a_protected_process_leaves_no_dump() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["core"] == [0, 0]
    assert seen["said"][:2] == [True, True]
    assert (seen["locked"] > 0) == seen["said"][2] == (not seen["lacks"])
