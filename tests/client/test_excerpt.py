"""A range of an item: the right bytes, from few of the sealed ones, and said how far they are verified."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.client import excerpt, pull
from gateway.client.session import Session
from gateway.envelope import CHUNK, parts
from gateway.kernel.errors import MalformedError, NotFoundError, VerificationError
from tests.client.test_parts import PART, spoil, stored
from tests.vectors import ROOT
from tests.world import World, build_world, running, session, share_with, source

SIZE = 4 * PART + 5000
CONTENT = random.Random(6).randbytes(SIZE)


@pytest.fixture(autouse=True)
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", PART)
        yield


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "deep.bin").write_bytes(CONTENT)
    return build_world(tmp_path, ("xa",))


class Counted:
    """A source that counts what is read from it."""

    def __init__(self, inner: excerpt.Sealed) -> None:
        self._inner, self.read_bytes = inner, 0

    async def read(self, start: int, end: int):  # type: ignore[no-untyped-def]
        async for data in self._inner.read(start, end):
            self.read_bytes += len(data)
            yield data


async def show(
    endpoint: Session,
    share: str,
    text: str,
    from_: excerpt.Sealed,
    *,
    check: bool = False,
    n: int = 0,
) -> tuple[bytes, excerpt.Excerpt]:
    manifest, inner, _ = await pull.offered(endpoint, share)
    out = bytearray()
    keys = endpoint.folder.identities()
    done = await excerpt.excerpt(from_, (manifest, inner), n, text, keys, out.extend, check=check)
    return bytes(out), done


async def test_any_range_is_shown_and_little_else_is_fetched(world: World) -> None:
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(world.root / "deep.bin")])
        for text, first, end in (
            ("0-0", 0, 1),
            (f"{CHUNK - 1}-{CHUNK}", CHUNK - 1, CHUNK + 1),
            (f"{SIZE - 1}-", SIZE - 1, SIZE),
            (f"700000-{SIZE + 50}", 700000, SIZE),
            ("0-", 0, SIZE),
        ):
            counted = Counted(excerpt.Remote(endpoint, share, 0))
            shown, done = await show(endpoint, share, text, counted)
            assert shown == CONTENT[first:end]
            assert (done.first, done.end, done.checked) == (first, end, None)
            assert "not verified" in done.words
            assert counted.read_bytes < end - first + 2 * CHUNK + 5000


async def test_a_checked_range_is_of_whole_parts_that_were_signed(world: World) -> None:
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(world.root / "deep.bin")])
        text = f"{PART + 100}-{3 * PART}"
        counted = Counted(excerpt.Remote(endpoint, share, 0))
        shown, done = await show(endpoint, share, text, counted, check=True)
        assert shown == CONTENT[PART + 100 : 3 * PART + 1]
        assert 3 * PART < counted.read_bytes < 4 * PART + 5000
        assert done.checked == "part 1 of 5, part 2 of 5, part 3 of 5, part 4 of 5 are"


async def test_what_does_not_hold_is_not_shown(world: World) -> None:
    async with running(world) as live, session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(world.root / "deep.bin")])
        blob = stored(live)
        spoil(blob, 2 * PART + 100)
        remote = excerpt.Remote(endpoint, share, 0)
        with pytest.raises(VerificationError, match="does not hold"):
            await show(endpoint, share, f"{2 * PART}-", remote)
        with pytest.raises(VerificationError, match="part 3 of 5 of item 0 is not what"):
            await show(endpoint, share, f"{2 * PART}-", remote, check=True)
        assert (await show(endpoint, share, "5-9", remote))[0] == CONTENT[5:10]
        for text in ("9-5", f"{SIZE}-", "x-", "-5", "5", "1-2,4-5"):
            with pytest.raises(MalformedError, match="range"):
                await show(endpoint, share, text, remote)
        with pytest.raises(NotFoundError, match="no such item"):
            await show(endpoint, share, "0-1", remote, n=1)


async def test_a_sealed_file_on_disk_serves_as_well_and_a_forged_one_does_not(
    world: World,
) -> None:
    async with running(world), session(world, "xa") as endpoint:
        share = await share_with(world, "xa", [source(world.root / "deep.bin")])
        path = world.root / "0.age"
        path.write_bytes((await endpoint.get(f"/v1/shares/{share}/items/0")).body)
        with ExitStack() as stack:
            shown, done = await show(
                endpoint, share, "100-70000", excerpt.local(path, stack), check=True
            )
        assert shown == CONTENT[100:70001]
        assert done.checked == "part 1 of 5 is"
        whole = path.read_bytes()
        for spoilt, says in (
            (bytes([whole[0] ^ 1]) + whole[1:], "the header of item 0"),
            (whole[:1700], "does not hold|ends before"),
        ):
            path.write_bytes(spoilt)
            with ExitStack() as stack, pytest.raises(VerificationError, match=says):
                await show(endpoint, share, "100-70000", excerpt.local(path, stack))
        with ExitStack() as stack, pytest.raises(NotFoundError, match="cannot read"):
            excerpt.local(world.root / "absent", stack)


async def test_the_command_writes_the_bytes_and_says_what_they_are_worth(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", 64 << 20)  # as in the command's own process
    async with running(world):
        share = await share_with(world, "xa", [source(world.root / "deep.bin")])
        to = ("--as", str(world.folder("xa")))
        done = await cli("cat", share, "0", "--range", "10-19", *to)
        assert done.stdout == CONTENT[10:20]
        assert b"was not verified" in done.stderr
        out = world.root / "cut.bin"
        done = await cli("cat", share, "0", "--range", "10-", "--out", str(out), "--check", *to)
        assert out.read_bytes() == CONTENT[10:]
        assert b"what was signed" in done.stderr
        again = await cli("cat", share, "0", "--range", "10-", "--out", str(out), *to)
        assert again.returncode == 2 and b"exists already" in again.stderr
        bad = await cli("cat", share, "0", "--range", f"{SIZE}-", "--out", str(out) + "2", *to)
        assert bad.returncode == 2
        assert not [p for p in world.root.iterdir() if p.name.startswith((".cut", "cut.bin2"))]


async def cli(*args: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "gateway", *args]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, stdin=subprocess.DEVNULL, cwd=ROOT
    )
