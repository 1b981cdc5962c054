"""The schema is what the code says, and what is append-only stays."""

from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, DateTime, Engine, MetaData, Table, insert, inspect, text
from sqlalchemy.exc import DatabaseError

from gateway.store.engine import schema_state, upgrade
from gateway.store.replay import unlogged
from gateway.store.tables import APPEND_ONLY, Instant, metadata


def _value(column: Any) -> Any:
    if isinstance(column.type, (Instant, DateTime)):
        return datetime.now(UTC)
    return {bool: True, int: 1, bytes: b"x", str: "x"}[column.type.python_type]


def _fill(conn: Connection, table: Table) -> None:
    """Insert one row that belongs to nothing."""
    off, on = (
        ("PRAGMA defer_foreign_keys=ON", "SELECT 1")  # nothing is committed
        if conn.dialect.name == "sqlite"
        else ("SET session_replication_role = replica", "SET session_replication_role = origin")
    )
    conn.execute(text(off))
    conn.execute(insert(table), {column.name: _value(column) for column in table.columns})
    conn.execute(text(on))


def _declared(conn: Connection) -> MetaData:
    """Return what the code declares for this kind of database."""
    declared = MetaData()
    parts = [metadata] if conn.dialect.name == "sqlite" else [metadata, unlogged]
    for table in (table for part in parts for table in part.tables.values()):
        table.to_metadata(declared)
    return declared


def test_a_new_database_has_the_schema_that_the_code_declares(writing: Engine) -> None:
    with writing.connect() as conn:
        context = MigrationContext.configure(conn)
        assert compare_metadata(context, _declared(conn)) == []
        assert schema_state(conn) == "current"


def test_an_upgrade_of_a_new_database_changes_nothing(writing: Engine) -> None:
    upgrade(writing)
    with writing.connect() as conn:
        declared = {*_declared(conn).tables, "alembic_version"}
    assert set(inspect(writing).get_table_names()) == declared


def test_the_database_refuses_to_change_what_is_append_only(writing: Engine) -> None:
    for name in APPEND_ONLY:
        with writing.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            _fill(conn, metadata.tables[name])
            for statement in _changes(conn, name):
                with pytest.raises(DatabaseError, match=f"{name} is append-only"):
                    conn.execute(text(statement))
            assert conn.execute(text(f"SELECT count(*) FROM {name}")).scalar() == 1


def _changes(conn: Connection, name: str) -> list[str]:
    columns = [column.name for column in metadata.tables[name].columns]
    quoted = ", ".join(f'"{column}"' for column in columns)
    statements = [f"UPDATE {name} SET {columns[0]} = {columns[0]}", f"DELETE FROM {name}"]
    if conn.dialect.name == "sqlite":
        return [*statements, f"INSERT OR REPLACE INTO {name} SELECT {quoted} FROM {name}"]
    return [*statements, f"TRUNCATE {name} CASCADE"]
