"""Which entry logged an order, and which put a directory set into force: to be shown to the keyholder.

What was logged before is found and entered by the server at its next start, which can open entries.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision = "0005_holder"
down_revision = "0004"
APPEND_ONLY = ("order_entries", "directory_entries")


def upgrade() -> None:
    """Create the tables and their guards."""
    op.create_table('order_entries',
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_order_entries_order_digest')),
    sa.PrimaryKeyConstraint('order_digest', 'kind', name=op.f('pk_order_entries'))
    )
    op.create_index('ix_order_entries_kind', 'order_entries', ['kind'], unique=False)
    op.create_table('directory_entries',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['number'], ['directory_sets.number'], name=op.f('fk_directory_entries_number')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_directory_entries'))
    )
    for statement in tables.guards(op.get_bind().dialect.name, APPEND_ONLY):
        op.execute(statement)
