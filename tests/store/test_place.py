"""The one server's place on PostgreSQL: lost with its session, taken again, never shared."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from gateway import wiring
from gateway.kernel.errors import QuarantinedError, UnavailableError
from gateway.kernel.signing import KeySigner
from gateway.store.engine import connect, upgrade
from gateway.store.headcopy import HeadCopy
from gateway.store.place import Place, only_server
from gateway.store.writer import Log, Writer
from gateway.workflows.gateway import check_writable
from tests.store.tools import Store, entry
from tests.world import build_world, database, running, share_with, source


@pytest.fixture
def url() -> Iterator[str]:
    with database("postgresql") as made:
        assert made is not None
        yield made


def break_sessions(url: str) -> None:
    """End every session on the database, as a restart of it would."""
    lone = create_engine(url, isolation_level="AUTOCOMMIT")
    with lone.connect() as conn:
        conn.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    lone.dispose()


class Server:
    """What of a gateway matters here: the writer's session, its place, and the writer."""

    def __init__(self, url: str) -> None:
        self.displaced = threading.Event()
        self.writing, self.reading = connect(url, writer=True), connect(url)
        self.held = only_server(self.writing, self.displaced.set)
        place = self.held.__enter__()
        assert isinstance(place, Place)
        upgrade(self.writing)
        place.claim()
        log = Log("test.example/ledger", KeySigner.from_seed(bytes(32)), bytes(32))
        self.store = Store(self.writing, self.reading, log, Writer(self.writing, log))
        self.store.writer.start()

    def end(self) -> None:
        self.store.writer.stop()
        self.held.__exit__(None, None, None)
        self.reading.dispose()


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    made = Server(url)
    yield made
    made.end()


def _locks(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as conn:
        found = conn.execute(
            text(
                "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
                "WHERE locktype = 'advisory' AND granted AND d.datname = current_database()"
            )
        ).scalar()
    engine.dispose()
    return int(found or 0)


def test_only_one_session_writes(url: str, server: Server) -> None:
    with pytest.raises(UnavailableError, match="already runs"):
        Server(url)
    assert _locks(url) == 1


def test_a_lost_place_is_taken_again_before_the_next_write(url: str, server: Server) -> None:
    server.store.add(3)
    break_sessions(url)
    assert _locks(url) == 0
    server.store.add(2)
    assert _locks(url) == 1
    assert server.store.size() == 5
    server.store.check()
    assert server.store.writer.connections == 1
    assert not server.displaced.is_set()


def test_a_session_that_dies_within_a_transaction_writes_nothing(url: str, server: Server) -> None:
    server.store.add()

    def job(tx: object) -> None:
        break_sessions(url)
        entry(tx)  # type: ignore[arg-type]  # what the writer brings

    with pytest.raises(UnavailableError, match="nothing was done"):
        server.store.writer.run(job)
    server.store.add()
    assert server.store.size() == 2
    server.store.check()


def test_nothing_is_written_while_another_holds_the_place(url: str, server: Server) -> None:
    server.store.add()
    break_sessions(url)
    other = connect(url, writer=True)
    with only_server(other, lambda: None):  # it has not written yet
        with pytest.raises(UnavailableError, match="already runs"):
            server.store.add()
        assert server.store.size() == 1
    other.dispose()
    server.store.add()
    assert server.store.size() == 2
    assert not server.displaced.is_set()


def test_a_server_never_writes_again_after_another_did(url: str, server: Server) -> None:
    server.store.add()
    break_sessions(url)
    second = Server(url)
    second.store.add()
    second.end()
    assert _locks(url) == 0
    for _ in range(2):
        with pytest.raises(UnavailableError, match="took over"):
            server.store.add()
    assert server.displaced.is_set()
    assert server.store.size() == 2


def test_a_session_on_a_careless_server_is_refused(url: str, server: Server) -> None:
    """A role's own setting stands for a failover to a server that is set up otherwise."""
    server.store.add()
    name = make_url(url).database
    lone = create_engine(url, isolation_level="AUTOCOMMIT")
    with lone.connect() as conn:
        conn.execute(text(f"ALTER DATABASE {name} SET zero_damaged_pages = on"))
    lone.dispose()
    break_sessions(url)
    with pytest.raises(UnavailableError, match="zero_damaged_pages"):
        server.store.add()
    with lone.connect() as conn:
        conn.execute(text(f"ALTER DATABASE {name} RESET zero_damaged_pages"))
    lone.dispose()
    server.store.add()
    assert server.store.size() == 2


def _swap(url: str, one: str, two: str) -> None:
    """Put the database *two* where *one* was, as a failover to an old copy would."""
    server = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as conn:
        conn.execute(text(f"ALTER DATABASE {one} RENAME TO {one}_lost"))
        conn.execute(text(f"ALTER DATABASE {two} RENAME TO {one}"))
        conn.execute(text(f"DROP DATABASE {one}_lost WITH (FORCE)"))
    server.dispose()


def _copy(url: str, name: str) -> None:
    lone = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with lone.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}_old TEMPLATE {name}"))
    lone.dispose()


def test_a_database_that_comes_back_older_is_not_written(url: str, server: Server) -> None:
    lost: list[str] = []
    server.store.writer.on_loss(lost.append)
    name = str(make_url(url).database)
    server.store.add(3)
    break_sessions(url)
    server.reading.dispose()
    _copy(url, name)
    server.store.add(4)
    break_sessions(url)
    server.reading.dispose()
    _swap(url, name, f"{name}_old")
    for _ in range(2):
        with pytest.raises(QuarantinedError, match="without the 7 entries"):
            server.store.add()
    assert server.store.size() == 3
    assert set(lost) == {"the database came back without the 7 entries it had acknowledged"}


async def test_a_running_gateway_goes_into_quarantine_when_its_database_comes_back_older(
    url: str, tmp_path: Path
) -> None:
    world = build_world(tmp_path, ("xa",), database=url)
    name = str(make_url(url).database)
    statement = tmp_path / "statement.txt"
    statement.write_text("I saw it happen")
    async with running(world) as live:
        copy = HeadCopy(world.instance / world.config.head_copy)
        wiring.publish_head(live.gateway, copy)
        live.gateway.engine.dispose()
        break_sessions(url)
        _copy(url, name)
        await share_with(world, "xa", [source(statement)])
        wiring.publish_head(live.gateway, copy)
        seen = copy.read()
        live.gateway.engine.dispose()
        break_sessions(url)
        _swap(url, name, f"{name}_old")
        wiring.publish_head(live.gateway, copy)
        assert live.gateway.quarantine is not None
        assert "once had" in live.gateway.quarantine
        assert copy.read() == seen
        with pytest.raises(QuarantinedError):
            check_writable(live.gateway)
