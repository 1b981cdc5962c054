"""A PostgreSQL server that would lose what it acknowledged is refused, and one that crashed is told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from gateway.exchange.tokens import LEEWAY
from gateway.kernel.errors import UnavailableError
from gateway.store import postgres
from gateway.store.engine import connect, connect_single, upgrade
from gateway.store.replay import PostgresReplay
from tests.postgres import Cluster, cluster
from tests.world import build_world, free_port, run_cli

NOW = 1_795_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A cluster that tests start anew as they like."""
    with cluster() as made:
        yield made


@pytest.fixture
def careful(server: Cluster) -> Iterator[Cluster]:
    """The cluster, with its own settings again afterwards."""
    yield server
    server.stop()
    server.start()


def _refusal(url: str) -> str:
    engine = connect(url)
    try:
        with pytest.raises(UnavailableError) as refused:
            postgres.check_server(engine)
    finally:
        engine.dispose()
    return str(refused.value)


def test_a_server_that_is_durable_is_taken(server: Cluster) -> None:
    engine = connect(server.url())
    postgres.check_server(engine)
    engine.dispose()


def test_the_primary_is_found_among_several_hosts(server: Cluster) -> None:
    hosts = f"host=127.0.0.1:{free_port()}&host=127.0.0.1:{server.port}"
    url = f"postgresql+psycopg://postgres@/postgres?{hosts}&target_session_attrs=read-write"
    engine = connect(url)
    postgres.check_server(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("fsync", "off", "fsync=off: switch it on"),
        ("full_page_writes", "off", "full_page_writes=off: switch it on"),
        ("zero_damaged_pages", "on", "zero_damaged_pages=on: switch it off"),
    ],
)
def test_the_gateway_does_not_start_on_a_server_that_loses_data(
    careful: Cluster, tmp_path: Path, name: str, value: str, said: str
) -> None:
    world = build_world(tmp_path, ("xa",), database=careful.url())
    careful.stop()
    careful.start(**{name: value})
    assert said in _refusal(careful.url())
    done = run_cli("serve", "--instance", str(world.instance), check=False)
    assert done.returncode == 9
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    engine = create_engine(careful.url())
    with engine.connect() as conn:
        assert conn.execute(text("SELECT to_regclass('entries')")).scalar() is None
    engine.dispose()


def test_sessions_are_durable_on_a_server_that_is_not_by_default(careful: Cluster) -> None:
    careful.stop()
    careful.start(synchronous_commit="off")
    engine = connect(careful.url())
    postgres.check_server(engine)
    with engine.connect() as conn:
        assert conn.execute(text("SHOW synchronous_commit")).scalar() == "on"
    engine.dispose()


def test_a_stricter_server_is_left_alone(careful: Cluster) -> None:
    careful.stop()
    careful.start(synchronous_commit="remote_apply")
    engine = connect(careful.url())
    with engine.connect() as conn:
        assert conn.execute(text("SHOW synchronous_commit")).scalar() == "remote_apply"
    engine.dispose()


def test_another_encoding_is_refused(server: Cluster) -> None:
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(
            text("CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        )
    engine.dispose()
    assert "encoding is not UTF8" in _refusal(server.url(database="ascii"))


def test_every_fault_is_named_at_once() -> None:
    well = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "zero_damaged_pages": "off",
        "server_version_num": "140000",
        "server_encoding": "UTF8",
        "standby": "false",
    }
    ill = {**well, "synchronous_commit": "local", "server_version_num": "130020", "standby": "true"}
    assert postgres.faults(well) == []
    found = postgres.faults(ill)
    assert len(found) == 3
    for word in ("synchronous_commit", "older than PostgreSQL 14", "standby"):
        assert any(word in fault for fault in found)


@pytest.fixture
def engine(server: Cluster) -> Iterator[Engine]:
    """An engine of single statements on a schema that is up to date."""
    writing = connect(server.url(), writer=True)
    upgrade(writing)
    writing.dispose()
    engine = connect_single(make_url(server.url()))
    yield engine
    engine.dispose()


def _find_out(spend: Callable[[], object]) -> None:
    """Use the connection that died with the server: a single read finds that out by failing."""
    with pytest.raises(OperationalError):
        spend()


@pytest.mark.parametrize("crash", ["kill", "immediate"])
def test_a_crash_of_the_server_forgets_tokens_and_the_gateway_knows(
    server: Cluster, engine: Engine, crash: str
) -> None:
    store = PostgresReplay(engine, NOW)
    store.first_start()

    def spend(token: str, issued: int, now: int) -> bool:
        return store.spend("psn_a", token, issued=issued, expires=issued + 60, now=now)

    assert spend(f"before {crash}", NOW, NOW)
    assert not spend(f"before {crash}", NOW, NOW)
    if crash == "kill":
        server.kill()
    else:
        server.stop("immediate")
    server.start()
    _find_out(lambda: spend("unheard", NOW, NOW + 5))
    with pytest.raises(UnavailableError, match="recovered") as refused:
        spend(f"before {crash}", NOW, NOW + 5)
    assert refused.value.retry_after == LEEWAY
    with pytest.raises(UnavailableError):
        spend("signed before", NOW, NOW + 5)
    assert spend(f"signed anew {crash}", NOW + 5 + LEEWAY, NOW + 5 + LEEWAY)


def test_a_stop_of_the_server_forgets_nothing(server: Cluster, engine: Engine) -> None:
    store = PostgresReplay(engine, NOW)
    store.first_start()
    assert store.spend("psn_a", "kept", issued=NOW, expires=NOW + 60, now=NOW)
    server.stop()
    server.start()
    _find_out(lambda: store.spend("psn_a", "x", issued=NOW, expires=NOW + 60, now=NOW))
    assert not store.spend("psn_a", "kept", issued=NOW, expires=NOW + 60, now=NOW)
