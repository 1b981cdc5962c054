"""The database's URL is checked before it is used, and no password is in anything that is shown."""

import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import make_url

from gateway import settings
from gateway.kernel.errors import MalformedError
from gateway.settings import Settings
from gateway.store import address

GOOD = "postgresql+psycopg://gateway_server@db.example:5432/gateway?sslmode=verify-full"
PLAIN = Settings(audience="https://gateway.example", origin="gateway.example/ledger")


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "sqlite:///data/gateway.db",
        "postgresql+psycopg://role@127.0.0.1/gateway",
        "postgresql+psycopg://role@localhost/gateway",
        "postgresql+psycopg://role@/gateway?host=/run/postgresql",
        "postgresql+psycopg://role@/gateway?host=127.0.0.1:5432&host=localhost",
        "postgresql+psycopg://role@/gateway?host=one:5432&host=two:5432&sslmode=verify-full",
    ],
)
def test_a_good_url_is_taken(url: str) -> None:
    address.check_new(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "cannot be read"),
        ("gateway.db", "cannot be read"),
        ("postgresql+psycopg://role@host:port/name", "cannot be read"),
        ("postgresql://role@host/name", "begin it with sqlite:/// or postgresql\\+psycopg://"),
        ("postgres://role@host/name", "is of another kind"),
        ("mysql://role@host/name", "is of another kind"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql+psycopg://host/name", "names no role"),
        ("postgresql+psycopg://role@/name", "names no host"),
        ("postgresql+psycopg://role@host", "names no database"),
        ("postgresql+psycopg://role:hush@127.0.0.1/name", "holds a password"),
        ("postgresql+psycopg://role@127.0.0.1/name?password=hush", "holds a secret in password"),
        ("postgresql+psycopg://role@127.0.0.1/name?sslpassword=hush", "holds a secret in sslpass"),
        ("postgresql+psycopg://role@db.example/name", "add \\?sslmode=verify-full"),
        ("postgresql+psycopg://role@/name?host=127.0.0.1&host=two:5432", "sslmode=verify-full"),
        ("postgresql+psycopg://role@/name?host=127.0.0.1,two", "sslmode=verify-full"),
        ("postgresql+psycopg://role:hush@host:port/name", "cannot be read"),
    ],
)
def test_a_bad_url_is_refused_by_what_is_wrong_with_it(url: str, said: str) -> None:
    with pytest.raises(MalformedError, match=said) as refused:
        address.check_new(url)
    assert "hush" not in str(refused.value)
    assert refused.value.field == "database"


# Carriage returns are left to the editors that end lines with them.
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1))
def test_a_password_of_any_characters_reaches_the_driver(
    tmp_path_factory: pytest.TempPathFactory, password: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "password"
    path.write_bytes(password.encode() + b"\n")
    path.chmod(0o600)
    made = make_url(address.with_password(GOOD, path))
    assert made.password == password
    shown = str(made)
    assert shown == GOOD.replace("@", ":***@", 1)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"hush", 0o640, "is open to others: run chmod 600"),
        (b"hush", 0o604, "is open to others"),
        (b"\n", 0o600, "is empty"),
        (b"\xff\xfe", 0o600, "cannot be read"),
        (None, 0, "cannot be read"),
    ],
)
def test_a_password_file_that_is_not_a_secret_is_refused(
    tmp_path: Path, content: bytes | None, mode: int, said: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    config = replace(PLAIN, database=GOOD, database_password_file="password")
    with pytest.raises(MalformedError, match=said) as refused:
        settings.database_url(config, tmp_path)
    assert "hush" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_without_a_password_file_the_url_stays_as_it_is(tmp_path: Path) -> None:
    assert settings.database_url(replace(PLAIN, database=GOOD), tmp_path) == GOOD


_ANY = st.text(st.characters(exclude_categories=["Cs"]))


@given(audience=_ANY, database=_ANY, url=st.text(string.punctuation + "\x7f\x00\n\t é"))
def test_settings_of_any_characters_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, audience: str, database: str, url: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    written = replace(PLAIN, audience=audience, database=database, url=url, same_volume=True)
    settings.write(folder, written)
    assert settings.read(folder) == written
    assert tomllib.loads((folder / settings.FILE).read_text(encoding="utf-8"))
