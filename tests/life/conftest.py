"""A world with a share in it, made once; every test has a copy, and acts on it without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stateful import steps
from tests.stateful.driver import Driver, driving
from tests.world import PLAIN, World, build_world


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Build the world that the tests copy: a note was released to `xa`, and proposed to `xb`."""
    world = build_world(tmp_path_factory.mktemp("life") / "world", ("xa", "xb"), migrated=True)
    world.sign(days=3000)
    with driving(world) as driver:
        item = str(steps.deposit_item(driver, "sharer", b"a note", dict(PLAIN))["item"])
        package = steps.package(driver, "sharer", [item])
        for who in ("xa", "xb"):
            share = str(steps.offer(driver, "sharer", package, driver.party(who))["share"])
            if who == "xa":
                steps.release_share(driver, "releaser", share)
    return world


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    root = tmp_path / "world"
    shutil.copytree(template.root, root)
    return World(root, template.config)


@pytest.fixture(scope="module")
def shared(template: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """One gateway for all tests of a module, of which none brings a set into force."""
    root = tmp_path_factory.mktemp("shared") / "world"
    shutil.copytree(template.root, root)
    with driving(World(root, template.config)) as made:
        yield made


@pytest.fixture
def attacked(shared: Driver, template: World) -> Driver:
    """That gateway, its folders as they were."""
    world = shared.world
    parties = template.directory / "parties", world.directory / "parties"
    for there, here in ((template.policy, world.policy), parties):
        shutil.rmtree(here)
        shutil.copytree(there, here)
    world.sign(days=3000)
    assert shared.reload() == []
    return shared


@pytest.fixture
def driver(world: World) -> Iterator[Driver]:
    with driving(world) as made:
        yield made
