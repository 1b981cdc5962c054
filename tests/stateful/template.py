"""A world built once, with some items and RFAs in it; every example works on a copy of its own."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import create_engine, text

from gateway import settings
from gateway.kernel.encoding import Json
from gateway.store import shares, uploads
from tests.stateful import steps
from tests.stateful.driver import Driver, driving
from tests.stateful.model import AUTHORITIES, ROLES, Item, Model, Package, Rfa, Share
from tests.world import PLAIN, POSTGRES, STAFF, World, build_world

_BEGINS: tuple[dict[str, Json], ...] = (
    {},
    {"item.sgbv": True},
    {"item.consent.status": "consult_first"},
)  # fmt: skip


@dataclass
class Template:
    """The world that examples copy, and the model of what is in it."""

    world: World
    now: datetime
    model: Model
    database: str | None = None
    copies: int = 0
    _folder: Path = field(default_factory=Path)

    @contextmanager
    def copy(self) -> Iterator[tuple[World, Model]]:
        """Yield a copy with a database of its own."""
        self.copies += 1
        root = self.world.root.parent / f"copy-{self.copies}"
        shutil.copytree(self.world.root, root)
        try:
            if self.database is None:
                yield World(root, self.world.config), self.model
            else:
                with fresh_database(f"gateway_state_{uuid.uuid4().hex}", self.database) as url:
                    config = replace(self.world.config, database=url)
                    settings.write(root / "instance", config)
                    yield World(root, config), self.model
        finally:
            shutil.rmtree(root)


@contextmanager
def template(folder: Path, kind: str) -> Iterator[Template]:
    """Build the world on a database of *kind*."""
    if kind == "sqlite":
        yield _build(folder, None)
        return
    name = f"gateway_state_{uuid.uuid4().hex}"
    with fresh_database(name) as url:
        made = _build(folder, url)
        made.database = name
        yield made


def _build(folder: Path, url: str | None) -> Template:
    begins = datetime.now(UTC)
    world = build_world(
        folder / "template", AUTHORITIES, database=url, begins=begins, days=20 * 365
    )
    for who, roles in ROLES.items():
        if who not in STAFF:
            world.add_staff(who, *roles)
    world.sign(4000)
    model = Model()
    with driving(world, begins + timedelta(minutes=5)) as driver:
        _fill(driver, model)
        _share(driver, model)
        return Template(world, driver.now + timedelta(minutes=1), model)


def _fill(driver: Driver, model: Model) -> None:
    """Three items, two admitted RFAs and a share in answer to one, so that short lives come to something."""
    for n, said in enumerate(_BEGINS):
        found: dict[str, Json] = {**PLAIN, **said}
        data = bytes(range(200)) * (n + 1)
        made = steps.deposit_item(driver, "sharer", data, found, f"begin-{n}.pdf")
        model.items.append(Item(str(made["item"]), len(data), found))
    for n, who in enumerate(("xa", "xd")):
        name = steps.submit(driver, who, steps.wanted(f"inv-{n}"))
        steps.register(driver, "officer", name, f"B-{n}")
        steps.assess(driver, "officer", name)
        valid = driver.now.date() + timedelta(days=365)
        model.rfas.append(
            Rfa(name, who, f"inv-{n}", "review", who, number=f"B-{n}", met=True, valid_to=valid)
        )


def _share(driver: Driver, model: Model) -> None:
    """Release a share in answer to the first RFA; nobody has pulled it yet."""
    rfa, item = model.rfas[0], model.items[0]
    name = steps.package(driver, "sharer", [item.id], rfa_id=rfa.id, case=rfa.case)
    package = Package(name, [item], rfa, rfa.case)
    share = str(steps.offer(driver, "sharer", name, driver.party(rfa.of))["share"])
    steps.release_share(driver, "releaser", share)
    with driver.gateway.engine.connect() as conn:
        digest = shares.manifest(conn, share).digest
        header = shares.header(conn, share, 0)
        size = len(header.data) + uploads.sealed_item(conn, item.id).body_size
    made = Share(share, package, rfa.of, "sharer", "available", "releaser", digest, sizes=[size])
    model.packages.append(package)
    model.shares.append(made)


@contextmanager
def fresh_database(name: str, copied: str | None = None) -> Iterator[str]:
    """Make a PostgreSQL database, empty or as a copy of another; yield its URL."""
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    like = f" TEMPLATE {copied}" if copied else ""
    try:
        with server.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {name}{like}"))
        try:
            yield POSTGRES.rsplit("/", 1)[0] + f"/{name}"
        finally:
            with server.connect() as conn:
                conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        server.dispose()
