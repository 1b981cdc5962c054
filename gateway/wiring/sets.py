"""Directory and policy from their folders into force, each all or nothing."""

from dataclasses import replace
from pathlib import Path

import structlog

from gateway.exchange.directory import Directory, Root, open_set
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import decode
from gateway.kernel.encoding import Json, digest_of, hex_sha256
from gateway.kernel.errors import GatewayError, MalformedError
from gateway.policy import PolicySet, Register, check_codes, load, load_register
from gateway.settings import Settings
from gateway.store import sets
from gateway.store.writer import Transaction
from gateway.workflows import suspend
from gateway.workflows.gateway import Gateway

_log = structlog.get_logger()


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
    swept = suspend.sweep(gateway)
    gateway.swept = gateway.now().date()
    _log.info("shares_decided_again", suspended=swept.suspended, resumed=swept.resumed)
    return refused


def _accept_directory(gateway: Gateway, folder: Path) -> None:
    directory, data = load_directory(folder)
    with gateway.engine.connect() as conn:
        latest = sets.latest_directory(conn)
    if latest is None or directory.number > latest[0]:
        at = gateway.now()

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
        at = gateway.now()

        def job(tx: Transaction) -> None:
            sets.accept_policy(tx.conn, digest, at)
            content: Json = {"set": policy.digest, "files": digest}
            tx.record(Entry(kind=Kind.POLICY_ACCEPTED, at=at, content=content))

        gateway.writer.run(job)
    gateway.sets = replace(gateway.sets, policy=policy, register=register)
