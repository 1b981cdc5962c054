"""A keyholder's folder: what it is configured with, the trust root it has pinned, and its vault key.

`keyholder.toml` says for whom it works and what it demands beyond the gateway's own rules; `root.json` is
its own copy of the directory's root. Neither is ever read from the gateway.
"""

import json
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from gateway import keyfiles
from gateway.envelope import Identity, Recipient
from gateway.exchange.directory import Root
from gateway.exchange.parse import decode
from gateway.kernel.errors import ConflictError, MalformedError
from gateway.kernel.signing import Signer
from gateway.keyholder.judge import Floor
from gateway.ledger import Verifier, parse_verifier

FILE = "keyholder.toml"
ROOT = "root.json"
VAULT = "vault.key"
SOCKET = "socket"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a keyholder is configured with.

    *audience* is what orders are made for, *log* the verifier key of the ledger, *clients* the user ids
    that may ask (none: its own), *socket* where they ask (empty: in the folder), *floors* the fewest approvers by handling class, *otherwise* those of every
    class not named.
    """

    audience: str
    log: str
    clients: tuple[int, ...] = ()
    socket: str = ""
    otherwise: Floor = Floor(persons=2)
    floors: dict[str, Floor] = {}

    @property
    def verifier(self) -> Verifier:
        """The ledger's public key."""
        return parse_verifier(self.log)


def read_config(folder: Path) -> Config:
    """Read `keyholder.toml`. Raises MalformedError naming what is wrong."""
    try:
        raw = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        config = msgspec.convert(raw, Config)
    except FileNotFoundError:
        raise MalformedError(
            f"{folder.name} is not a keyholder's folder: it has no {FILE}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise MalformedError(f"{FILE}: {error}", field=FILE) from None
    _ = config.verifier  # a wrong one is found at start, not at the first request
    return config


def write_config(folder: Path, config: Config) -> None:
    """Write a fresh `keyholder.toml`."""
    lines = [
        f"audience = {json.dumps(config.audience)}",
        f"log = {json.dumps(config.log)}",
        f"clients = {[*config.clients]}",
        f"socket = {json.dumps(config.socket)}",
        "",
        "# The fewest distinct persons who must have approved a share, by the handling class that the",
        "# depositor gave an item; neither proposer nor releaser counts. `roles`: each needs one of her own.",
        *_floor("otherwise", config.otherwise),
    ]
    for name, floor in config.floors.items():
        lines += _floor(f"floors.{json.dumps(name)}", floor)
    (folder / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _floor(name: str, floor: Floor) -> list[str]:
    roles = json.dumps([role.value for role in floor.roles])
    return [f"[{name}]", f"persons = {floor.persons}", f"roles = {roles}", ""]


def read_root(folder: Path) -> Root:
    """Read the pinned trust root. Raises MalformedError."""
    try:
        return decode((folder / ROOT).read_bytes().strip(), Root)
    except OSError:
        raise MalformedError(f"the keyholder's folder has no {ROOT}") from None


@dataclass(frozen=True, slots=True)
class VaultFile:
    """The vault's identity in a key file, open for as long as the process lives."""

    identity: Identity

    @classmethod
    def read(cls, folder: Path, passphrase: str | None) -> "VaultFile":
        """Open `vault.key`. Raises MalformedError or VerificationError."""
        return cls(keyfiles.read_identity(folder / VAULT, passphrase))

    def identities(self, *_epochs: str) -> tuple[Identity, ...]:
        """Return the identity, whatever the epoch."""
        return (self.identity,)

    def want(self, *_epochs: str) -> None:
        """Do nothing: it is open."""

    def mover(self, _now: datetime) -> tuple[Recipient, Signer]:
        """Raise ConflictError: there is no other epoch to move to."""
        raise ConflictError("this keyholder has no epochs: see gateway keyholder init")
