"""Signed policy sets, derivatives, signed terms, what is kept back, how much was given."""

import json

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision = "0004"
down_revision = "0003"
APPEND_ONLY = (
    "policy_bundles", "policy_signoffs", "derivatives", "signed_terms", "withheld", "withheld_reviews",
    "releases",
)


def upgrade() -> None:
    """Create the tables and their guards."""
    op.create_table('policy_bundles',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('manifest_digest', sa.String(length=64), nullable=False),
    sa.Column('manifest', sa.LargeBinary(), nullable=False),
    sa.Column('files', sa.LargeBinary(), nullable=False),
    sa.Column('directory', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=True),
    sa.Column('order_digest', sa.String(length=64), nullable=True),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_policy_bundles'))
    )
    op.create_index('ix_policy_bundles_digest', 'policy_bundles', ['digest'], unique=False)
    op.create_table('policy_signoffs',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('manifest_digest', sa.String(length=64), nullable=False),
    sa.Column('flips', sa.String(length=64), nullable=False),
    sa.Column('person', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_policy_signoffs_order_digest')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_policy_signoffs'))
    )
    op.create_table('derivatives',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('item', sa.String(length=40), nullable=False),
    sa.Column('original', sa.String(length=40), nullable=False),
    sa.Column('removed', sa.LargeBinary(), nullable=False),
    sa.Column('mark', sa.String(length=64), nullable=False),
    sa.Column('recipient', sa.String(length=40), nullable=True),
    sa.Column('attestation', sa.LargeBinary(), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['item'], ['items.id'], name=op.f('fk_derivatives_item')),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_derivatives_order_digest')),
    sa.ForeignKeyConstraint(['original'], ['items.id'], name=op.f('fk_derivatives_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_derivatives')),
    sa.UniqueConstraint('item', name=op.f('uq_derivatives_item'))
    )
    op.create_index('ix_derivatives_original', 'derivatives', ['original'], unique=False)
    op.create_table('signed_terms',
    sa.Column('share', sa.String(length=40), nullable=False),
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('terms', sa.String(length=64), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('container', sa.LargeBinary(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['share'], ['shares.id'], name=op.f('fk_signed_terms_share')),
    sa.PrimaryKeyConstraint('share', name=op.f('pk_signed_terms')),
    sa.UniqueConstraint('id', name=op.f('uq_signed_terms_id'))
    )
    op.create_table('withheld',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('item', sa.String(length=40), nullable=False),
    sa.Column('rfa', sa.String(length=40), nullable=True),
    sa.Column('recipient', sa.String(length=40), nullable=False),
    sa.Column('reference', sa.String(length=128), nullable=False),
    sa.Column('share', sa.String(length=40), nullable=True),
    sa.Column('proposer', sa.String(length=40), nullable=False),
    sa.Column('cause', sa.String(length=64), nullable=False),
    sa.Column('reasons', sa.LargeBinary(), nullable=False),
    sa.Column('exculpatory', sa.Boolean(), nullable=True),
    sa.Column('reviewer', sa.String(length=40), nullable=True),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['item'], ['items.id'], name=op.f('fk_withheld_item')),
    sa.ForeignKeyConstraint(['share'], ['shares.id'], name=op.f('fk_withheld_share')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_withheld'))
    )
    op.create_index('ix_withheld_item', 'withheld', ['item'], unique=False)
    op.create_index('ix_withheld_recipient', 'withheld', ['recipient', 'reference'], unique=False)
    op.create_index('ix_withheld_rfa', 'withheld', ['rfa'], unique=False)
    op.create_table('withheld_reviews',
    sa.Column('withheld', sa.String(length=40), nullable=False),
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('finding', sa.String(length=64), nullable=False),
    sa.Column('reason', sa.LargeBinary(), nullable=False),
    sa.Column('actor', sa.String(length=40), nullable=False),
    sa.Column('entry', sa.String(length=40), nullable=False),
    sa.Column('order_digest', sa.String(length=64), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['order_digest'], ['orders.digest'], name=op.f('fk_withheld_reviews_order_digest')),
    sa.ForeignKeyConstraint(['withheld'], ['withheld.id'], name=op.f('fk_withheld_reviews_withheld')),
    sa.PrimaryKeyConstraint('withheld', name=op.f('pk_withheld_reviews')),
    sa.UniqueConstraint('id', name=op.f('uq_withheld_reviews_id'))
    )
    op.create_table('releases',
    sa.Column('share', sa.String(length=40), nullable=False),
    sa.Column('recipient', sa.String(length=40), nullable=False),
    sa.Column('reference', sa.String(length=128), nullable=False),
    sa.Column('given', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.ForeignKeyConstraint(['share'], ['shares.id'], name=op.f('fk_releases_share')),
    sa.PrimaryKeyConstraint('share', name=op.f('pk_releases'))
    )
    op.create_index('ix_releases_recipient', 'releases', ['recipient', 'reference'], unique=False)
    _count_earlier(op.get_bind())
    for statement in tables.guards(op.get_bind().dialect.name, APPEND_ONLY):
        op.execute(statement)


def _count_earlier(conn: sa.Connection) -> None:
    """Count what was released before this table was there, in the order of the ledger."""
    earlier = conn.execute(
        sa.text(
            "SELECT s.id, s.recipient, s.package, o.body FROM share_events v"
            " JOIN entries e ON e.eid = v.entry JOIN shares s ON s.id = v.share"
            " JOIN packages p ON p.id = s.package JOIN orders o ON o.digest = p.order_digest"
            " WHERE v.state = 'released' ORDER BY e.idx"
        )
    ).all()
    had: dict[tuple[str, str], set[str]] = {}
    for share, recipient, package, body in earlier:
        reference = json.loads(bytes(body))["act"]["basis"]["case"]
        holding = sa.text("SELECT item FROM package_items WHERE package = :package")
        items = had.setdefault((recipient, reference), set())
        items.update(row.item for row in conn.execute(holding, {"package": package}))
        row = {"share": share, "recipient": recipient, "reference": reference, "given": len(items)}
        conn.execute(
            sa.text("INSERT INTO releases VALUES (:share, :recipient, :reference, :given)"), row
        )
