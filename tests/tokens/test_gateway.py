"""A gateway whose keys for manifests, checkpoints and the directory lie in a token."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import keyfiles, wiring
from gateway.cli.main import app
from gateway.client import ceremony, pull
from gateway.client.trust import refresh_checkpoint
from gateway.exchange.directory import Root
from gateway.exchange.parse import decode
from gateway.exchange.parties import Status, Use
from gateway.kernel.errors import (
    MalformedError,
    UnavailableError,
)
from gateway.keyfiles import tokens
from gateway.settings import Settings
from gateway.store import ledger
from tests.tokens.conftest import Token
from tests.world import (
    POLICIES,
    STAFF,
    World,
    build_world,
    free_port,
    running,
    session,
    share_with,
    source,
)

CUSTODIAN = "custodian/directory.key"


def bare(root: Path) -> World:
    """Make an instance with nobody in it."""
    port = free_port()
    config = Settings(
        audience=f"http://127.0.0.1:{port}",
        origin="test.example/ledger",
        database="sqlite:///data/gateway.db",
        same_volume=True,
        port=port,
        admin_port=free_port(),
    )
    world = World(root, config)
    wiring.init_instance(world.instance, config, None, POLICIES, second=True)
    (world.instance / "data").mkdir(exist_ok=True)
    return world


def take(world: World, token: Token, use: str, *more: str) -> tuple[int, str]:
    """Put a key of the token to use by the public command."""
    args = ["keys", "token-key", use, "--uri", token.uri(use), "--module", token.module]
    done = CliRunner().invoke(app, [*args, "--instance", str(world.instance), *more])
    return done.exit_code, " ".join(done.stderr.split())


def sign(world: World) -> int:
    """Sign the directory by the public command, whose custodian's key lies in the token."""
    done = CliRunner().invoke(app, ["keys", "sign", "--json", "--instance", str(world.instance)])
    assert done.exit_code == 0, done.stderr
    return int(json.loads(done.stdout)["number"])


def complete(root: Path, token: Token) -> World:
    """Make a world whose three keys lie in the token."""
    world = bare(root)
    custodian = str(world.instance / CUSTODIAN)
    assert take(world, token, "checkpoint", "--make")[0] == 0
    assert take(world, token, "manifest", "--make")[0] == 0
    assert take(world, token, "directory", "--make", "--custodian", custodian)[0] == 0
    for who, roles in STAFF.items():
        world.add_staff(who, *roles)
    world.add_authority("xa")
    sign(world)
    world.sign_policy()
    return world


async def test_a_gateway_signs_in_its_token_and_outlives_its_absence(
    token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = complete(tmp_path / "world", token)
    secrets = world.instance / world.config.secrets
    assert '"kind":"pkcs11"' in (secrets / "manifest.key").read_text()
    data = tmp_path / "statement.txt"
    data.write_bytes(b"evidence")
    async with running(world) as live, session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        done = await pull.pull(endpoint, share, tmp_path / "out", lambda _: None)
        assert (done.folder / data.name).read_bytes() == b"evidence"
        size = (await refresh_checkpoint(endpoint)).size
        token.take_away()
        with monkeypatch.context() as impatient:
            impatient.setattr("gateway.client.session._TRIES", 1)
            with pytest.raises(UnavailableError, match="the token gateway does not sign"):
                await share_with(world, "xa", [source(data)])
        with live.gateway.engine.connect() as conn:
            kept, _ = ledger.head(conn)
        assert (await refresh_checkpoint(endpoint)).size == size == kept, "nothing was done"
        token.bring_back()
        again = await share_with(world, "xa", [source(data)])
        await pull.pull(endpoint, again, tmp_path / "out", lambda _: None)
        assert (await refresh_checkpoint(endpoint)).size > size
        assert sign(world) == 2
        assert live.reload() == []


async def test_a_gateway_does_not_start_without_its_token_or_with_a_wrong_pin(
    token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = bare(tmp_path / "world")
    assert take(world, token, "manifest", "--make")[0] == 0
    world.sign()
    token.take_away()
    with pytest.raises(UnavailableError, match="see that it is there"):
        async with running(world):
            pass
    token.bring_back()
    tokens.close_all()
    with monkeypatch.context() as local:
        local.setenv(tokens.PIN, "000000")
        for said in ("refuses the PIN", "not asked again"):
            with pytest.raises(UnavailableError, match=said):
                async with running(world):
                    pass
    tokens.close_all()
    async with running(world):
        pass


async def test_a_manifest_key_moves_into_a_token_and_what_the_old_one_signed_still_holds(
    token: Token, tmp_path: Path
) -> None:
    world = build_world(tmp_path / "world", ("xa",))
    data = tmp_path / "statement.txt"
    data.write_bytes(b"evidence")
    async with running(world):
        before = await share_with(world, "xa", [source(data)])
    assert take(world, token, "manifest", "--make")[0] == 0
    assert take(world, token, "manifest")[0] == 0, "once more, as after a cut"
    keys = [
        key
        for member in ceremony.find_party(world.directory, "mechanism").members
        for key in member.keys
        if key.use is Use.MANIFEST
    ]
    assert [key.status for key in keys] == [Status.RETIRED, Status.ACTIVE]
    path = world.instance / world.config.secrets / "manifest.key"
    assert path.with_name("manifest.key.before").exists()
    world.sign()
    async with running(world), session(world, "xa") as endpoint:
        after = await share_with(world, "xa", [source(data)])
        for share in (before, after):
            await pull.pull(endpoint, share, tmp_path / "out", lambda _: None)
        assert len(await pull.inbox(endpoint)) == 2


def test_the_logs_key_cannot_change_once_anybody_has_pinned_it(
    token: Token, tmp_path: Path
) -> None:
    world = bare(tmp_path / "world")
    world.add_staff("sharer", *STAFF["sharer"])
    key = world.instance / world.config.secrets / "checkpoint.key"
    before = key.read_bytes()
    code, said = take(world, token, "checkpoint", "--make")
    assert (code != 0, "only a new instance" in said) == (True, True)
    assert key.read_bytes() == before


def test_a_custodians_key_is_replaced_in_the_root_before_a_set_is_signed(
    token: Token, tmp_path: Path
) -> None:
    world = bare(tmp_path / "world")
    custodian = world.instance / CUSTODIAN
    code, said = take(world, token, "directory", "--make")
    assert (code, "custodian" in said) == (2, True)
    other = tmp_path / "other.key"
    keyfiles.make_signer(other, None)
    code, said = take(world, token, "directory", "--make", "--custodian", str(other))
    assert "does not name this custodian" in said
    assert take(world, token, "directory", "--custodian", str(custodian))[0] == 0
    root = decode((world.directory / "root.json").read_bytes(), Root)
    assert [key.raw() for key in root.keys] == [keyfiles.public_key(custodian)]
    assert sign(world) == 1
    fresh = tmp_path / "again.key"
    fresh.write_bytes(custodian.with_name("directory.key.before").read_bytes())
    fresh.chmod(0o600)
    args = ("--make", "--custodian", str(fresh), "--uri", token.uri("third"))
    assert "a set is signed already" in take(world, token, "directory", *args)[1]


def test_a_token_key_for_another_use_is_refused(token: Token, tmp_path: Path) -> None:
    world = bare(tmp_path / "world")
    code, said = take(world, token, "request", "--make")
    assert (code, "manifest, checkpoint or directory" in said) == (2, True)
    args = (world.instance, world.config, Use.MESSAGE, token.uri("x"), token.module)
    with pytest.raises(MalformedError, match="holds keys for"):
        wiring.take_token_key(*args)
