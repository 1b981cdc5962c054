"""Vault epochs of items, and the records of file keys wrapped to another one."""

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision = "0005_custody"
down_revision = "0005_holder"
APPEND_ONLY = ("vault_epochs", "rewraps")


def upgrade() -> None:
    """Create the tables and their guards."""
    op.create_table('vault_epochs',
    sa.Column('item', sa.String(length=40), nullable=False),
    sa.Column('epoch', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['item'], ['sealed.item'], name=op.f('fk_vault_epochs_item')),
    sa.PrimaryKeyConstraint('item', name=op.f('pk_vault_epochs'))
    )
    op.create_index('ix_vault_epochs_epoch', 'vault_epochs', ['epoch'], unique=False)
    op.create_table('rewraps',
    sa.Column('item', sa.String(length=40), nullable=False),
    sa.Column('n', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('header', sa.LargeBinary(), nullable=True),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('epoch', sa.String(length=64), nullable=False),
    sa.Column('record', sa.LargeBinary(), nullable=False),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['item'], ['items.id'], name=op.f('fk_rewraps_item')),
    sa.PrimaryKeyConstraint('item', 'n', name=op.f('pk_rewraps'))
    )
    op.create_index('ix_rewraps_epoch', 'rewraps', ['epoch'], unique=False)
    for statement in tables.guards(op.get_bind().dialect.name, APPEND_ONLY):
        op.execute(statement)
