"""Putting a key that lies in a token to use in an instance that does not run."""

from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from gateway import keyfiles
from gateway.client import token_keys
from gateway.exchange.parties import Use
from gateway.kernel.errors import ConflictError, MalformedError, VerificationError
from gateway.keyfiles import tokens
from gateway.keyfiles.uris import parse_uri
from gateway.keyholder.folder import FILE, ROOT, read_config, write_config
from gateway.ledger import EMPTY_ROOT, Checkpoint, Verifier, open_checkpoint
from gateway.settings import Settings
from gateway.store.headcopy import HeadCopy
from gateway.wiring.clock import now, passphrase, pin
from gateway.wiring.keyholder import FOLDER

USES = (Use.MANIFEST, Use.CHECKPOINT, Use.DIRECTORY)
BEFORE = ".before"


def take_token_key(
    instance: Path,
    config: Settings,
    use: Use,
    uri: str,
    module: str,
    *,
    custodian: Path | None = None,
    make: bool = False,
    second: bool = True,
) -> Path:
    """Put the key that *uri* names into the place of the instance's key for *use*; return its key file.

    With *make* the token makes it. *custodian* is the key file of the custodian whose key it replaces. The
    file before stays beside it, with `.before` at its end. The checkpoint's key is replaced only while the
    log is empty and nobody has pinned it, a custodian's only before a set is signed. Run again after a cut,
    without *make*, it goes on. Raises MalformedError, ConflictError, NotFoundError, UnavailableError.
    """
    if use not in USES or (use is Use.DIRECTORY) != (custodian is not None):
        raise MalformedError(
            "a token holds keys for manifest, checkpoint, or directory (a custodian's)"
        )
    path = custodian or instance / config.secrets / f"{use.value}.key"
    place, secret = parse_uri(uri), tokens.pin_of(parse_uri(uri), pin())
    found = (tokens.make_key if make else tokens.find_key)(module, place, secret)
    if keyfiles.public_key(path) == found.public_key:
        return path  # an earlier run came to its end
    if use is Use.CHECKPOINT:
        _check_empty(instance, config, keyfiles.public_key(path), found.public_key)
    phrase, fresh = passphrase(), path.with_name(path.name + ".new")
    if not (fresh.exists() and keyfiles.public_key(fresh) == found.public_key):
        fresh.unlink(missing_ok=True)
        twice = second and use is not Use.CHECKPOINT
        keyfiles.write_token_key(fresh, uri, found, phrase, second=twice)
    signer = keyfiles.open_signer(fresh, phrase, secret)
    folder = instance / config.directory
    if use is Use.MANIFEST:
        token_keys.roll_manifest_key(folder, signer, now())
    elif use is Use.CHECKPOINT:
        token_keys.replace_checkpoint_key(folder, signer, now())
        start = Checkpoint(config.origin, 0, EMPTY_ROOT).sign(signer)
        HeadCopy(instance / config.head_copy).write(start)
        tell_keyholder(instance, Verifier(config.origin, signer.public_key))
    else:
        token_keys.replace_custodian_key(folder, keyfiles.public_key(path), signer, now())
        tell_keyholder(instance, (folder / ROOT).read_bytes())
    before = path.with_name(path.name + BEFORE)
    before.unlink(missing_ok=True)
    before.hardlink_to(path)  # so that a key file is there at any moment
    fresh.replace(path)
    return path


def _check_empty(instance: Path, config: Settings, *keys: bytes) -> None:
    """Raise ConflictError unless the head copy is of an empty log, under the old key or already the new."""
    note = HeadCopy(instance / config.head_copy).read()
    for key in keys:
        with suppress(VerificationError):
            if note and open_checkpoint(note, Verifier(config.origin, key)).size == 0:
                return
    raise ConflictError("the log has begun under its key: only a new instance can have another")


def tell_keyholder(instance: Path, trust: Verifier | bytes) -> None:
    """Have the instance's own keyholder believe in the new log's key, or the new root.

    One elsewhere gets its trust later, from this instance or by hand.
    """
    place = instance / FOLDER
    if not (place / FILE).exists():
        return
    if isinstance(trust, bytes):
        (place / ROOT).write_bytes(trust)
    else:
        write_config(place, replace(read_config(place), log=str(trust)))
