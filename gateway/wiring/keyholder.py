"""The keyholder of an instance that has none elsewhere: its folder, and the process that serves it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway import keyfiles, settings
from gateway.envelope import Identity, Suite
from gateway.exchange.parties import Use
from gateway.kernel.errors import ConflictError, MalformedError
from gateway.keyholder import folder
from gateway.keyholder.judge import Floor
from gateway.ledger import Verifier
from gateway.settings import Settings
from gateway.wiring.clock import now, passphrase
from gateway.wiring.sets import load_directory

FOLDER = "keyholder"
_DEFAULT_HANDLING = "standard"  # what `gateway push` says of an item unless told otherwise
_STOP = 10.0  # seconds it gets to end what is under way


def make_keyholder(
    instance: Path, config: Settings, checkpoint_key: bytes, root: bytes, phrase: str | None
) -> Identity:
    """Make the folder of an instance's own keyholder, with a vault key; return the identity.

    Items of the class `standard` need no approvers beyond what the rules ask for, all others two.
    """
    place = instance / FOLDER
    vault = keyfiles.make_identity(place / folder.VAULT, Suite.PQ, phrase)
    write_trust(place, config, checkpoint_key, root)
    return vault


def write_trust(
    place: Path,
    config: Settings,
    checkpoint_key: bytes,
    root: bytes,
    *,
    clients: tuple[int, ...] = (),
    socket: str = "",
) -> None:
    """Write what a keyholder is to believe in: the directory's root, the log, and its floors."""
    (place / folder.ROOT).write_bytes(root)
    log = str(Verifier(config.origin, checkpoint_key))
    floors = {_DEFAULT_HANDLING: Floor(persons=0)}
    folder.write_config(place, folder.Config(config.audience, log, clients, socket, floors=floors))


def socket_of(instance: Path, config: Settings) -> Path:
    """Return where the keyholder is asked."""
    return Path(config.keyholder) if config.keyholder else instance / FOLDER / folder.SOCKET


@contextmanager
def own_keyholder(instance: Path, config: Settings) -> Iterator[None]:
    """Run the instance's own keyholder beside the server, unless one runs by itself.

    It ends when this process does, however that ends: its standard input is held open here.
    """
    if config.keyholder:
        yield
        return
    place = instance / FOLDER
    if not (place / folder.FILE).exists():
        _adopt(instance, config)
    command = [sys.executable, "-m", "gateway.keyholder", str(place)]
    # In a session of its own, so that an interrupt from the terminal reaches the server alone.
    with subprocess.Popen(  # noqa: S603 - this very program
        command, stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                process.kill()


def _adopt(instance: Path, config: Settings) -> None:
    """Give an instance whose server still held the vault key its keyholder. Raises MalformedError."""
    secrets, place = instance / config.secrets, instance / FOLDER
    if not (secrets / folder.VAULT).exists():
        raise MalformedError(f"the instance has no {FOLDER} folder and names no keyholder's socket")
    signer = keyfiles.read_signer(secrets / "checkpoint.key", passphrase())
    place.mkdir(mode=0o700, exist_ok=True)
    write_trust(
        place, config, signer.public_key, (instance / config.directory / folder.ROOT).read_bytes()
    )
    (secrets / folder.VAULT).rename(place / folder.VAULT)


def trust_of(
    instance: Path, place: Path, *, clients: tuple[int, ...] = (), socket: str = ""
) -> None:
    """Write what a keyholder in a folder of its own is to believe in, as an instance has it now.

    *clients* are the user ids that may ask at *socket*. Raises MalformedError, ConflictError if the folder
    has a config already: what it says is not the instance's to change.
    """
    if (place / folder.FILE).exists():
        raise ConflictError("the folder has a keyholder.toml already")
    config = settings.read(instance)
    directory, _ = load_directory(instance / config.directory)
    (checkpoint, *_) = directory.mechanism().keys(Use.CHECKPOINT, now())
    root = (instance / config.directory / folder.ROOT).read_bytes()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_trust(place, config, checkpoint.raw(), root, clients=clients, socket=socket)
