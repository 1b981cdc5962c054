"""One server per database, and none on a database that would lose what it acknowledged."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from gateway import wiring
from gateway.kernel.errors import UnavailableError
from gateway.store import ledger
from gateway.store.engine import check_durable, connect, only_server, reachable
from tests.store.tools import Store
from tests.world import World, free_port


def test_a_second_server_does_not_start_until_the_first_has_ended(world: World) -> None:
    with wiring.open_gateway(world.instance) as (gateway, _):
        with pytest.raises(UnavailableError, match="another gateway server already runs"):
            with wiring.open_gateway(world.instance):
                pass
        assert reachable(gateway.engine)
    with wiring.open_gateway(world.instance) as (gateway, _):
        assert reachable(gateway.engine)


def test_the_place_of_the_server_is_free_after_an_error(reading: Engine) -> None:
    with pytest.raises(ZeroDivisionError), only_server(reading):
        raise ZeroDivisionError
    with only_server(reading):
        pass


def test_every_connection_is_durable_by_our_own_setting(
    writing: Engine, reading: Engine, single: Engine
) -> None:
    check_durable(reading)
    for engine in (writing, reading, single):
        with engine.connect() as conn:
            if engine.dialect.name == "sqlite":
                found = {
                    name: conn.execute(text(f"PRAGMA {name}")).scalar()
                    for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
                }
                full = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
                assert found == {**full, "secure_delete": 1}
            else:
                assert conn.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_a_statement_that_stands_alone_sees_every_commit_and_a_snapshot_does_not(
    store: Store, single: Engine
) -> None:
    def size(conn: Connection) -> int:
        return ledger.head(conn)[0]

    with single.connect() as alone, store.reading.connect() as snapshot:
        assert (size(alone), size(snapshot)) == (0, 0)
        store.add()
        assert (size(alone), size(snapshot)) == (1, 0)


def test_a_database_that_is_gone_is_not_reachable(tmp_path: Path) -> None:
    for url in (
        f"sqlite:///{tmp_path / 'none' / 'x.db'}",
        f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/postgres",
    ):
        engine = connect(url)
        assert not reachable(engine)
        engine.dispose()


@pytest.fixture(scope="module")
def careless() -> Iterator[str]:
    """A PostgreSQL server that runs with fsync=off."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.skip("PostgreSQL: its programs are not installed here")
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    # Not among pytest's folders, which nobody but their owner may enter.
    folder, port = Path(tempfile.mkdtemp(prefix="careless-")), free_port()
    if user:
        shutil.chown(folder, user)

    def run(*args: str) -> None:
        subprocess.run(
            [str(found[-1] / args[0]), *args[1:]],
            user=user,
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N")
    options = f"-p {port} -c fsync=off -c listen_addresses=127.0.0.1 -k {folder}"
    run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def test_a_server_without_fsync_is_refused(careless: str) -> None:
    engine = connect(careless)
    with pytest.raises(UnavailableError, match="fsync=off"):
        check_durable(engine)
    engine.dispose()


def test_the_lock_of_the_server_is_not_in_the_pool(reading: Engine) -> None:
    with only_server(reading):
        reading.dispose()
        with pytest.raises(UnavailableError), only_server(reading):
            pass
