"""Connections are durable, one server runs per database, and the schema is the program's or refused."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from gateway import wiring
from gateway.kernel.errors import UnavailableError
from gateway.store import ledger
from gateway.store.engine import connect, reachable, schema_state, upgrade
from gateway.store.place import only_server
from gateway.store.postgres import check_server
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


def test_the_place_of_the_server_is_free_after_an_error(writing: Engine) -> None:
    with pytest.raises(ZeroDivisionError), only_server(writing, _never):
        raise ZeroDivisionError
    with only_server(writing, _never):
        pass


def _never() -> None:
    pytest.fail("nobody took the place")


def test_every_connection_is_durable_by_our_own_setting(
    writing: Engine, reading: Engine, single: Engine
) -> None:
    check_server(reading)
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


def test_a_schema_of_a_newer_program_is_left_alone(writing: Engine) -> None:
    with writing.begin() as conn:
        assert schema_state(conn) == "current"
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert schema_state(conn) == "newer"
    with pytest.raises(UnavailableError, match="newer than this program"):
        upgrade(writing)


def test_an_upgrade_says_whether_it_was_needed(url: str) -> None:
    engine = connect(url, writer=True)
    try:
        with engine.connect() as conn:
            assert schema_state(conn) == "absent"
        assert [upgrade(engine), upgrade(engine)] == [True, False]
    finally:
        engine.dispose()
