"""The server does its whole job under a role that can change nothing that is to last."""

import ast
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from gateway import settings, wiring
from gateway.kernel.errors import ConflictError, UnavailableError
from gateway.store.grants import audited, needs
from gateway.store.tables import APPEND_ONLY, metadata
from tests.faults.scenario import DATA, play, quick_clients
from tests.postgres import Cluster, cluster
from tests.world import ROOT, World, build_world, run_cli

SERVER, OWNER, AUDITOR = "gateway_server", "gateway_owner", "gateway_auditor"
_DENIED = "42501"  # insufficient_privilege


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    """A cluster as the runbook sets it up."""
    with cluster() as made:
        script = str(ROOT / "deploy" / "postgresql" / "roles.sql")
        uri = made.url().replace("+psycopg", "")
        subprocess.run([str(made.programs / "psql"), "-qX", uri, "-f", script], check=True)
        yield made


@pytest.fixture
def world(postgres: Cluster, tmp_path: Path) -> Iterator[World]:
    """An instance whose server is the restricted role; its database is as empty as a new one."""
    yield build_world(tmp_path, ("xa",), database=postgres.url(SERVER, "gateway"))
    with session(postgres, OWNER) as conn:
        conn.execute(text(f"DROP OWNED BY {OWNER}"))
    with session(postgres, "postgres") as conn:
        conn.execute(text("CREATE SCHEMA IF NOT EXISTS public"))
        conn.execute(text(f"ALTER SCHEMA public OWNER TO {OWNER}"))
        conn.execute(text(f"GRANT USAGE ON SCHEMA public TO {SERVER}, {AUDITOR}"))
        conn.execute(text(f"GRANT CONNECT ON DATABASE gateway TO {SERVER}, {AUDITOR}"))


@contextmanager
def session(postgres: Cluster, role: str) -> Iterator[Connection]:
    engine = create_engine(postgres.url(role, "gateway"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as conn:
            yield conn
    finally:
        engine.dispose()


def cli(world: World, *args: str, check: bool = True) -> Any:
    done = run_cli(
        "database", args[0], "--instance", str(world.instance), *args[1:], "--json", check=check
    )
    return json.loads(done.stdout)


def prepare(world: World, postgres: Cluster) -> None:
    """Do what the runbook says the owner does."""
    owner = postgres.url(OWNER, "gateway")
    assert cli(world, "upgrade", "--owner", owner) == {"changed": True}
    made = cli(world, "grant", "--server", SERVER, "--auditor", AUDITOR, "--owner", owner)
    assert len(made["statements"]) == 3 * len(needs()) + len(audited())


def denied(conn: Connection, statement: str) -> None:
    with pytest.raises(DBAPIError) as refused:
        conn.execute(text(statement))
    assert getattr(refused.value.orig, "sqlstate", None) == _DENIED, statement


def _changes() -> set[tuple[str, str]]:
    """Return which tables the program updates and deletes from, as its code says."""
    found = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                verb, table = node.func.id.upper(), ast.unparse(node.args[0]).rpartition(".")[2]
                if verb in ("UPDATE", "DELETE") and table in metadata.tables:
                    found.add((table, verb))
    return found


def test_every_change_that_the_program_makes_is_granted() -> None:
    granted = {(table, right) for table, rights in needs().items() for right in rights}
    found = _changes()
    assert {("shares", "UPDATE"), ("jti", "DELETE"), ("heads", "UPDATE")} <= found
    assert found - granted == set()
    assert ("shares", "DELETE") not in granted


async def test_the_whole_job_runs_under_the_restricted_role(
    world: World, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_clients(monkeypatch)
    (world.root / "order.txt").write_bytes(DATA)
    prepare(world, postgres)
    found = cli(world, "check")
    assert found == {
        "schema": "current",
        "role": SERVER,
        "faults": [],
        "lacks": [],
        "beyond": [],
        "fit": True,
    }
    told = await play(world, lambda _: None)
    assert told.surfaced == []
    with session(postgres, SERVER) as conn:
        for table in APPEND_ONLY:
            column = metadata.tables[table].columns.keys()[0]
            assert conn.execute(text(f"SELECT count(*) FROM {table}")).scalar() is not None
            denied(conn, f"UPDATE {table} SET {column} = {column}")
            denied(conn, f"DELETE FROM {table}")
        _no_role_of_a_table(conn)
    with session(postgres, OWNER) as conn, pytest.raises(DBAPIError, match="append-only"):
        conn.execute(text("DELETE FROM entries"))


def _no_role_of_a_table(conn: Connection) -> None:
    """Whatever the table: nobody but its owner empties, alters, unguards or drops it, or makes one."""
    for table in needs():
        denied(conn, f"TRUNCATE {table}")
        denied(conn, f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        denied(conn, f"ALTER TABLE {table} ADD COLUMN more text")
        denied(conn, f"DROP TABLE {table}")
    denied(conn, "CREATE TABLE more (id int)")
    denied(conn, "CREATE TEMPORARY TABLE more (id int)")
    denied(conn, "CREATE SCHEMA more")
    denied(conn, "SET session_replication_role = replica")
    denied(conn, f"SET ROLE {OWNER}")
    denied(conn, "DELETE FROM alembic_version")


@pytest.mark.slow
def test_the_auditor_reads_all_but_keys_and_changes_nothing(
    world: World, postgres: Cluster
) -> None:
    prepare(world, postgres)
    with session(postgres, AUDITOR) as conn:
        closed = {"uploads", "opening_keys", "read_boot", "read_forgotten", "read_jti"}
        assert set(needs()) - audited() == closed
        conn.execute(text("SET default_transaction_read_only = off"))  # the grants alone must hold
        for table in needs():
            if table in audited():
                conn.execute(text(f"SELECT * FROM {table}"))
            else:
                denied(conn, f"SELECT * FROM {table}")
            denied(conn, f"INSERT INTO {table} DEFAULT VALUES")
            denied(conn, f"DELETE FROM {table}")
            denied(conn, f"TRUNCATE {table}")
    found = wiring.check_database(world.instance, postgres.url(AUDITOR, "gateway"))
    assert "INSERT on entries" in found.lacks
    assert not found.fit


def test_the_server_says_what_the_owner_has_to_do_first(world: World, postgres: Cluster) -> None:
    owner = postgres.url(OWNER, "gateway")

    def start() -> str:
        with pytest.raises(UnavailableError) as refused, wiring.open_gateway(world.instance):
            pass
        return str(refused.value)

    assert "run gateway database upgrade" in start()
    with pytest.raises(ConflictError, match="run gateway database upgrade first"):
        wiring.grant_database(world.instance, SERVER, None, owner)
    assert wiring.upgrade_database(world.instance, owner)
    assert "run gateway database" in start()
    wiring.grant_database(world.instance, SERVER, None, owner)
    with session(postgres, OWNER) as conn:
        conn.execute(text(f"REVOKE INSERT ON items FROM {SERVER}"))
    assert "lacks INSERT on items: run gateway database grant" in start()
    assert cli(world, "check", check=False)["lacks"] == ["INSERT on items"]
    wiring.grant_database(world.instance, SERVER, None, owner)
    with wiring.open_gateway(world.instance) as (gateway, _):
        assert gateway.quarantine is None
        with pytest.raises(UnavailableError, match="already runs"):
            wiring.upgrade_database(world.instance, owner)


@pytest.mark.slow
def test_a_role_that_may_too_much_is_told(world: World, postgres: Cluster) -> None:
    prepare(world, postgres)
    with session(postgres, OWNER) as conn:
        conn.execute(text(f"GRANT UPDATE, TRUNCATE ON entries TO {SERVER}"))
    found = wiring.check_database(world.instance)
    assert found.beyond == ("TRUNCATE on entries", "UPDATE on entries")
    assert found.fit
    wiring.grant_database(world.instance, SERVER, None, postgres.url(OWNER, "gateway"))
    assert wiring.check_database(world.instance).beyond == ()
    owner = wiring.check_database(world.instance, postgres.url(OWNER, "gateway"))
    assert "owns tables, or is a member of their owner" in owner.beyond
    assert "may make tables" in owner.beyond


def test_a_role_that_is_not_there_is_told(world: World, postgres: Cluster) -> None:
    owner = postgres.url(OWNER, "gateway")
    wiring.upgrade_database(world.instance, owner)
    with pytest.raises(UnavailableError, match="no such role: create it first"):
        wiring.grant_database(world.instance, 'x"; DROP TABLE items; --', None, owner)
    assert wiring.check_database(world.instance, owner).schema == "current"


@pytest.mark.slow
def test_a_password_comes_from_a_file_and_is_never_shown(
    world: World, postgres: Cluster, tmp_path: Path
) -> None:
    prepare(world, postgres)
    secret, hba = "pass'w%rd /?@", postgres.data / "pg_hba.conf"
    with session(postgres, "postgres") as conn:
        quoted = secret.replace("'", "''")
        conn.exec_driver_sql(f"ALTER ROLE {SERVER} PASSWORD '{quoted.replace('%', '%%')}'")
    before = hba.read_text()
    hba.write_text(f"host all {SERVER} 127.0.0.1/32 scram-sha-256\n{before}")
    postgres.reload()
    try:
        path = tmp_path / "password"
        path.write_text(secret + "\n")
        path.chmod(0o600)
        config = replace(world.config, database_password_file=str(path))
        settings.write(world.instance, config)
        assert cli(world, "check")["fit"]
        path.write_text("quite another")
        done = run_cli("serve", "--instance", str(world.instance), check=False)
        assert done.returncode == 9
        assert "refused the role: see that its password" in done.stderr
        assert "another" not in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        hba.write_text(before)
        postgres.reload()
