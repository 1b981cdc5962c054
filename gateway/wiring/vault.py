"""The vault's epochs of an instance: looking at them beside a running server, rotating without one."""

from collections.abc import Callable
from pathlib import Path

from gateway import settings
from gateway.exchange.directory import open_set
from gateway.exchange.rewraps import first_epoch
from gateway.kernel.errors import UnavailableError
from gateway.store import engine, sets, vaults
from gateway.wiring.build import open_gateway
from gateway.wiring.clock import now
from gateway.wiring.keyholder import own_keyholder
from gateway.wiring.sets import load_root
from gateway.workflows import rewrap
from gateway.workflows.rewrap import Standing

_PATIENCE = 10.0  # seconds for the keyholder to start


def vault_standing(instance: Path) -> list[Standing]:
    """Return how the vault's epochs stand by the directory in force. Only reads.

    Raises UnavailableError if the instance has not run yet in this version.
    """
    config = settings.read(instance)
    found = engine.connect(settings.database_url(config, instance))
    try:
        with found.connect() as conn:
            if engine.schema_state(conn) != "current":
                raise UnavailableError(
                    "the database is not of this version: start the gateway first"
                )
            latest = sets.latest_directory(conn)
            if latest is None:
                return []
            directory = open_set(latest[1], load_root(instance / config.directory))
            counts = vaults.counts(conn, first_epoch(directory))
    finally:
        found.dispose()
    return rewrap.standing(directory, counts, now())


def rotate_vault(instance: Path, told: Callable[[int], None]) -> int:
    """Re-wrap what is to leave its epoch on a stopped instance; return how many items were.

    Raises UnavailableError while its server runs.
    """
    with (
        own_keyholder(instance, settings.read(instance)),
        open_gateway(instance, patience=_PATIENCE) as (gateway, _),
    ):
        return rewrap.run(gateway, told=told)
