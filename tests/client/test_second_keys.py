"""Second keys on disk and in the directory's files: made, read again, entered once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import keyfiles
from gateway.cli.main import app
from gateway.client import ceremony
from gateway.envelope import Suite
from gateway.exchange.directory import Root, open_set
from gateway.exchange.parse import decode
from gateway.exchange.parties import Kind, Member, Role, Second, Use
from gateway.kernel.errors import ConflictError, MalformedError, NotFoundError, VerificationError
from gateway.kernel.signing import KeySigner
from gateway.kernel.time import spell
from tests.client.test_ceremony import PLACE

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def second_of(signer: KeySigner) -> bytes:
    assert signer.second is not None
    return signer.second.seed


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
def test_a_key_file_holds_both_seeds(tmp_path: Path, passphrase: str | None) -> None:
    path = tmp_path / "message.key"
    made = keyfiles.make_signer(path, passphrase, second=True)
    read = keyfiles.read_signer(path, passphrase)
    assert (read.seed, second_of(read)) == (made.seed, second_of(made))
    said = json.loads(path.read_bytes())
    assert said["v"] == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_from_before_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.key"
    made = keyfiles.make_signer(path, None)
    assert json.loads(path.read_bytes())["v"] == 1
    assert keyfiles.read_signer(path, None) == made


@pytest.mark.parametrize("changes", [{"v": 1}, {"v": 3}, {"second": None}])
def test_a_key_file_whose_version_is_not_its_content_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / "message.key"
    keyfiles.make_signer(path, None, second=True)
    said = {**json.loads(path.read_bytes()), **changes}
    path.write_text(json.dumps({name: value for name, value in said.items() if value is not None}))
    with pytest.raises(MalformedError, match="another version"):
        keyfiles.read_signer(path, None)


def test_a_second_key_is_put_beside_the_first_once(tmp_path: Path) -> None:
    path = tmp_path / "message.key"
    old = keyfiles.make_signer(path, None)
    (tmp_path / "message.new").write_text("what an earlier run was cut off in")
    made = keyfiles.add_second(path, None)
    read = keyfiles.read_signer(path, None)
    assert (read.seed, second_of(read)) == (old.seed, second_of(made))
    assert [file.name for file in tmp_path.iterdir()] == ["message.key"]
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConflictError, match="already"):
        keyfiles.add_second(path, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "directory"
    made.mkdir()
    ceremony.write_root(made, [KeySigner.from_seed(bytes(32))], 1, NOW)
    ceremony.add_party(made, "mechanism", "The mechanism", Kind.MECHANISM, None)
    return made


def add(folder: Path, out: Path, seconds: ceremony.Seconds) -> Member:
    return ceremony.add_member(
        folder,
        "mechanism",
        "Author",
        (Role.POLICY_AUTHOR,),
        out,
        PLACE,
        person=True,
        suites=(Suite.CLASSIC,),
        passphrase=None,
        now=NOW,
        seconds=seconds,
    )


@pytest.mark.parametrize(
    ("seconds", "uses"),
    [
        (ceremony.Seconds.NONE, set()),
        (ceremony.Seconds.KEPT, {Use.MESSAGE, Use.POLICY}),
        (ceremony.Seconds.ALL, {Use.REQUEST, Use.MESSAGE, Use.POLICY}),
    ],
)
def test_a_new_members_keys_sign_twice_as_was_asked_from_their_first_day(
    folder: Path, tmp_path: Path, seconds: ceremony.Seconds, uses: set[Use]
) -> None:
    made = add(folder, tmp_path / "keys", seconds)
    twice = {key.use: key for key in made.keys if isinstance(key.second, Second)}
    assert set(twice) == uses
    assert ceremony.find_party(folder, "mechanism").members == (made,)
    for use, key in twice.items():
        assert isinstance(key.second, Second)
        assert key.second.mandatory_from == key.not_before
        signer = keyfiles.read_signer(tmp_path / "keys" / f"{use.value}.key", None)
        assert ceremony.paired(key, signer, key.not_before) == key


def test_a_key_is_paired_by_its_owner_once(folder: Path, tmp_path: Path) -> None:
    made = add(folder, tmp_path / "keys", ceremony.Seconds.NONE)
    path, due = tmp_path / "keys" / "message.key", spell(NOW + timedelta(days=30))
    with pytest.raises(ConflictError, match="no second"):
        ceremony.pair(folder, keyfiles.read_signer(path, None), due)
    signer = keyfiles.add_second(path, None)
    assert ceremony.pair(folder, signer, due) == made.id
    (after,) = ceremony.find_party(folder, "mechanism").members
    changed = [key for key in after.keys if key not in made.keys]
    assert [key.use for key in changed] == [Use.MESSAGE]
    with pytest.raises(ConflictError, match="already"):
        ceremony.pair(folder, signer, due)
    with pytest.raises(NotFoundError, match="nobody's"):
        ceremony.pair(folder, KeySigner.generate(second=True), due)


def test_a_revoked_key_keeps_its_pair(folder: Path, tmp_path: Path) -> None:
    made = add(folder, tmp_path / "keys", ceremony.Seconds.KEPT)
    kid = next(key.kid for key in made.keys if key.use is Use.MESSAGE)
    ceremony.revoke(folder, kid)
    (after,) = ceremony.find_party(folder, "mechanism").members
    assert all(isinstance(key.second, Second) for key in after.keys if key.kid == kid)


def test_a_custodians_key_is_paired_no_sooner_than_the_set_in_force_ends(folder: Path) -> None:
    custodian = KeySigner.from_seed(bytes(32))
    with pytest.raises(MalformedError, match="--from"):
        ceremony.day_after_set(folder)
    ceremony.sign_set(folder, [custodian], NOW, days=90)
    path = folder / "custodian.key"
    made = KeySigner.from_seed(bytes(32), KeySigner.generate(second=True).second)
    end = ceremony.day_after_set(folder)
    assert end == spell(NOW + timedelta(days=91))
    with pytest.raises(ConflictError, match="mandatory later"):
        ceremony.pair_custodian(folder, made, spell(NOW + timedelta(days=90)))
    with pytest.raises(NotFoundError, match="root"):
        ceremony.pair_custodian(folder, KeySigner.generate(second=True), end)
    ceremony.pair_custodian(folder, made, end)
    assert not path.exists()
    root = decode((folder / "root.json").read_bytes(), Root)
    assert open_set((folder / "set.json").read_bytes(), root).number == 1, "it stays readable"
    with pytest.raises(ConflictError, match="already"):
        ceremony.pair_custodian(folder, made, end)
    with pytest.raises(VerificationError, match="due and missing"):
        ceremony.sign_set(folder, [custodian], NOW + timedelta(days=1), days=90)
    assert ceremony.sign_set(folder, [made], NOW + timedelta(days=1), days=90) == 2


def command(*args: str) -> tuple[int, str, str]:
    """Run a command in this process: each of its own would take a second."""
    done = CliRunner().invoke(app, args)
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


def test_an_instance_signs_twice_unless_told_otherwise(tmp_path: Path) -> None:
    instance, out = tmp_path / "gateway", tmp_path / "sharer"
    assert command("init", str(instance), "--same-volume", "--unsealed")[0] == 0
    at = ("--instance", str(instance))
    new = ("keys", "add-person", "mechanism", "Sharer", "--role", "sharer", "--unsealed", *at)
    assert command(*new, "--out", str(out))[0] == 0
    assert "none, kept or all" in command(*new, "--out", f"{out}2", "--second", "some")[2]
    request = str(out / "request.key")
    begin = ("keys", "add-second", request, *at)
    assert command(*begin, "--from", "tomorrow")[0] == 2
    assert "SIGHUP" in command(*begin, "--from", "2030-01-01")[2]
    assert "paired already" in command(*begin)[2]
    rows = json.loads(command("keys", "list", "--json", *at)[1])
    twice = {row["use"]: row["second"] for row in rows if row["second"]}
    assert set(twice) == {"manifest", "request", "message"}
    assert twice["request"] == "2030-01-01T00:00:00Z"
    assert "twice from 2030-01-01" in command("keys", "list", *at)[1]
    assert json.loads(command("keys", "sign", "--json", *at)[1]) == {"number": 1}


def test_a_custodian_is_told_to_hand_out_the_changed_root(tmp_path: Path) -> None:
    instance = tmp_path / "gateway"
    assert command("init", str(instance), "--same-volume", "--unsealed", "--no-second")[0] == 0
    at = ("--instance", str(instance))
    custodian = str(instance / "custodian" / "directory.key")
    assert command("keys", "sign", *at)[0] == 0
    code, out, err = command("keys", "add-second", custodian, "--custodian", "--json", *at)
    assert (code, "root.json has changed" in err) == (0, True)
    assert json.loads(out)["mandatory_from"].endswith("T00:00:00Z")
    assert json.loads(command("keys", "sign", "--json", *at)[1]) == {"number": 2}
    pinned, root = instance / "keyholder" / "root.json", instance / "directory" / "root.json"
    assert pinned.read_bytes() == root.read_bytes(), "else it would not know the next set"
