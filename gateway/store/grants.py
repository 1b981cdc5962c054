"""Who may do what on PostgreSQL: the owner changes the schema, the server writes, the auditor reads.

What the server needs follows from the schema: rows are added everywhere; only where the database does
not guard against it are they changed or removed, and where the schema says that the program does one of
these alone, the other is not granted. Nobody but the owner empties, makes or drops a table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gateway.store.replay import unlogged
from gateway.store.tables import APPEND_ONLY, ONLY_REMOVED, ONLY_UPDATED, metadata

_VERSION = "alembic_version"
_READ, _ADD, _CHANGE = ("SELECT",), ("SELECT", "INSERT"), ("SELECT", "INSERT", "UPDATE", "DELETE")
_ALL = (*_CHANGE, "TRUNCATE", "REFERENCES", "TRIGGER")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a role *lacks* of what the server needs, and what it may do *beyond* that."""

    role: str
    lacks: tuple[str, ...]
    beyond: tuple[str, ...]


def needs() -> dict[str, tuple[str, ...]]:
    """Return the rights of the server's role by table."""
    tables = {name: _rights(name) for name in metadata.tables}
    return {**tables, **dict.fromkeys(unlogged.tables, _CHANGE), _VERSION: _READ}


def audited() -> set[str]:
    """Return the tables that the auditor reads: all but those with keys, sealed as these are."""
    keys = {"secrets", "wrapped"}
    return {_VERSION} | {
        name for name, table in metadata.tables.items() if not keys & {*table.columns.keys()}
    }


def _rights(table: str) -> tuple[str, ...]:
    if table in APPEND_ONLY:
        return _ADD
    kept: set[str] = (
        {"DELETE"} if table in ONLY_UPDATED else {"UPDATE"} if table in ONLY_REMOVED else set()
    )
    return tuple(right for right in _CHANGE if right not in kept)


def grant(conn: Connection, server: str, auditor: str | None = None) -> list[str]:
    """Give both roles exactly what they need, as the owner; return the statements that did it.

    Fails in the database if a role does not exist.
    """
    statements = [*_statements(conn, server, auditor)]
    for statement in statements:
        conn.exec_driver_sql(statement)
    return statements


def _statements(conn: Connection, server: str, auditor: str | None) -> Iterator[str]:
    quote = conn.dialect.identifier_preparer.quote_identifier
    for table, rights in needs().items():
        name = quote(table)
        yield f"REVOKE ALL ON {name} FROM PUBLIC, {quote(server)}"
        yield f"GRANT {', '.join(rights)} ON {name} TO {quote(server)}"
        if auditor is not None:
            yield f"REVOKE ALL ON {name} FROM {quote(auditor)}"
            if table in audited():
                yield f"GRANT SELECT ON {name} TO {quote(auditor)}"


def standing(conn: Connection) -> Standing:
    """Return how the role of this connection stands to what the server needs."""
    role = str(conn.exec_driver_sql("SELECT current_user").scalar())
    held = {
        (row.name, row.privilege)
        for row in conn.execute(_HELD, {"tables": [*needs()], "privileges": [*_ALL]})
        if row.held
    }
    needed = {(table, right) for table, rights in needs().items() for right in rights}
    beyond = (*_named(held - needed), *_powers(conn))
    return Standing(role, (*_named(needed - held),), beyond)


_HELD = text(
    "SELECT t.name, p.name AS privilege, "
    "coalesce(has_table_privilege(to_regclass(quote_ident(t.name)), p.name), false) AS held "
    "FROM unnest(CAST(:tables AS text[])) AS t(name), "
    "unnest(CAST(:privileges AS text[])) AS p(name)"
)
_POWERS = (
    "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, "
    "has_schema_privilege(current_schema(), 'CREATE') AS tables, "
    "EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() "
    "AND pg_has_role(tableowner, 'MEMBER')) AS owner FROM pg_roles WHERE rolname = current_user"
)


def _named(rights: set[tuple[str, str]]) -> Iterator[str]:
    yield from (f"{right} on {table}" for table, right in sorted(rights))


def _powers(conn: Connection) -> Sequence[str]:
    row = conn.exec_driver_sql(_POWERS).mappings().one()
    words = {
        "rolsuper": "is a superuser",
        "rolcreaterole": "may make roles",
        "rolcreatedb": "may make databases",
        "rolbypassrls": "passes by row security",
        "rolreplication": "may replicate",
        "tables": "may make tables",
        "owner": "owns tables, or is a member of their owner",
    }
    return [said for name, said in words.items() if row[name]]
