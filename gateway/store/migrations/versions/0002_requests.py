"""RFAs, attestations, amendments, suspensions, declared history; messages that are about no share."""

import json

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision = "0002"
down_revision = "0001"
APPEND_ONLY = (
    "package_items", "amendments", "suspensions", "share_keys", "investigations", "rfa_events", "rfa_messages",
    "assessments", "attestations", "attestation_ends", "declared",
)


def upgrade() -> None:
    """Create the tables and their guards; let a message be about an RFA instead of a share."""
    dialect = op.get_bind().dialect.name
    op.create_table('investigations',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('authority', sa.String(length=40), nullable=False),
    sa.Column('reference', sa.String(length=128), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_investigations')),
    sa.UniqueConstraint('authority', 'reference', name=op.f('uq_investigations_authority'))
    )
    op.create_table('attestations',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('fact', sa.String(length=128), nullable=False),
    sa.Column('value', sa.LargeBinary(), nullable=False),
    sa.Column('jurisdiction', sa.String(length=16), nullable=False),
    sa.Column('authority', sa.String(length=40), nullable=True),
    sa.Column('case', sa.String(length=128), nullable=True),
    sa.Column('evidence', sa.LargeBinary(), nullable=False),
    sa.Column('valid_from', sa.String(length=10), nullable=False),
    sa.Column('valid_to', sa.String(length=10), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_attestations_order_digest')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attestations'))
    )
    op.create_index('ix_attestations_jurisdiction', 'attestations', ['jurisdiction'], unique=False)
    op.create_table('declared',
    sa.Column('declaration', sa.String(length=40), nullable=False),
    sa.Column('n', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('item', sa.String(length=64), nullable=True),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_declared_order_digest')),
    sa.PrimaryKeyConstraint('declaration', 'n', name=op.f('pk_declared')),
    sa.UniqueConstraint('key', name=op.f('uq_declared_key'))
    )
    op.create_index('ix_declared_item', 'declared', ['item'], unique=False)
    op.create_table('rfas',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('authority', sa.String(length=40), nullable=False),
    sa.Column('origin', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('parent', sa.String(length=40), nullable=True),
    sa.Column('investigation', sa.String(length=40), nullable=True),
    sa.Column('number', sa.String(length=64), nullable=True),
    sa.Column('purpose', sa.String(length=64), nullable=True),
    sa.Column('due', sa.String(length=10), nullable=True),
    sa.Column('request', sa.String(length=64), nullable=False),
    sa.Column('wanted', sa.LargeBinary(), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['investigation'], ['investigations.id'], name=op.f('fk_rfas_investigation')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rfas')),
    sa.UniqueConstraint('number', name=op.f('uq_rfas_number'))
    )
    op.create_index('ix_rfas_authority', 'rfas', ['authority'], unique=False)
    op.create_index('ix_rfas_state', 'rfas', ['state'], unique=False)
    op.create_table('assessments',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('rfa', sa.String(length=40), nullable=False),
    sa.Column('n', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('checks', sa.LargeBinary(), nullable=False),
    sa.Column('met', sa.Boolean(), nullable=False),
    sa.Column('valid_to', sa.String(length=10), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_assessments_order_digest')),
    sa.ForeignKeyConstraint(['rfa'], ['rfas.id'], name=op.f('fk_assessments_rfa')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assessments')),
    sa.UniqueConstraint('rfa', 'n', name=op.f('uq_assessments_rfa'))
    )
    op.create_table('attestation_ends',
    sa.Column('attestation', sa.String(length=40), nullable=False),
    sa.Column('ended', sa.String(length=10), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['attestation'], ['attestations.id'], name=op.f('fk_attestation_ends_attestation')),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_attestation_ends_order_digest')),
    sa.PrimaryKeyConstraint('attestation', name=op.f('pk_attestation_ends'))
    )
    op.create_table('rfa_events',
    sa.Column('rfa', sa.String(length=40), nullable=False),
    sa.Column('n', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('step', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_rfa_events_order_digest')),
    sa.ForeignKeyConstraint(['rfa'], ['rfas.id'], name=op.f('fk_rfa_events_rfa')),
    sa.PrimaryKeyConstraint('rfa', 'n', name=op.f('pk_rfa_events'))
    )
    op.create_table('rfa_messages',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('rfa', sa.String(length=40), nullable=False),
    sa.Column('about', sa.String(length=64), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('container', sa.LargeBinary(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['rfa'], ['rfas.id'], name=op.f('fk_rfa_messages_rfa')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rfa_messages'))
    )
    op.create_index('ix_rfa_messages_rfa', 'rfa_messages', ['rfa'], unique=False)
    op.create_table('amendments',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('item', sa.String(length=40), nullable=False),
    sa.Column('n', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('facts', sa.LargeBinary(), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['item'], ['items.id'], name=op.f('fk_amendments_item')),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_amendments_order_digest')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_amendments')),
    sa.UniqueConstraint('item', 'n', name=op.f('uq_amendments_item'))
    )
    op.create_table('share_keys',
    sa.Column('share', sa.String(length=40), nullable=False),
    sa.Column('kid', sa.String(length=2048), nullable=False),
    sa.ForeignKeyConstraint(['share'], ['shares.id'], name=op.f('fk_share_keys_share')),
    sa.PrimaryKeyConstraint('share', 'kid', name=op.f('pk_share_keys'))
    )
    op.create_table('suspensions',
    sa.Column('share', sa.String(length=40), nullable=False),
    sa.Column('n', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('suspended', sa.Boolean(), nullable=False),
    sa.Column('why', sa.LargeBinary(), nullable=False),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['share'], ['shares.id'], name=op.f('fk_suspensions_share')),
    sa.PrimaryKeyConstraint('share', 'n', name=op.f('pk_suspensions'))
    )
    op.create_index('ix_clearances_share', 'clearances', ['share'], unique=False)
    op.create_index('ix_headers_item', 'headers', ['item'], unique=False)
    op.add_column('packages', sa.Column('rfa', sa.String(length=40), nullable=True))
    op.create_table('package_items',
    sa.Column('package', sa.String(length=40), nullable=False),
    sa.Column('item', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['package'], ['packages.id'], name=op.f('fk_package_items_package')),
    sa.ForeignKeyConstraint(['item'], ['items.id'], name=op.f('fk_package_items_item')),
    sa.PrimaryKeyConstraint('package', 'item', name=op.f('pk_package_items'))
    )
    op.create_index('ix_package_items_item', 'package_items', ['item'], unique=False)
    op.create_index('ix_packages_rfa', 'packages', ['rfa'], unique=False)
    op.create_index('ix_servings_share', 'servings', ['share'], unique=False)
    op.create_index('ix_shares_package', 'shares', ['package'], unique=False)
    op.create_index('ix_shares_recipient', 'shares', ['recipient'], unique=False)
    op.create_index('ix_shares_state', 'shares', ['state'], unique=False)
    # SQLite cannot change a column: the table is copied, and its guards with the old one are gone.
    with op.batch_alter_table("messages") as batch:
        batch.alter_column("share", existing_type=sa.String(length=40), nullable=True)
    again = ("messages",) if dialect == "sqlite" else ()
    _fill_package_items()
    for statement in tables.guards(dialect, (*APPEND_ONLY, *again)):
        op.execute(statement)


def _fill_package_items() -> None:
    """Say of packages made before which items they hold; so far only their orders say it."""
    conn = op.get_bind()
    rows = conn.execute(
        sa.text("SELECT p.id, o.body FROM packages p JOIN orders o ON o.digest = p.order_digest")
    )
    for package, body in [(row.id, bytes(row.body)) for row in rows]:
        for item in json.loads(body)["act"]["items"]:
            conn.execute(
                sa.text("INSERT INTO package_items (package, item) VALUES (:package, :item)"),
                {"package": package, "item": item},
            )
