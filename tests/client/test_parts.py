"""An item of several parts: nothing is hashed or fetched again that need not be, and a bad part is named."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.client import arrived, pull
from gateway.client.session import Session
from gateway.envelope import parts
from gateway.exchange.receipts import Rung
from gateway.kernel.errors import UnavailableError, VerificationError
from tests.client.test_pull import cut_off_at
from tests.world import Running, World, build_world, running, session, share_with, source

PART = 300_000  # bytes: not of whole chunks, as the real ones
SIZE = 4 * PART + 5000
CONTENT = random.Random(5).randbytes(SIZE)


@pytest.fixture(autouse=True)
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", PART)
        yield


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path, ("xa",))


class CutError(Exception):
    """The power went."""


class Meter:
    """Counts what comes, and cuts it off."""

    def __init__(self, limit: int | None = None) -> None:
        self.first: int | None = None
        self.fetched = 0
        self._limit = limit

    def __call__(self, count: int) -> None:
        if self.first is None:
            self.first = count
            return
        self.fetched += count
        if self._limit is not None and self.fetched >= self._limit:
            raise CutError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "deep.bin"
    path.write_bytes(CONTENT)
    return path


def hashed(patch: pytest.MonkeyPatch) -> list[int]:
    """Note how many bytes of files are hashed."""
    spans: list[int] = []
    whole = arrived.digest_of_span

    def noting(handle: object, start: int, end: int) -> object:
        spans.append(end - start)
        return whole(handle, start, end)  # type: ignore[arg-type]

    patch.setattr(arrived, "digest_of_span", noting)
    return spans


async def test_the_inner_manifest_lists_the_parts_of_a_large_body_alone(
    world: World, data: Path
) -> None:
    small = world.root / "small.bin"
    small.write_bytes(b"x" * 1000)
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(small), source(data)])
        manifest, inner, _ = await pull.offered(endpoint, share)
        large = next(i for i in inner.items if i.particulars.name == "deep.bin").n
        assert [len(inner.parts_of(n)) for n in (large, 1 - large)] == [5, 0]
        done = await pull.pull(endpoint, share, world.root / "out", lambda _: None)
    assert (done.folder / "deep.bin").read_bytes() == CONTENT
    assert sum(item.body_size for item in manifest.items) > SIZE


async def test_a_pull_cut_in_the_middle_hashes_and_fetches_no_finished_part_again(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = world.root / "out"
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        with pytest.raises(CutError):
            await pull.pull(endpoint, share, out, Meter(int(2.4 * PART)))
        there = (out / f".{share}.partial" / "0.age").stat().st_size
        assert there >= 2.4 * PART
        spans, meter = hashed(monkeypatch), Meter()
        done = await pull.pull(endpoint, share, out, meter)
    assert meter.first is not None
    assert meter.first + meter.fetched < SIZE + 5000
    assert meter.first >= there
    assert sum(spans) < PART + 5000  # the header, and the part that was cut
    assert (done.folder / "deep.bin").read_bytes() == CONTENT


async def test_a_part_that_rotted_while_the_pull_was_cut_off_is_fetched_again_alone(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, said = world.root / "out", list[str]()
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        await cut_off_at(Rung.PULLED, endpoint, share, out, monkeypatch)
        spoil(out / f".{share}.partial" / "0.age", 2 * PART)
        counts: list[int] = []
        done = await pull.pull(endpoint, share, out, counts.append, say=said.append)
    assert (done.folder / "deep.bin").read_bytes() == CONTENT
    believed, held, *came = counts
    assert believed - held == sum(came) == PART
    assert said == ["what was fetched has changed on this disk: it is fetched again"]


async def test_a_state_file_that_lies_or_was_cut_vouches_for_nothing(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = world.root / "out"
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        await cut_off_at(Rung.PULLED, endpoint, share, out, monkeypatch)
        state = out / f".{share}.partial" / "0.verified"
        lines = state.read_text("ascii").splitlines(keepends=True)
        assert len(lines) == 5
        state.write_text("".join([*lines[:2], f"4 {'0' * 64}\n", "9 x\n", lines[3][:-1]]), "ascii")
        spans = hashed(monkeypatch)
        done = await pull.pull(endpoint, share, out, Meter())
    assert 2 * PART < sum(spans) < 3 * PART + 5000
    assert (done.folder / "deep.bin").read_bytes() == CONTENT


async def test_a_part_that_is_not_what_was_signed_is_named_and_nothing_is_decrypted(
    world: World, data: Path
) -> None:
    out, said, meter = world.root / "out", list[str](), Meter()
    async with running(world) as live, session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        blob = stored(live)
        spoil(blob, 3 * PART + 100)
        with pytest.raises(VerificationError, match="part 4 of 5 of item 0 is not what"):
            await pull.pull(endpoint, share, out, meter, say=said.append)
        assert said == [
            "part 4 of 5 of item 0 came as something else than was signed: it alone is fetched again"
        ]
        assert meter.fetched < SIZE + PART + 5000
        work = out / f".{share}.partial"
        assert sorted(path.name for path in work.iterdir()) == ["0.age", "0.verified"]
        spoil(blob, 3 * PART + 100)  # the operator restores it
        again = Meter()
        done = await pull.pull(endpoint, share, out, again)
    assert again.fetched == PART
    assert (done.folder / "deep.bin").read_bytes() == CONTENT


async def test_a_pull_that_brings_nothing_gives_up(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(data)])
        tries: list[str] = []

        def gone(self: Session, method: str, target: str, **kw: object) -> object:
            tries.append(target)
            raise UnavailableError("the line is down")

        with monkeypatch.context() as patch:
            patch.setattr("gateway.client.fetch._PAUSE", 0.0)
            whole = Session.stream

            def stream(
                self: Session, method: str, target: str, *args: object, **kw: object
            ) -> object:
                if "/items/" in target:
                    return gone(self, method, target)
                return whole(self, method, target, *args, **kw)  # type: ignore[arg-type]

            patch.setattr(Session, "stream", stream)
            with pytest.raises(UnavailableError, match="line is down"):
                await pull.pull(endpoint, share, world.root / "out", Meter())
    assert len(tries) == 8


def spoil(path: Path, at: int) -> None:
    """Flip a bit of a file."""
    changed = bytearray(path.read_bytes())
    changed[at] ^= 1
    path.write_bytes(changed)


def stored(live: Running) -> Path:
    """Return the file of the only large blob that the gateway keeps."""
    names = [n for n in live.gateway.blobs.names() if live.gateway.blobs.size(n) > SIZE]
    assert len(names) == 1
    return live.gateway.blobs._path(names[0])
