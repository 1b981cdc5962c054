"""The database's URL: checked before it is used, and never with a password in anything that is shown."""

import stat
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.kernel.errors import MalformedError

_FORM = "postgresql+psycopg://role@host:5432/name"
_SECRET = frozenset({"password", "sslpassword"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def parse(url: str) -> URL:
    """Return the parts of a database URL. Raises MalformedError that says what is wrong with it."""
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # its message holds the URL, and that may hold a password
        raise _wrong(
            f"cannot be read: it looks like sqlite:///data/gateway.db or {_FORM}"
        ) from None
    if found.drivername == "sqlite":
        if not found.database or found.database == ":memory:":
            raise _wrong("names no file: it looks like sqlite:///data/gateway.db")
        return found
    if found.drivername != "postgresql+psycopg":
        raise _wrong(
            f"is of another kind: begin it with sqlite:/// or postgresql+psycopg://, as {_FORM}"
        )
    _check_parts(found)
    return found


def _check_parts(url: URL) -> None:
    for part, there in (
        ("role", url.username),
        ("host", url.host or url.query.get("host")),
        ("database", url.database),
    ):
        if not there:
            raise _wrong(f"names no {part}: it looks like {_FORM}")
    secret = _SECRET & set(url.query)
    if secret:
        raise _wrong(f"holds a secret in {min(secret)}: {_ELSEWHERE}")


def _hosts(url: URL) -> list[str]:
    """Return the hosts of a URL, which may name several as `?host=one:5432&host=two:5432`."""
    said = url.query.get("host", ())
    named = [said] if isinstance(said, str) else [*said]
    return [url.host] if url.host else [one for several in named for one in several.split(",")]


def _local(host: str) -> bool:
    """Tell whether a connection to *host*, maybe with a port, stays on this machine."""
    return host.startswith(("/", "@")) or host in _LOCAL or host.rpartition(":")[0] in _LOCAL


_ELSEWHERE = (
    "keep it in a file of mode 0600 and name that with --database-password-file, or use PGPASSFILE"
)


def check_new(url: str) -> None:
    """Check the URL of a new instance, which is written to a file that others may read.

    Raises MalformedError if it is malformed, holds a password, or leaves it to chance whether a
    connection over the network is encrypted and its server verified.
    """
    found = parse(url)
    if found.drivername == "sqlite":
        return
    if found.password is not None:
        raise _wrong(f"holds a password: {_ELSEWHERE}")
    if "sslmode" not in found.query and not all(map(_local, _hosts(found))):
        raise _wrong("goes over the network: add ?sslmode=verify-full, or another mode on purpose")


def with_password(url: str, path: Path) -> str:
    """Return the URL with the password that the file holds, for the driver alone.

    Raises MalformedError if the file cannot be read, is empty or is open to others.
    """
    try:
        mode = path.stat().st_mode
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise _file(path, "cannot be read") from None
    if stat.S_IMODE(mode) & 0o077:
        raise _file(path, "is open to others: run chmod 600 on it")
    if not password:
        raise _file(path, "is empty")
    return parse(url).set(password=password).render_as_string(hide_password=False)


def _wrong(what: str) -> MalformedError:
    return MalformedError(f"the database URL {what}", field="database")


def _file(path: Path, what: str) -> MalformedError:
    return MalformedError(f"the password file {path.name} {what}", field="database_password_file")
