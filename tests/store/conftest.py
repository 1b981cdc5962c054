"""The same stores on SQLite and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.kernel.signing import KeySigner
from gateway.store.engine import connect, connect_single, upgrade
from gateway.store.writer import Log, Writer
from tests.store.tools import Store
from tests.world import World, build_world, database


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The database that a test runs on; every test runs on both."""
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    with database(kind) as made:
        yield made or f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def reading(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


@pytest.fixture
def single(reading: Engine) -> Iterator[Engine]:
    """An engine whose statements stand alone."""
    engine = connect_single(reading.url)
    yield engine
    engine.dispose()


@pytest.fixture
def writing(url: str) -> Iterator[Engine]:
    """The writer's engine, its schema up to date."""
    engine = connect(url, writer=True)
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(writing: Engine, reading: Engine) -> Iterator[Store]:
    """A ledger with a writer at work."""
    log = Log("test.example/ledger", KeySigner.generate(), bytes(32))
    made = Store(writing, reading, log, Writer(writing, log))
    made.writer.start()
    yield made
    made.writer.stop()


@pytest.fixture
def world(kind: str, tmp_path: Path) -> Iterator[World]:
    """An instance on either database."""
    with database(kind, migrated=True) as made:
        yield build_world(tmp_path / "world", ("xa",), database=made, migrated=True)
