"""Directory and policy from their folders into force, each all or nothing."""

from collections.abc import Iterator
from pathlib import Path

import structlog

from gateway.client import authors
from gateway.exchange.directory import Directory, Root, open_set
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.key_life import check_succession
from gateway.exchange.parse import decode
from gateway.kernel.encoding import Json
from gateway.kernel.errors import GatewayError, MalformedError, UnavailableError
from gateway.policy import PolicySet, Register, load_files
from gateway.settings import Settings
from gateway.store import envelope_keys, sets, shown
from gateway.store.writer import Transaction
from gateway.workflows import revoked, suspend
from gateway.workflows.gateway import Gateway
from gateway.workflows.policy_sets import LOCK, Handed, refuse_folder, restore, take_folder

_log = structlog.get_logger()


def policy_files(folder: Path) -> dict[str, bytes]:
    """Read the files of a policy folder, by their names relative to it."""
    return authors.read_files(folder)


def load_policy(folder: Path) -> tuple[PolicySet, Register]:
    """Load policy set and register. Raises MalformedError with file and line."""
    loaded = load_files(policy_files(folder))
    return loaded.policy, loaded.register


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
    with gateway.lock(LOCK):
        refused = [
            *filter(
                None,
                (
                    _take_directory(gateway, instance / config.directory),
                    *_take_policy(gateway, instance / config.policy),
                ),
            )
        ]
    deleted = revoked.delete_unfetched(gateway)
    swept = suspend.sweep(gateway)
    gateway.swept = gateway.now().date()
    if deleted:
        _log.info("headers_deleted", headers=deleted)
    _log.info("shares_decided_again", suspended=swept.suspended, resumed=swept.resumed)
    return refused


def _take_directory(gateway: Gateway, folder: Path) -> str | None:
    try:
        _accept_directory(gateway, folder)
    except GatewayError as error:
        return _refused(gateway, "directory", error)
    gateway.refused.pop("directory", None)
    return None


def _take_policy(gateway: Gateway, folder: Path) -> Iterator[str]:
    """Load what is in force, if nothing is loaded yet, then see whether the folder holds a newer set."""
    if gateway.sets.policy is None:
        try:
            restore(gateway)
        except GatewayError as error:
            yield _refused(gateway, "kept", error)
    try:
        take_folder(gateway, Handed(*authors.read_signed(folder), policy_files(folder)))
    except UnavailableError as error:  # it may be sound
        yield _refused(gateway, "policy", error)
    except GatewayError as error:
        refuse_folder(gateway, error)
        yield _refused(gateway, "policy", error)


def _refused(gateway: Gateway, what: str, error: GatewayError) -> str:
    gateway.refused[what] = str(error)
    _log.error("set_refused", reason=str(error))
    return str(error)


def _accept_directory(gateway: Gateway, folder: Path) -> None:
    directory, data = load_directory(folder)
    with gateway.engine.connect() as conn:
        latest = sets.latest_directory(conn)
    if latest is None or directory.number > latest[0]:
        at = gateway.now()
        if latest is not None:
            check_succession(gateway.sets.directory, directory)

        def job(tx: Transaction) -> None:
            sets.accept_directory(tx.conn, directory.number, data, directory.digest, at)
            if latest is None:
                envelope_keys.introduce_founding(tx.conn, directory, at)
            content: Json = {"number": directory.number, "digest": directory.digest}
            entry = tx.record(Entry(kind=Kind.DIRECTORY_ACCEPTED, at=at, content=content))
            shown.keep_directory(tx.conn, directory.number, entry)

        gateway.writer.run(job)
    elif (directory.number, data) != latest:
        # A rolled-back folder must not bring revoked keys back: the accepted set stays in force.
        raise MalformedError(
            f"directory set {latest[0]} is in force: a new one has a higher number"
        )
    gateway.put(directory=directory, directory_data=data)
