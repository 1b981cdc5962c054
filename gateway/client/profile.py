"""A key folder: who its owner is, where the gateway is, what he trusts, and what he last saw.

`profile.json`, `*.key`, and `state/` with the last directory view, checkpoint and inbox cursor.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway import keyfiles
from gateway.envelope import Identity
from gateway.exchange.directory import Directory, Root, open_view
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import MalformedError
from gateway.kernel.signing import KeySigner
from gateway.ledger import Verifier, parse_verifier

FILE = "profile.json"


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who and where. *log* is the ledger's vkey, *root* the pinned directory root."""

    url: str
    audience: str
    actor: str
    party: str
    root: Root
    log: str


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """A key folder on disk."""

    path: Path
    profile: Profile
    passphrase: str | None

    @property
    def log(self) -> Verifier:
        """The ledger's public key."""
        return parse_verifier(self.profile.log)

    def request_signer(self) -> KeySigner:
        """Return the key that signs requests."""
        return keyfiles.read_signer(self.path / "request.key", self.passphrase)

    def message_signer(self) -> KeySigner:
        """Return the key that signs receipts."""
        return keyfiles.read_signer(self.path / "message.key", self.passphrase)

    def policy_signer(self) -> KeySigner:
        """Return the key that signs policy sets. Raises MalformedError for who has none."""
        return keyfiles.read_signer(self.path / "policy.key", self.passphrase)

    def identities(self) -> list[Identity]:
        """Return the age identities, newest first."""
        found = sorted(self.path.glob("envelope*.key"), reverse=True)
        return [keyfiles.read_identity(path, self.passphrase) for path in found]

    def state(self, name: str) -> bytes | None:
        """Return what was kept under *name*, if anything."""
        try:
            return (self.path / "state" / name).read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, name: str, data: bytes) -> None:
        """Keep *data* under *name*, atomically and durably, before anything is built upon it."""
        folder = self.path / "state"
        folder.mkdir(mode=0o700, exist_ok=True)
        temporary = folder / f"{name}.new"
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(folder / name)

    def forget(self, name: str) -> None:
        """Forget what was kept under *name*."""
        (self.path / "state" / name).unlink(missing_ok=True)

    def directory(self) -> Directory | None:
        """Return the directory view last seen, verified from the pinned root."""
        data = self.state("directory")
        return open_view(data, self.profile.root) if data is not None else None


def open_folder(path: Path, passphrase: str | None) -> KeyFolder:
    """Open a key folder. Raises MalformedError that says what to do."""
    try:
        data = (path / FILE).read_bytes()
    except OSError:
        message = f"{path.name} is not a key folder: give one with --as, or set GATEWAY_AS"
        raise MalformedError(message) from None
    return KeyFolder(path, decode(data.strip(), Profile), passphrase)


def write_profile(path: Path, profile: Profile) -> None:
    """Write the profile of a new key folder."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    (path / FILE).write_bytes(canonical_json(plain(profile)) + b"\n")
