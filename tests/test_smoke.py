"""The main job once, in one process, on both databases: everything else stands on it."""

from pathlib import Path

import pytest

from gateway.client import audit, pull
from tests.world import build_world, database, running, session, share_with, source


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_share_is_pulled_byte_identical_and_the_ledger_holds(
    tmp_path: Path, kind: str
) -> None:
    with database(kind) as url:
        world = build_world(tmp_path, database=url)
        data = tmp_path / "statement.txt"
        data.write_bytes(b"I saw it happen.\n" * 5000)
        async with running(world):
            share = await share_with(world, "xa", [source(data)])
            async with session(world, "xa") as endpoint:
                done = await pull.pull(endpoint, share, tmp_path / "out", lambda _: None)
            async with session(world, "auditor") as auditor:
                held = await audit.verify(auditor)
    assert (done.folder / "statement.txt").read_bytes() == data.read_bytes()
    assert held["openings"] == held["size"] >= 10
