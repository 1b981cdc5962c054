"""`gateway init --database …` checks what it is given before it makes anything, and says what to do."""

from pathlib import Path

import pytest

from gateway import settings
from tests.world import database, free_port, run_cli


def _init(folder: Path, url: str, *more: str) -> tuple[int, str]:
    done = run_cli(
        *("init", str(folder / "instance"), "--same-volume", "--unsealed", "--database", url),
        *more,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join(done.stderr.split())


def test_an_instance_is_made_on_postgresql(tmp_path: Path) -> None:
    with database("postgresql") as url:
        assert url is not None
        assert _init(tmp_path, url, "--check-database")[0] == 0
        assert settings.read(tmp_path / "instance").database == url
        done = run_cli("database", "upgrade", "--instance", str(tmp_path / "instance"), "--json")
        assert done.stdout == '{"changed": true}\n'
        done = run_cli("database", "check", "--instance", str(tmp_path / "instance"))
        assert "schema: current" in done.stdout
        assert "beyond its need" in done.stdout  # its owner is the server's role


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://role:hush@127.0.0.1/name", "--database-password-file"),
        ("postgresql://role@127.0.0.1/name", "postgresql+psycopg://"),
        ("postgresql+psycopg://role@db.example/name", "sslmode=verify-full"),
    ],
)
def test_a_bad_url_makes_nothing(tmp_path: Path, url: str, said: str) -> None:
    code, stderr = _init(tmp_path, url)
    assert code == 2
    assert said in stderr
    assert "hush" not in stderr
    assert not (tmp_path / "instance").exists()


def test_a_database_that_does_not_answer_makes_nothing_if_asked(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://role@127.0.0.1:{free_port()}/name"
    code, stderr = _init(tmp_path, url, "--check-database")
    assert code == 9
    assert "does not answer: see that it runs" in stderr
    assert not (tmp_path / "instance").exists()
    assert _init(tmp_path, url)[0] == 0
    done = run_cli("database", "check", "--instance", str(tmp_path / "instance"), check=False)
    assert done.returncode == 9
    assert "does not answer" in done.stderr


def test_sqlite_has_a_schema_and_no_roles(tmp_path: Path) -> None:
    assert _init(tmp_path, "sqlite:///data/gateway.db")[0] == 0
    instance = str(tmp_path / "instance")
    check = run_cli("database", "check", "--instance", instance, check=False)
    assert (check.returncode, check.stdout) == (9, "schema: absent\n")
    assert "up to date now" in run_cli("database", "upgrade", "--instance", instance).stdout
    assert run_cli("database", "check", "--instance", instance).stdout == "schema: current\n"
    done = run_cli("database", "grant", "--instance", instance, "--server", "x", check=False)
    assert done.returncode == 7
    assert "SQLite has no roles" in done.stderr
