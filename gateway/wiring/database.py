"""The database of an instance, looked after by its owner: schema, rights, and whether it is fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from gateway import settings
from gateway.kernel.errors import ConflictError
from gateway.settings import Settings
from gateway.store import address, engine, grants, postgres
from gateway.store.place import only_server


@dataclass(frozen=True, slots=True)
class Report:
    """How a database stands: *faults* forbid to run on it, *beyond* is more than the server needs."""

    schema: str
    role: str
    faults: tuple[str, ...]
    lacks: tuple[str, ...]
    beyond: tuple[str, ...]

    @property
    def fit(self) -> bool:
        """Tell whether the server would start on it, as this role."""
        return self.schema == "current" and not self.faults and not self.lacks


def upgrade_database(instance: Path, owner: str | None = None) -> bool:
    """Bring the schema up to date as its owner; tell whether that was needed.

    Raises UnavailableError while a server runs on it, or if the role lacks the right.
    """
    with _opened(instance, owner, writer=True) as found, only_server(found, _nobody) as place:
        changed = engine.upgrade(found)
        if changed and place is not None:
            place.claim()  # a server that had lost its place for a moment must not go on as before
        return changed


def _nobody() -> None:
    """Hear that another server took the place: an upgrade is one transaction, and fails by itself."""


def grant_database(
    instance: Path, server: str, auditor: str | None = None, owner: str | None = None
) -> list[str]:
    """Give the server's and the auditor's role what they need, as the owner of the tables.

    Returns the statements. Raises ConflictError on SQLite, which has no roles, or if the schema is not
    current: rights on tables that are not there cannot be given.
    """
    with _opened(instance, owner) as found:
        if found.dialect.name == "sqlite":
            raise ConflictError("SQLite has no roles: the file's owner may do everything")
        with found.begin() as conn:
            if engine.schema_state(conn) != "current":
                raise ConflictError("the schema is not current: run gateway database upgrade first")
            return grants.grant(conn, server, auditor)


def check_database(instance: Path, url: str | None = None) -> Report:
    """Return how the database stands to the role of *url*, or of the instance's own."""
    with _opened(instance, url) as found, found.connect() as conn:
        schema = engine.schema_state(conn)
        if found.dialect.name == "sqlite":
            return Report(schema, "", (), (), ())
        faults = postgres.faults(postgres.settings(conn))
        stands = grants.standing(conn)
    return Report(schema, stands.role, tuple(faults), stands.lacks, stands.beyond)


def check_new_database(instance: Path, config: Settings, *, reach: bool) -> None:
    """Check the database of a new instance: its URL and password file, and with *reach* the server.

    Raises MalformedError, or UnavailableError if the server does not answer or is not durable.
    """
    address.check_new(config.database)
    url = settings.database_url(config, instance)
    if not reach or url.startswith("sqlite"):
        return
    found = engine.connect(url)
    try:
        with postgres.explained():
            postgres.check_server(found)
    finally:
        found.dispose()


@contextmanager
def _opened(instance: Path, url: str | None, *, writer: bool = False) -> Iterator[Engine]:
    config = settings.read(instance)
    if url is None:
        url = settings.database_url(config, instance)
    else:
        address.parse(url)
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    found = engine.connect(url, writer=writer)
    try:
        with postgres.explained():
            yield found
    finally:
        found.dispose()
