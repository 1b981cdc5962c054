"""The composition root: from an instance folder to a running gateway."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec

import structlog
from aiohttp import web
from sqlalchemy import Engine

from gateway import keyfiles, settings, telemetry
from gateway.client import ceremony
from gateway.client.profile import KeyFolder
from gateway.envelope import Suite
from gateway.exchange import tokens
from gateway.exchange.acts import AcceptHead, Order
from gateway.exchange.directory import Directory, Root, open_set
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import decode, plain
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Member, Party, Use
from gateway.kernel.encoding import Json, b64url, canonical_json, digest_of, hex_sha256, sha256
from gateway.kernel.errors import ConflictError, GatewayError, MalformedError
from gateway.kernel.ids import new_id
from gateway.kernel.time import unix
from gateway.keyholder.vault import Keyholder
from gateway.ledger import EMPTY_ROOT, Checkpoint, Verifier
from gateway.policy import PolicySet, Register, check_codes, load, load_register
from gateway.settings import Settings
from gateway.store import ledger, sets, uploads
from gateway.store.blobs import LocalBlobs
from gateway.store.engine import check_durable, connect, only_server, upgrade
from gateway.store.headcopy import HeadCopy, quarantine_reason
from gateway.store.replay import FileReplay, PostgresReplay, Replay
from gateway.store.writer import Log, Transaction, Writer
from gateway.web.app import DRAINING, check_parser, make_admin, make_app
from gateway.workflows import accept, pull, share, upkeep
from gateway.workflows.gateway import Answer, Gateway, Sets, Signed

_log = structlog.get_logger()
P = ParamSpec("P")
_PUBLISH_EVERY = 1.0  # seconds between copies of the newest checkpoint
_UPKEEP_EVERY = 60.0  # seconds
_DRAIN = 20.0  # seconds that running transfers get at shutdown


def now() -> datetime:
    """Read the clock: the only place of the server that does."""
    return datetime.now(UTC)


def passphrase() -> str | None:
    """Return the passphrase of the key files, if the environment brings one."""
    return os.environ.get(keyfiles.PASSPHRASE)


def policy_files(folder: Path) -> dict[str, bytes]:
    """Read the files of a policy folder, by their names relative to it."""
    if not folder.is_dir():
        raise MalformedError("there is no policy folder")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.yaml"))
    }


def load_policy(folder: Path) -> tuple[PolicySet, Register]:
    """Load policy set and register. Raises MalformedError with file and line."""
    files = policy_files(folder)
    policy = load(files)
    register = load_register(files, policy.vocabulary)
    check_codes(register, policy.vocabulary)
    return policy, register


def load_root(folder: Path) -> Root:
    """Load the pinned trust root. Raises MalformedError."""
    try:
        return decode((folder / "root.json").read_bytes().strip(), Root)
    except OSError:
        raise MalformedError("the directory has no root.json: run gateway init first") from None


def load_directory(folder: Path) -> tuple[Directory, bytes]:
    """Load and verify the directory set. Raises MalformedError or VerificationError."""
    root = load_root(folder)
    try:
        data = (folder / "set.json").read_bytes()
    except OSError:
        raise MalformedError("the directory is not signed yet: run gateway keys sign") from None
    return open_set(data, root), data


@contextmanager
def open_gateway(instance: Path) -> Iterator[tuple[Gateway, Settings]]:
    """Build the gateway of an instance, and close everything afterwards.

    Raises UnavailableError if another server runs on the database.
    """
    config = settings.read(instance)
    with ExitStack() as stack:
        url = settings.database_url(config, instance)
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        writing, reading = connect(url, writer=True), connect(url)
        stack.callback(writing.dispose)
        stack.callback(reading.dispose)
        check_durable(reading)
        stack.enter_context(only_server(reading))
        upgrade(writing)
        gateway = _build(instance, config, stack, writing, reading)
        yield gateway, config


def _build(
    instance: Path, config: Settings, stack: ExitStack, writing: Engine, reading: Engine
) -> Gateway:
    secrets, phrase = instance / config.secrets, passphrase()
    log = Log(
        config.origin,
        keyfiles.read_signer(secrets / "checkpoint.key", phrase),
        keyfiles.read_symmetric(secrets / "audience.key", phrase),
    )
    writer = Writer(writing, log)
    writer.start()
    stack.callback(writer.stop)
    replay = _replay(reading)
    stack.callback(replay.close)
    vault = keyfiles.read_identity(secrets / "vault.key", phrase)
    root, directory, data = _accepted_directory(reading, instance / config.directory)
    gateway = Gateway(
        engine=reading,
        writer=writer,
        blobs=LocalBlobs(instance / config.blobs),
        replay=replay,
        keyholder=Keyholder([vault], config.audience),
        vault=vault.recipient,
        log=log,
        manifest_signer=keyfiles.read_signer(secrets / "manifest.key", phrase),
        upload_key=keyfiles.read_symmetric(secrets / "upload.key", phrase),
        audience=config.audience,
        now=now,
        sets=Sets(root, directory, data, None, {}),
    )
    _gate(gateway, instance, config)
    return gateway


def accept_head(instance: Path, custodian: KeyFolder, reason: str) -> Answer:
    """End the quarantine of a stopped instance on a custodian's signed order.

    Raises ConflictError if it is in none, UnavailableError while its server runs.
    """
    with open_gateway(instance) as (gateway, config):
        with gateway.engine.connect() as conn:
            size, root = ledger.head(conn)
        act = AcceptHead(size, b64url(root), reason)
        body = canonical_json({"act": plain(act), "sig2": None})
        request = tokens.Request("POST", "/v1/ledger/accept-head", sha256(body))
        token = tokens.make(
            custodian.request_signer(),
            issuer=custodian.profile.actor,
            audience=config.audience,
            request=request,
            now=now(),
        )
        order = Order(token, request.method, request.target, body, request.digest)
        verified = tokens.verify(
            token,
            request,
            audience=config.audience,
            directory=gateway.sets.directory,
            now=now(),
        )
        answer = accept.accept_head(gateway, Signed(verified.actor, order, verified.claims))
        copy_head(gateway, HeadCopy(instance / config.head_copy))
        return answer


def _accepted_directory(engine: Engine, folder: Path) -> tuple[Root, Directory, bytes]:
    """Return root and directory to begin with: the set last accepted, else the folder's first."""
    root = load_root(folder)
    with engine.connect() as conn:
        latest = sets.latest_directory(conn)
    if latest is None:
        return root, *load_directory(folder)
    return root, open_set(latest[1], root), latest[1]


def _replay(engine: Engine) -> Replay:
    replay: Replay
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database)).with_name("replay.db")
        replay = FileReplay(path, unix(now()))
    else:
        replay = PostgresReplay(engine, unix(now()))
    with engine.connect() as conn:
        if ledger.head(conn)[0] == 0:  # the first entry comes before the first request
            replay.first_start()
    return replay


def _gate(gateway: Gateway, instance: Path, config: Settings) -> None:
    """Compare the ledger with its copy elsewhere; only then accept sets and finish what was cut off."""
    copy = HeadCopy(instance / config.head_copy)
    verifier = Verifier(gateway.log.origin, gateway.log.signer.public_key)
    with gateway.engine.connect() as conn:
        gateway.quarantine = quarantine_reason(conn, copy, verifier)
    if gateway.quarantine is not None:
        _log.error("quarantined", reason=gateway.quarantine)
        return
    reload_sets(gateway, instance, config)
    finished, closed = share.finish_all(gateway), pull.close_open_servings(gateway)
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


def reload_sets(gateway: Gateway, instance: Path, config: Settings) -> list[str]:
    """Put newer sets into force, each all or nothing; return why one was not, which leaves the old."""
    if gateway.quarantine is not None:
        _log.error("set_refused", reason="quarantine")
        return [f"nothing is accepted in quarantine: {gateway.quarantine}"]
    refused = []
    for take, folder in ((_accept_directory, config.directory), (_accept_policy, config.policy)):
        try:
            take(gateway, instance / folder)
        except GatewayError as error:
            refused.append(str(error))
            _log.error("set_refused", reason=str(error))
    return refused


def _accept_directory(gateway: Gateway, folder: Path) -> None:
    directory, data = load_directory(folder)
    with gateway.engine.connect() as conn:
        latest = sets.latest_directory(conn)
    if latest is None or directory.number > latest[0]:
        at = now()

        def job(tx: Transaction) -> None:
            sets.accept_directory(tx.conn, directory.number, data, directory.digest, at)
            content: Json = {"number": directory.number, "digest": directory.digest}
            tx.record(Entry(kind=Kind.DIRECTORY_ACCEPTED, at=at, content=content))

        gateway.writer.run(job)
    elif (directory.number, data) != latest:
        # A rolled-back folder must not bring revoked keys back: the accepted set stays in force.
        raise MalformedError(
            f"directory set {latest[0]} is in force: a new one has a higher number"
        )
    gateway.sets = replace(gateway.sets, directory=directory, directory_data=data)


def _accept_policy(gateway: Gateway, folder: Path) -> None:
    policy, register = load_policy(folder)
    files = policy_files(folder)
    digest = digest_of([[name, hex_sha256(files[name])] for name in sorted(files)])
    with gateway.engine.connect() as conn:
        latest = sets.latest_policy(conn)
    if latest != digest:
        at = now()

        def job(tx: Transaction) -> None:
            sets.accept_policy(tx.conn, digest, at)
            content: Json = {"set": policy.digest, "files": digest}
            tx.record(Entry(kind=Kind.POLICY_ACCEPTED, at=at, content=content))

        gateway.writer.run(job)
    gateway.sets = replace(gateway.sets, policy=policy, register=register)


async def serve(instance: Path) -> None:
    """Run the gateway until SIGTERM or SIGINT; SIGHUP reloads directory and policy."""
    check_parser()
    telemetry.set_up_log()
    with open_gateway(instance) as (gateway, config):
        app, admin = make_app(gateway), make_admin(gateway, same_volume=config.same_volume)
        async with (
            _site(app, config.host, config.port),
            _site(admin, config.admin_host, config.admin_port),
        ):
            stop = _signals(gateway, instance, config)
            copy = HeadCopy(instance / config.head_copy)
            tasks = [
                asyncio.create_task(_repeat(_PUBLISH_EVERY, copy_head, gateway, copy)),
                asyncio.create_task(_repeat(_UPKEEP_EVERY, upkeep.every_minute, gateway)),
            ]
            _log.info("serving", host=config.host, port=config.port)
            await stop.wait()
            admin[DRAINING].set()
            for task in tasks:
                task.cancel()
        upkeep.every_minute(gateway)
        copy_head(gateway, copy)


@asynccontextmanager
async def _site(app: web.Application, host: str, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_DRAIN,
        keepalive_timeout=30,
        auto_decompress=False,
    )
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


def _signals(gateway: Gateway, instance: Path, config: Settings) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(
        signal.SIGHUP,
        lambda: loop.run_in_executor(None, reload_sets, gateway, instance, config),
    )
    return stop


async def _repeat(seconds: float, work: Callable[P, None], *args: P.args, **kw: P.kwargs) -> None:
    """Do *work* every so many seconds, whatever became of it the last time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(work, *args, **kw)
        except Exception as error:
            _log.error("task_failed", task=work.__name__, defect=type(error).__name__)


def copy_head(gateway: Gateway, copy: HeadCopy) -> None:
    """Copy the newest checkpoint to the other volume, unless quarantined or there already."""
    if gateway.quarantine is not None:
        return
    with gateway.engine.connect() as conn:
        note = ledger.checkpoint(conn)
        telemetry.ledger_size.set(ledger.head(conn)[0])
    if note is not None and note != copy.read():
        copy.write(note)


def packaged(name: str) -> Path:
    """Return a folder of examples that ship with the program: `policies` or `keys`."""
    return Path(__file__).parent / "_examples" / name


def init_instance(
    instance: Path, config: Settings, phrase: str | None, policy: Path | None = None
) -> None:
    """Make a new instance: settings, secrets, the mechanism's party, directory root, policies.

    Raises ConflictError if there is one already: nothing is overwritten.
    """
    if (instance / settings.FILE).exists():
        raise ConflictError(f"{instance.name} is an instance already")
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    secrets, moment = instance / config.secrets, now()
    manifest = keyfiles.make_signer(secrets / "manifest.key", phrase)
    checkpoint = keyfiles.make_signer(secrets / "checkpoint.key", phrase)
    vault = keyfiles.make_identity(secrets / "vault.key", Suite.PQ, phrase)
    for name in ("upload.key", "audience.key"):
        keyfiles.make_symmetric(secrets / name, phrase)
    custodian = keyfiles.make_signer(instance / "custodian" / "directory.key", phrase)
    folder = instance / config.directory
    ceremony.write_root(folder, [custodian], 1, moment)
    keys = (
        ceremony.public_key(Use.MANIFEST, "Ed25519", b64url(manifest.public_key), moment),
        ceremony.public_key(Use.CHECKPOINT, "Ed25519", b64url(checkpoint.public_key), moment),
        ceremony.public_key(Use.VAULT, "mlkem768x25519", str(vault.recipient), moment),
    )
    service = Member(new_id("svc"), "gateway", (), keys)
    party = Party(new_id("pty"), "mechanism", "The mechanism", PartyKind.MECHANISM, (service,))
    ceremony.write_party(folder, party)
    shutil.copytree(policy or packaged("policies"), instance / config.policy)
    # The copy begins with the empty log: a crash before its first renewal must not look like a loss.
    start = Checkpoint(config.origin, 0, EMPTY_ROOT).sign(checkpoint)
    HeadCopy(instance / config.head_copy).write(start)
    settings.write(instance, config)


def place_of(instance: Path, config: Settings) -> ceremony.Place:
    """Return what the key folders of new members need to know."""
    signer = keyfiles.read_signer(instance / config.secrets / "checkpoint.key", passphrase())
    url = config.url or f"http://{config.host}:{config.port}"
    return ceremony.Place(url, config.audience, str(Verifier(config.origin, signer.public_key)))
