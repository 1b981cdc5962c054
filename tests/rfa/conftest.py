"""A mechanism and three authorities in two jurisdictions, on either database; every test on a copy."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway import settings
from gateway.client import ceremony
from gateway.envelope import Suite
from gateway.exchange.parties import Kind, Role
from gateway.exchange.terms import SUPPORTS
from tests.world import Running, World, build_world, database, running


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Build the world that the tests copy: `xa` and `xc` are of one jurisdiction, `xb` of another."""
    world = build_world(tmp_path_factory.mktemp("rfa") / "world", ("xa", "xb"), migrated=True)
    ceremony.add_party(
        world.directory, "xc-prosecutor", "War crimes unit", Kind.AUTHORITY, "XA", SUPPORTS
    )
    world._member(
        "xc-prosecutor", "endpoint", (Role.ENDPOINT,), "xc", person=False, suites=(Suite.PQ,)
    )
    world.add_staff("second", Role.RFA_OFFICER, Role.SHARER)
    world.sign(days=3000)
    return world


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The database that a test runs on; every test runs on both."""
    return str(request.param)


@pytest.fixture
def world(template: World, kind: str, tmp_path: Path) -> Iterator[World]:
    root = tmp_path / "world"
    with database(kind, migrated=True) as url:
        shutil.copytree(template.root, root)
        config = template.config if url is None else replace(template.config, database=url)
        settings.write(root / "instance", config)
        yield World(root, config)


@pytest.fixture
async def live(world: World) -> AsyncIterator[Running]:
    async with running(world) as made:
        yield made
