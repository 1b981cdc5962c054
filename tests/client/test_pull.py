"""The authority's tool: cut off anywhere, it goes on; what is not what was shared gets no name."""

from pathlib import Path

import pytest

from gateway.client import pull
from gateway.client.session import Session
from gateway.exchange.receipts import Rung
from gateway.kernel.errors import UnavailableError, VerificationError
from tests.world import World, build_world, running, session, share_with, source


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path, ("xa",))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "deep.bin"
    path.write_bytes(b"evidence" * 20_000)
    return path


async def cut_off_at(
    rung: Rung, endpoint: Session, share: str, out: Path, patch: pytest.MonkeyPatch
) -> None:
    """Pull until the receipt of *rung* is due, and fail there."""
    whole = pull.acknowledge

    async def cut(s: Session, name: str, manifest: str, at: Rung) -> str:
        if at is rung:
            raise UnavailableError("cut off")
        return await whole(s, name, manifest, at)

    with patch.context() as local:
        local.setattr(pull, "acknowledge", cut)
        with pytest.raises(UnavailableError):
            await pull.pull(endpoint, share, out, lambda _: None)


@pytest.mark.parametrize("rung", [Rung.PULLED, Rung.VERIFIED])
async def test_a_pull_cut_off_before_a_receipt_goes_on(
    world: World, data: Path, rung: Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = world.root / "out"
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data, "a/b/deep.bin")])
        await cut_off_at(rung, endpoint, share, out, monkeypatch)
        fetched: list[int] = []
        done = await pull.pull(endpoint, share, out, fetched.append)
        assert sum(fetched) <= data.stat().st_size + 4096
    assert (done.folder / "a/b/deep.bin").read_bytes() == data.read_bytes()
    assert sorted(path.name for path in out.iterdir()) == [share, f"{share}.terms.json"]


async def test_files_changed_after_a_pull_are_not_vouched_for(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = world.root / "out"
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        await cut_off_at(Rung.VERIFIED, endpoint, share, out, monkeypatch)
        (out / share / "deep.bin").write_bytes(b"changed")
        with pytest.raises(VerificationError, match="move it away"):
            await pull.pull(endpoint, share, out, lambda _: None)
        (out / share / "deep.bin").unlink()
        with pytest.raises(VerificationError, match="move it away"):
            await pull.pull(endpoint, share, out, lambda _: None)


async def test_a_fetched_part_that_rotted_on_disk_is_fetched_again(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = world.root / "out"
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        await cut_off_at(Rung.PULLED, endpoint, share, out, monkeypatch)
        kept = out / f".{share}.partial" / "0.age"
        rotten = bytearray(kept.read_bytes())
        rotten[5000] ^= 1
        kept.write_bytes(rotten)
        done = await pull.pull(endpoint, share, out, lambda _: None)
    assert (done.folder / "deep.bin").read_bytes() == data.read_bytes()


async def test_another_manifest_for_a_share_that_was_seen_is_refused(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = world.root / "out"
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        endpoint.folder.keep(f"manifest-{share}", b"0" * 64)
        with pytest.raises(VerificationError, match="another manifest"):
            await pull.pull(endpoint, share, out, lambda _: None)
        assert not out.exists()


async def test_an_inbox_message_is_shown_once_unless_all_are_asked_for(
    world: World, data: Path
) -> None:
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        assert [m.share for m in await pull.inbox(endpoint)] == [share]
        assert await pull.inbox(endpoint) == []
        assert [m.share for m in await pull.inbox(endpoint, everything=True)] == [share]
