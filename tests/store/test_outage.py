"""A gateway outlives its database: what that did not take is made up for, and clients wait."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from gateway import settings, wiring
from gateway.client import audit, pull
from gateway.kernel.errors import UnavailableError
from gateway.store import shares, tables
from gateway.workflows import prepare as preparing
from gateway.workflows import pull as pulling
from gateway.workflows import upkeep
from tests.store.test_place import break_sessions
from tests.store.tools import failing_commit
from tests.world import (
    Running,
    World,
    package_of,
    propose,
    release,
    running,
    serving,
    session,
    share_with,
    source,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "order.txt"
    path.write_bytes(b"The order came from above.\n" * 100)
    return path


def _url(world: World) -> str:
    return settings.database_url(world.config, world.instance)


async def test_the_end_of_a_range_is_logged_once_the_database_takes_it(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.client.session._TRIES", 1)
    monkeypatch.setattr(pulling, "_PAUSES", ())
    monkeypatch.setattr(pulling, "_SETTLE", 0.1)
    ended = pulling.ended

    def away(gateway: Any, *args: Any) -> None:
        mend = failing_commit(gateway.writer._engine, after=False)
        try:
            ended(gateway, *args)
        finally:
            mend()

    async with running(world) as live:
        share = await share_with(world, "xa", [source(data)])
        with (
            monkeypatch.context() as patch,
            pytest.raises(UnavailableError, match="not logged yet"),
        ):
            patch.setattr(pulling, "ended", away)
            async with session(world, "xa") as endpoint:
                await pull.pull(endpoint, share, world.root / "out", lambda _: None)
        assert len(live.gateway.owed) == 1
        upkeep.keep_place(live.gateway)
        assert live.gateway.owed == {}
        assert live.gateway.underway == set()
        async with session(world, "xa") as endpoint:
            await pull.pull(endpoint, share, world.root / "out", lambda _: None)
        with live.gateway.engine.connect() as conn:
            (row,) = conn.execute(select(tables.servings))
        assert row.state == "finished"
        async with session(world, "auditor") as auditor:
            await audit.verify(auditor)
            kinds = [entry["kind"] for entry in await audit.entries(auditor, 0)]
    assert kinds.count("range.finished") == 1
    assert kinds.count("range.interrupted") == 0


async def test_a_release_is_finished_once_the_database_is_back(
    world: World, data: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.client.session._TRIES", 1)

    def lost(*_: object) -> None:
        raise UnavailableError("the database is gone")

    async with running(world) as live, session(world, "releaser") as releaser:
        package, _ = await package_of(releaser, [source(data)])
        share = str((await propose(releaser, package, "xa"))["share"])
        with monkeypatch.context() as patch, pytest.raises(UnavailableError):
            patch.setattr(preparing, "_prepare", lost)
            await release(releaser, share)
        upkeep.keep_place(live.gateway)
        assert _state(live, share) == "released"  # the database was not away: its user is at it
        if kind == "sqlite":
            live.gateway.writer._engine.dispose()
        else:
            break_sessions(_url(world))
        upkeep.keep_place(live.gateway)
        assert _state(live, share) == "available"
        # The first read meets the connection that died, and is repeated.
        monkeypatch.setattr("gateway.client.session._TRIES", 2)
        assert (await release(releaser, share))["state"] == "available"


def _state(live: Running, share: str) -> str:
    with live.gateway.engine.connect() as conn:
        return shares.get(conn, share).state.value


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_a_client_waits_as_long_as_a_recovered_gateway_asks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.client.session._TRIES", 2)
    monkeypatch.setattr("gateway.store.replay.LEEWAY", 7)
    async with running(world) as live, session(world, "xa") as endpoint:
        await pull.inbox(endpoint)
        with live.gateway.engine.begin() as conn:  # as a crash of the database does
            conn.execute(text("TRUNCATE read_boot, read_jti"))
        assert await pull.inbox(endpoint) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_server_whose_place_was_taken_over_ends(world: World) -> None:
    with serving(world, stderr=subprocess.PIPE) as process:
        assert process.popen is not None and process.popen.stderr is not None
        break_sessions(_url(world))
        with wiring.open_gateway(world.instance) as (gateway, _):
            assert gateway.quarantine is None
        assert process.popen.wait(timeout=40) == 9
        assert b"took over the database" in process.popen.stderr.read()
        process.popen.stderr.close()
