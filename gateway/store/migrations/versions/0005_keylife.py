"""The life of envelope keys: which were introduced and how, what was wrapped to them, wrapped anew, deleted."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision = "0005_keylife"
down_revision = "0005_parts"
APPEND_ONLY = (
    "introduced_keys", "key_challenges", "key_proofs", "key_confirmations", "wrappings", "share_rewraps",
    "header_deletions",
)


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=40), nullable=False)


def _digest(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=64), nullable=False)


def _int(name: str, default: str | None = None) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    return sa.Column(name, kind, autoincrement=False, nullable=False, server_default=default)


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _at() -> sa.Column[object]:
    return sa.Column('at', tables.Instant(length=27), nullable=False)


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [to], name=op.f(f'fk_{table}_{column}'))


def _pk(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f'pk_{table}'))


def upgrade() -> None:
    """Create the tables, number headers and manifests, and let headers be deleted."""
    op.create_table('introduced_keys', _digest('key'), sa.Column('kid', sa.String(length=2048), nullable=False),
        _id('party'), sa.Column('how', sa.String(length=64), nullable=False), _at(), _pk('introduced_keys', 'key'))
    op.create_table('key_challenges', _id('id'), _digest('key'), _id('party'), _id('member'), _digest('digest'),
        _blob('sealed'), _id('actor'), _digest('order_digest'), _at(),
        _refers('key_challenges', 'order_digest', 'orders.digest'), _pk('key_challenges', 'id'))
    op.create_index('ix_key_challenges_key', 'key_challenges', ['key'], unique=False)
    op.create_table('key_proofs', _id('challenge'), _id('id'), _blob('container'), _digest('digest'), _id('actor'),
        _at(), _refers('key_proofs', 'challenge', 'key_challenges.id'), _pk('key_proofs', 'challenge'),
        sa.UniqueConstraint('id', name=op.f('uq_key_proofs_id')))
    op.create_table('key_confirmations', _id('challenge'), _id('person'), _id('id'), _blob('how'), _id('entry'),
        _digest('order_digest'), _at(), _refers('key_confirmations', 'challenge', 'key_challenges.id'),
        _refers('key_confirmations', 'order_digest', 'orders.digest'),
        _pk('key_confirmations', 'challenge', 'person'),
        sa.UniqueConstraint('id', name=op.f('uq_key_confirmations_id')))
    op.create_table('wrappings', _digest('key'), _id('share'), _int('n'), _int('seq'), _id('item'), _at(),
        _refers('wrappings', 'share', 'shares.id'), _pk('wrappings', 'key', 'share', 'n', 'seq'))
    op.create_index('ix_wrappings_share', 'wrappings', ['share'], unique=False)
    op.create_table('share_rewraps', _id('share'), _int('seq'), _id('entry'), _id('actor'), _digest('order_digest'), _at(),
        _refers('share_rewraps', 'share', 'shares.id'), _refers('share_rewraps', 'order_digest', 'orders.digest'),
        _pk('share_rewraps', 'share', 'seq'))
    op.create_table('header_deletions', _id('share'), _int('n'), _int('seq'), _digest('key'), _digest('digest'),
        _id('entry'), _at(), _refers('header_deletions', 'share', 'shares.id'),
        _pk('header_deletions', 'share', 'n', 'seq'))
    conn = op.get_bind()
    _number(conn.dialect.name)
    _introduce(conn)
    for statement in tables.guards(conn.dialect.name, APPEND_ONLY):
        op.execute(statement)


def _number(dialect: str) -> None:
    """Give headers, manifests and servings a number that counts re-wraps; deny changes to headers alone."""
    op.add_column('servings', _int('seq', '0'))
    if dialect == 'sqlite':  # which cannot change a primary key
        _rebuild('headers', (_id('share'), _int('n'), _id('item'), _blob('data'), _digest('digest'), _int('seq')),
            ('share', 'item'), ('share', 'n', 'seq'))
        op.create_index('ix_headers_item', 'headers', ['item'], unique=False)
        _rebuild('manifests', (_id('share'), _int('seq'), _blob('container'), _digest('digest'), _blob('inner')),
            ('share',), ('share', 'seq'))
        op.execute(
            "CREATE TRIGGER headers_no_update BEFORE UPDATE ON headers "
            "BEGIN SELECT RAISE(ABORT, 'headers are never changed'); END"
        )
        for statement in tables.guards(dialect, ('manifests',)):
            op.execute(statement)
        return
    for table, key in (('headers', 'share, n, seq'), ('manifests', 'share, seq')):
        op.add_column(table, _int('seq', '0'))
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT pk_{table}, ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")
    op.execute("DROP TRIGGER IF EXISTS headers_append_only ON headers")
    op.execute(
        "CREATE TRIGGER headers_no_update BEFORE UPDATE OR TRUNCATE ON headers "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _rebuild(
    table: str, columns: tuple[sa.Column[str] | sa.Column[int] | sa.Column[bytes], ...], refers: tuple[str, ...], key: tuple[str, ...]
) -> None:
    op.execute(f"CREATE TABLE {table}_before AS SELECT * FROM {table}")
    op.execute(f"DROP TABLE {table}")
    links = [_refers(table, column, f'{column}s.id') for column in refers]
    op.create_table(table, *columns, *links, _pk(table, *key))
    names = ', '.join(column.name for column in columns if column.name != 'seq')
    op.execute(f"INSERT INTO {table} ({names}, seq) SELECT {names}, 0 FROM {table}_before")
    op.execute(f"DROP TABLE {table}_before")


def _introduce(conn: sa.Connection) -> None:
    """Take every envelope key of the set in force, and all that was wrapped to, as introduced before."""
    found: dict[str, tuple[str, str, str]] = {}  # recipient text: party, how, at
    sql = sa.text("SELECT data, at FROM directory_sets ORDER BY number DESC LIMIT 1")
    for row in conn.execute(sql):
        for party in json.loads(bytes(row.data))["parties"]:
            for key in (key for member in party["members"] for key in member["keys"]):
                if key["use"] == "envelope":
                    found[key["public"]] = party["id"], "founding", row.at
    sql = sa.text(
        "SELECT k.kid, h.share, h.n, h.item, s.recipient, s.at FROM share_keys k"
        " JOIN headers h ON h.share = k.share JOIN shares s ON s.id = k.share"
    )
    for row in conn.execute(sql).all():
        found.setdefault(row.kid, (row.recipient, "founding", row.at))
        conn.execute(
            sa.text("INSERT INTO wrappings VALUES (:key, :share, :n, 0, :item, :at)"),
            {"key": _name(row.kid), "share": row.share, "n": row.n, "item": row.item, "at": row.at},
        )
    for kid, (party, how, at) in found.items():
        conn.execute(
            sa.text("INSERT INTO introduced_keys VALUES (:key, :kid, :party, :how, :at)"),
            {"key": _name(kid), "kid": kid, "party": party, "how": how, "at": at},
        )


def _name(kid: str) -> str:
    return hashlib.sha256(kid.encode()).hexdigest()
