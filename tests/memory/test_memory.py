"""A 4 GiB item through the server: pushed, shared with 17 authorities, pulled by one, in little memory."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from gateway.client import pull
from gateway.client.push import digest_file
from gateway.envelope import Suite
from tests.world import (
    POLICIES,
    World,
    any_rules,
    build_world,
    package_of,
    propose,
    release,
    serving,
    session,
    source,
)

SIZE = int(os.environ.get("GATEWAY_BIG_BYTES", 4 << 30))
LIMIT = 150_000_000  # bytes above idle
CODES = [f"x{letter}" for letter in "abcdefghijklmnopq"]


def kib(pid: int, name: str) -> int:
    """Read a memory figure of a process, in KiB (proc(5), status)."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    assert found is not None
    return int(found.group(1))


def write_big(path: Path) -> None:
    """Write SIZE incompressible bytes, no two MiB alike."""
    block = os.urandom(1 << 20)
    with path.open("wb") as out:
        for n in range(SIZE >> 20):
            out.write(n.to_bytes(8, "big") + block[8:])


def permit_everyone(folder: Path) -> Path:
    """Copy the shipped policy with files on which every jurisdiction may receive."""
    shutil.copytree(POLICIES, folder)
    any_rules(folder)  # the shipped cases speak of the shipped register
    good = yaml.safe_load((folder / "jurisdictions/xa.yaml").read_text("utf-8"))["facts"]
    for path in (folder / "jurisdictions").glob("*.yaml"):
        state = yaml.safe_load(path.read_text("utf-8"))
        path.write_text(yaml.safe_dump({**state, "facts": good}, allow_unicode=True), "utf-8")
    return folder


async def play(world: World, big: Path, out: Path) -> Path:
    """Push the item, share it with everyone, pull it as the last authority; return the pulled file."""
    shares = []
    async with session(world, "releaser") as staff:
        package, _ = await package_of(staff, [source(big)])
        for code in CODES:
            share = str((await propose(staff, package, code))["share"])
            assert (await release(staff, share))["state"] == "available"
            shares.append(share)
    async with session(world, CODES[-1]) as endpoint:
        done = await pull.pull(endpoint, shares[-1], out, lambda _: None)
    return done.folder / big.name


@pytest.mark.slow
def test_a_large_item_to_seventeen_authorities_takes_little_memory(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    write_big(big)
    policy = permit_everyone(tmp_path / "policies")
    world = build_world(tmp_path, dict.fromkeys(CODES, Suite.PQ), policy=policy)
    try:
        with serving(world) as server:
            idle = kib(server.pid, "VmRSS")
            pulled = asyncio.run(play(world, big, tmp_path / "out"))
            peak = kib(server.pid, "VmHWM")
        assert digest_file(pulled) == digest_file(big)
    finally:
        for folder in (tmp_path / "out", world.instance / "data", big):
            shutil.rmtree(folder, ignore_errors=True)
        big.unlink(missing_ok=True)
    above = (peak - idle) * 1024
    print(f"{SIZE:,} bytes: idle {idle:,} KiB, peak {peak:,} KiB, {above / 1e6:.1f} MB above idle")
    assert above < LIMIT
