"""Digests of the parts of bodies."""

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision = "0005_parts"
down_revision = "0005_custody"


def upgrade() -> None:
    """Create the table and its guard. Bodies from before have no digests of parts."""
    op.create_table('body_parts',
    sa.Column('item', sa.String(length=40), nullable=False),
    sa.Column('digests', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['item'], ['sealed.item'], name=op.f('fk_body_parts_item')),
    sa.PrimaryKeyConstraint('item', name=op.f('pk_body_parts'))
    )
    for statement in tables.guards(op.get_bind().dialect.name, ("body_parts",)):
        op.execute(statement)
