"""Settings: one frozen structure, read once from the instance's gateway.toml.

Paths in it are relative to the instance folder. Secrets are named by file, never written here.
"""

import json
import tomllib
from pathlib import Path

import msgspec

from gateway.exchange.policy_sets import FEWEST
from gateway.kernel.errors import MalformedError
from gateway.store import address

FILE = "gateway.toml"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an instance is configured with.

    *audience* is what tokens are made for, *url* where clients find the gateway if a proxy stands before it, *origin* the log's name, *head_copy* where the newest
    checkpoint is kept on another volume, *database_password_file* what holds the password of the
    database's role, if PGPASSFILE does not, *proposal_days* how long a proposal may wait for its release.
    *proxies* are the addresses of proxies in front, apart by blanks: connections from there are counted
    only in all. *requests_per_minute* is for each authority and each actor of the mechanism, 0 for no
    limit; *upload_quota* bytes may lie in the open uploads of one actor. *policy_threshold* authors sign
    a policy set. *keyholder* is the socket of a keyholder that runs by itself; without it the server starts
    the one in the instance's own folder.
    """

    audience: str
    origin: str
    database: str = "sqlite:///data/gateway.db"
    database_password_file: str = ""
    blobs: str = "data/blobs"
    head_copy: str = "data/head-copy"
    same_volume: bool = False
    policy: str = "policies"
    directory: str = "directory"
    secrets: str = "secrets"
    host: str = "127.0.0.1"
    port: int = 8443
    admin_host: str = "127.0.0.1"
    admin_port: int = 8444
    url: str = ""
    proposal_days: int = 30
    max_connections: int = 500
    max_connections_per_address: int = 64
    proxies: str = "127.0.0.1 ::1"
    requests_per_minute: int = 6000
    upload_quota: int = 1 << 40
    policy_threshold: int = 2
    keyholder: str = ""

    def __post_init__(self) -> None:
        if not FEWEST <= self.policy_threshold <= 16:
            raise ValueError(
                "policy_threshold is 2 to 16: one author alone never changes the rules"
            )


def read(instance: Path) -> Settings:
    """Read the settings of an instance. Raises MalformedError naming what is wrong."""
    try:
        raw = tomllib.loads((instance / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"{instance.name} is not an instance: run gateway init first"
        raise MalformedError(message) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"{FILE}: {error}", field=FILE) from None
    try:
        return msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise MalformedError(f"{FILE}: {error}", field=FILE) from None


def database_url(settings: Settings, instance: Path) -> str:
    """Return the database's URL for the driver: a SQLite path made absolute, a password added.

    Raises MalformedError if the URL or the password file is wrong.
    """
    address.parse(settings.database)
    prefix = "sqlite:///"
    if settings.database.startswith(prefix):
        return f"{prefix}{(instance / settings.database.removeprefix(prefix)).resolve()}"
    if settings.database_password_file:
        return address.with_password(settings.database, instance / settings.database_password_file)
    return settings.database


def write(instance: Path, settings: Settings) -> None:
    """Write a fresh gateway.toml."""
    lines = [f"{name} = {_toml(value)}" for name, value in msgspec.to_builtins(settings).items()]
    (instance / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: str | int) -> str:
    """Spell a value. A JSON string is a TOML basic string, but for DELETE, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
