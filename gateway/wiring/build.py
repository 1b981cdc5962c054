"""From an instance folder to a gateway that has compared its ledger and finished what was cut off."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Engine

from gateway import keyfiles, settings, telemetry
from gateway.exchange.directory import Directory, Root, open_set
from gateway.kernel.errors import UnavailableError
from gateway.kernel.time import unix
from gateway.keyholder.client import Keyholder
from gateway.policy import Register
from gateway.settings import Settings
from gateway.store import grants, ledger, postgres, sets, uploads
from gateway.store.blobs import LocalBlobs
from gateway.store.engine import connect, connect_single, upgrade
from gateway.store.headcopy import HeadCopy, quarantine_reason
from gateway.store.place import Place, only_server
from gateway.store.replay import FileReplay, PostgresReplay, Replay
from gateway.store.writer import Log, Writer
from gateway.wiring.clock import now, passphrase
from gateway.wiring.keyholder import socket_of
from gateway.wiring.sets import load_directory, load_root, reload_sets
from gateway.workflows import prepare, proofs, pull
from gateway.workflows.gateway import Gateway, Sets

_log = structlog.get_logger()


@contextmanager
def open_gateway(
    instance: Path, clock: Callable[[], datetime] = now, *, patience: float = 0.0
) -> Iterator[tuple[Gateway, Settings]]:
    """Build the gateway of an instance, which lives by *clock*, and close everything afterwards.

    A keyholder that is being started is waited for, *patience* seconds, once it is needed.

    Raises UnavailableError if another server runs on the database, or it is not fit for evidence.
    """
    config = settings.read(instance)
    with ExitStack() as stack:
        url = settings.database_url(config, instance)
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        writing, reading = connect(url, writer=True), connect(url)
        stack.callback(writing.dispose)
        stack.callback(reading.dispose)
        displaced = threading.Event()
        with postgres.explained():
            postgres.check_server(reading)
            place = stack.enter_context(only_server(writing, displaced.set))
            _prepare(writing, place)
            gateway = _build(
                instance, config, stack, (writing, reading), displaced, clock, patience
            )
        yield gateway, config


def _prepare(writing: Engine, place: Place | None) -> None:
    """Bring the schema up to date and take the place, if the role may do what the server does."""
    upgrade(writing)
    if place is None:
        return
    with writing.connect() as conn:
        lacks = grants.standing(conn).lacks
    if lacks:
        raise UnavailableError(
            f"the database's role lacks {', '.join(lacks)}: run gateway database grant as the owner"
        )
    place.claim()


def _build(
    instance: Path,
    config: Settings,
    stack: ExitStack,
    engines: tuple[Engine, Engine],
    displaced: threading.Event,
    clock: Callable[[], datetime],
    patience: float,
) -> Gateway:
    (writing, reading), secrets, phrase = engines, instance / config.secrets, passphrase()
    log = Log(
        config.origin,
        keyfiles.read_signer(secrets / "checkpoint.key", phrase),
        keyfiles.read_symmetric(secrets / "audience.key", phrase),
    )
    writer = Writer(writing, log)
    writer.start()
    stack.callback(writer.stop)
    single = connect_single(reading.url)
    stack.callback(single.dispose)
    replay = _replay(single, clock())
    stack.callback(replay.close)
    root, directory, data = _accepted_directory(reading, instance / config.directory)
    gateway = Gateway(
        engine=reading,
        single=single,
        writer=writer,
        blobs=LocalBlobs(instance / config.blobs),
        replay=replay,
        keyholder=Keyholder(socket_of(instance, config), patience),
        log=log,
        manifest_signer=keyfiles.read_signer(secrets / "manifest.key", phrase),
        upload_key=keyfiles.read_symmetric(secrets / "upload.key", phrase),
        audience=config.audience,
        now=clock,
        sets=Sets(root, directory, data, None, Register()),
        proposal_days=config.proposal_days,
        displaced=displaced,
        upload_quota=config.upload_quota,
        policy_threshold=config.policy_threshold,
    )
    stack.callback(gateway.crew.shutdown)
    writer.on_loss(partial(_quarantine, gateway))
    _gate(gateway, instance, config)
    return gateway


def _accepted_directory(engine: Engine, folder: Path) -> tuple[Root, Directory, bytes]:
    """Return root and directory to begin with: the set last accepted, else the folder's first."""
    root = load_root(folder)
    with engine.connect() as conn:
        latest = sets.latest_directory(conn)
    if latest is None:
        return root, *load_directory(folder)
    return root, open_set(latest[1], root), latest[1]


def _replay(engine: Engine, moment: datetime) -> Replay:
    replay: Replay
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database)).with_name("replay.db")
        replay = FileReplay(path, unix(moment))
    else:
        replay = PostgresReplay(engine, unix(moment))
    with engine.connect() as conn:
        if ledger.head(conn)[0] == 0:  # the first entry comes before the first request
            replay.first_start()
    return replay


def _gate(gateway: Gateway, instance: Path, config: Settings) -> None:
    """Compare the ledger with its copy elsewhere; only then accept sets and finish what was cut off."""
    copy = HeadCopy(instance / config.head_copy)
    with gateway.engine.connect() as conn:
        gateway.quarantine = quarantine_reason(conn, copy, gateway.verifier)
    if gateway.quarantine is not None:
        _log.error("quarantined", reason=gateway.quarantine)
        return
    reload_sets(gateway, instance, config)
    proofs.index_old(gateway)
    finished, closed = prepare.finish_all(gateway), pull.close_open_servings(gateway)
    swept = _sweep(gateway)
    _log.info("recovered", releases_finished=finished, ranges_closed=closed, blobs_swept=swept)


def _sweep(gateway: Gateway) -> int:
    """Remove blobs that no row names: written by an upload whose row never committed."""
    with gateway.engine.connect() as conn:
        used = uploads.blobs_in_use(conn)
    orphans = [name for name in gateway.blobs.names() if name not in used]
    for name in orphans:
        gateway.blobs.delete(name)
    return len(orphans)


def copy_head(gateway: Gateway, copy: HeadCopy) -> None:
    """Copy the newest checkpoint to the other volume, unless quarantined or there already."""
    if gateway.quarantine is not None:
        return
    with gateway.engine.connect() as conn:
        note = ledger.checkpoint(conn)
        telemetry.ledger_size.set(ledger.head(conn)[0])
    if note is not None and note != copy.read():
        copy.write(note)


def _quarantine(gateway: Gateway, reason: str) -> None:
    _log.error("quarantined", reason=reason)
    gateway.quarantine = reason


def publish_head(gateway: Gateway, copy: HeadCopy) -> None:
    """Copy the newest checkpoint if its ledger is the copied one, grown; else go into quarantine.

    A database may come back as an older one while the server runs: after a failover, say.
    """
    if gateway.quarantine is None:
        with gateway.engine.connect() as conn:
            reason = quarantine_reason(conn, copy, gateway.verifier)
        if reason is not None:
            _quarantine(gateway, reason)
    copy_head(gateway, copy)
