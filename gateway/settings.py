"""Settings: one frozen structure, read once from the instance's gateway.toml.

Paths in it are relative to the instance folder. Secrets are named by file, never written here.
"""

import tomllib
from pathlib import Path

import msgspec

from gateway.kernel.errors import MalformedError

FILE = "gateway.toml"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an instance is configured with.

    *audience* is what tokens are made for, *url* where clients find the gateway if a proxy stands before it, *origin* the log's name, *head_copy* where the newest
    checkpoint is kept on another volume. *proxies* are the addresses of proxies in front, apart by blanks:
    connections from there are counted only in all. *requests_per_minute* is for each authority and each
    actor of the mechanism, 0 for no limit; *upload_quota* bytes may lie in the open uploads of one actor.
    """

    audience: str
    origin: str
    database: str = "sqlite:///data/gateway.db"
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
    max_connections: int = 500
    max_connections_per_address: int = 64
    proxies: str = "127.0.0.1 ::1"
    requests_per_minute: int = 6000
    upload_quota: int = 1 << 40


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
    """Return the database's URL with a SQLite path made absolute."""
    prefix = "sqlite:///"
    if settings.database.startswith(prefix):
        return f"{prefix}{(instance / settings.database.removeprefix(prefix)).resolve()}"
    return settings.database


def write(instance: Path, settings: Settings) -> None:
    """Write a fresh gateway.toml."""
    lines = []
    for name, value in msgspec.to_builtins(settings).items():
        if isinstance(value, bool):
            lines.append(f"{name} = {str(value).lower()}")
        else:
            lines.append(f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"')
    (instance / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
