"""A gateway whose every signature is made twice: it works, and what lacks the second is refused."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import keyfiles
from gateway.client import ceremony, pull
from gateway.client.moments import moment_of
from gateway.client.profile import KeyFolder
from gateway.exchange.acts import Ask, Recall, order_body
from gateway.kernel.encoding import Json, canonical_json
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.signing import KeySigner, sign
from gateway.kernel.time import spell
from tests.vectors import ROOT
from tests.world import Running, World, build_world, running, session, share_with, source

LATER = "2040-01-01T00:00:00Z"


def once(signer: KeySigner) -> KeySigner:
    """Return the same signer without its second key: whoever broke Ed25519 has no more."""
    return KeySigner.from_seed(signer.seed)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("twice"), ("xa",), seconds=ceremony.Seconds.ALL)


@pytest.fixture
async def live(world: World) -> AsyncIterator[Running]:
    async with running(world) as made:
        yield made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "statement.txt"
    path.write_bytes(b"evidence")
    return path


def seconds_of(container: bytes) -> list[bool]:
    return [one["sig2"] is not None for one in json.loads(container)["signatures"]]


def checked_twice(root: Path, typ: str, container: bytes) -> "subprocess.CompletedProcess[str]":
    """Check an object by the example of the documentation, against the view that was kept."""
    (root / "object").write_bytes(container)
    script = ROOT / "docs" / "examples" / "check_twice.py"
    args = (typ, str(root / "object"), str(root / "view"), spell(datetime.now(UTC)))
    return subprocess.run(
        [sys.executable, str(script), *args], capture_output=True, text=True, check=False
    )


async def test_everything_signed_that_is_kept_is_signed_twice(
    world: World, live: Running, data: Path
) -> None:
    share = await share_with(world, "xa", [source(data)])
    async with session(world, "xa") as endpoint:
        messages = await pull.inbox(endpoint, everything=True)
        assert share in [message.share for message in messages]
        done = await pull.pull(endpoint, share, world.root / share, lambda _: None)
        assert (done.folder / data.name).read_bytes() == b"evidence"
        manifest = (await endpoint.get(f"/v1/shares/{share}/manifest")).body
        page = (await endpoint.get("/v1/inbox?after=0")).json()["messages"]
        whole = (await endpoint.get("/v1/directory")).body
        (world.root / "view").write_bytes(whole)
        view = json.loads(whole)["signed"]
    kept = [manifest, view.encode(), *(str(text).encode() for text in page)]  # type: ignore[union-attr]
    shown = checked_twice(world.root, "eg-manifest", manifest)
    assert json.loads(shown.stdout)["share"] == share
    stripped = json.loads(manifest)
    stripped["signatures"][0]["sig2"] = None
    refused = checked_twice(world.root, "eg-manifest", canonical_json(stripped))
    assert "due and missing" in refused.stderr
    with live.gateway.engine.connect() as conn:
        orders = conn.exec_driver_sql("select body from orders").scalars().all()
    acts = [body for body in map(bytes, orders) if b'"act"' in body]
    kept += [body for body in map(bytes, orders) if b'"signatures"' in body]
    assert len(kept) >= 5
    assert all(all(seconds_of(container)) for container in kept)
    assert acts
    assert all(json.loads(body)["sig2"] for body in acts)
    assert all(seconds_of((world.policy / "manifest.sig").read_bytes().strip()))


async def test_an_act_whose_second_signature_was_stripped_is_refused_and_entered(
    world: World, live: Running, data: Path
) -> None:
    share = await share_with(world, "xa", [source(data)])
    async with session(world, "releaser") as releaser:
        act = Recall(share, Ask.SEQUESTER, "stripped")
        body = order_body(act, once(releaser.folder.request_signer()))
        with pytest.raises(VerificationError, match="due and missing"):
            await releaser.request("POST", f"/v1/shares/{share}/recall", body, JSON)
        other = json.loads(
            order_body(Recall(share, Ask.SEQUESTER, "another"), releaser.folder.request_signer())
        )
        moved = canonical_json({**json.loads(body), "sig2": other["sig2"]})
        with pytest.raises(VerificationError, match="does not hold"):
            await releaser.request("POST", f"/v1/shares/{share}/recall", moved, JSON)
        assert (await releaser.get(f"/v1/shares/{share}")).json()["state"] == "available"
        await releaser.act(f"/v1/shares/{share}/recall", act)
    async with session(world, "xa") as endpoint:
        told = await pull.inbox(endpoint, everything=True)
    assert told[-1].about.value == "share.recalled"


JSON = {"Content-Type": "application/json"}


async def test_a_receipt_without_the_second_signature_is_refused(
    world: World, live: Running, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = await share_with(world, "xa", [source(data)])
    async with session(world, "xa") as endpoint:
        whole = KeyFolder.message_signer
        with monkeypatch.context() as local:
            local.setattr(KeyFolder, "message_signer", lambda folder: once(whole(folder)))
            with pytest.raises(VerificationError, match="due and missing"):
                await pull.pull(endpoint, share, world.root / share, lambda _: None)
        endpoint.folder.forget(f"receipt-pulled-{share}")
        await pull.pull(endpoint, share, world.root / share, lambda _: None)


async def test_an_author_who_signs_twice_knows_her_own_draft(world: World) -> None:
    """Else she could not sign an edited folder again before her colleague has."""
    path = next(world.policy.glob("rules/*.yaml"))
    for _ in range(2):
        path.write_text(path.read_text() + "# edited\n")
        assert world.sign_policy("author1").signatures == 1
    assert world.sign_policy("author2").signatures == 2


@contextmanager
def signing(live: Running, signer: Any) -> Iterator[None]:
    before, live.gateway.manifest_signer = live.gateway.manifest_signer, signer
    try:
        yield
    finally:
        live.gateway.manifest_signer = before


def gateway_key(world: World) -> KeySigner:
    path = world.instance / world.config.secrets / "manifest.key"
    return keyfiles.read_signer(path, None)


async def test_a_manifest_or_message_without_the_second_signature_is_refused_by_the_recipient(
    world: World, live: Running, data: Path
) -> None:
    with signing(live, once(gateway_key(world))):
        share = await share_with(world, "xa", [source(data)])
    async with session(world, "xa") as endpoint:
        with pytest.raises(VerificationError, match="due and missing"):
            await pull.pull(endpoint, share, world.root / share, lambda _: None)
        with pytest.raises(VerificationError, match="due and missing"):
            await pull.inbox(endpoint, everything=True)


async def test_the_gateway_signs_once_until_the_directory_pairs_its_keys(
    tmp_path: Path, data: Path
) -> None:
    """A key file that is ahead of the signed set must not make messages that nobody believes."""
    world = build_world(tmp_path / "world", ("xa",))
    path = world.instance / world.config.secrets / "manifest.key"
    signer = keyfiles.add_second(path, None)
    async with running(world) as live, session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        manifest = (await endpoint.get(f"/v1/shares/{share}/manifest")).body
        assert seconds_of(manifest) == [False]
        assert len(await pull.inbox(endpoint)) == 1
        due = datetime.now(UTC) + timedelta(hours=1)
        ceremony.pair(world.directory, signer, spell(due))
        world.sign()
        assert live.reload() == []
        second = await share_with(world, "xa", [source(data)])
        container = (await endpoint.get(f"/v1/shares/{second}/manifest")).body
        assert seconds_of(container) == [True]
        await pull.pull(endpoint, share, tmp_path / "out", lambda _: None)
        await pull.pull(endpoint, second, tmp_path / "out", lambda _: None)
        assert len(await pull.inbox(endpoint, everything=True)) == 2, "old ones stay readable"


def message(at: datetime) -> bytes:
    return sign("eg-message", {"at": spell(at)}, KeySigner.from_seed(bytes(32)))


def test_a_message_cannot_say_that_it_is_older_than_the_one_before_it() -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert moment_of(message(old), None) == old
    assert moment_of(message(new), old) == new
    assert moment_of(message(old), new) == new
    payloads: list[Json] = [{}, {"at": 1}, []]
    for payload in payloads:
        with pytest.raises(MalformedError):
            moment_of(sign("t", payload, KeySigner.from_seed(bytes(32))), None)
