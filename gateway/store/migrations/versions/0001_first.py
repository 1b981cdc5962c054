"""The first schema."""

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision = "0001"
down_revision = None
APPEND_ONLY = (
    "orders", "creations", "directory_sets", "policy_sets", "sealed", "items", "packages",
    "share_events", "decisions", "clearances", "headers", "manifests", "receipts", "messages",
    "entries", "tiles", "checkpoints", "openings",
)


def upgrade() -> None:
    """Create every table, and the guards of those that are append-only."""
    op.create_table(
        "checkpoints",
        sa.Column(
            "size",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "creations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_creations")),
    )
    op.create_table(
        "directory_sets",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_directory_sets")),
    )
    op.create_table(
        "edges",
        sa.Column(
            "level",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", name=op.f("pk_edges")),
    )
    op.create_table(
        "entries",
        sa.Column(
            "idx",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("eid", sa.String(length=40), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("idx", name=op.f("pk_entries")),
        sa.UniqueConstraint("eid", name=op.f("uq_entries_eid")),
    )
    op.create_table(
        "heads",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "size",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heads")),
    )
    op.create_table(
        "jti",
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("jti", sa.String(length=64), nullable=False),
        sa.Column(
            "exp",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("actor", "jti", name=op.f("pk_jti")),
    )
    op.create_table(
        "opening_keys",
        sa.Column("eid", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("eid", "audience", name=op.f("pk_opening_keys")),
    )
    op.create_table(
        "openings",
        sa.Column("eid", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("eid", "audience", name=op.f("pk_openings")),
    )
    op.create_table(
        "orders",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=2048), nullable=False),
        sa.Column("token", sa.String(length=4096), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_orders")),
    )
    op.create_table(
        "policy_sets",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_policy_sets")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )
    op.create_table(
        "tiles",
        sa.Column(
            "level",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "n", name=op.f("pk_tiles")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column(
            "size",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("suite", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_table(
        "packages",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("order_digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_digest"], ["orders.digest"], name=op.f("fk_packages_order_digest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packages")),
    )
    op.create_table(
        "parts",
        sa.Column("upload", sa.String(length=40), nullable=False),
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "start",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "size",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("blob", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"], name=op.f("fk_parts_upload")),
        sa.PrimaryKeyConstraint("upload", "n", name=op.f("pk_parts")),
    )
    op.create_table(
        "sealed",
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("upload", sa.String(length=40), nullable=False),
        sa.Column("particulars", sa.LargeBinary(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("handling", sa.String(length=64), nullable=False),
        sa.Column("suite", sa.String(length=64), nullable=False),
        sa.Column(
            "size",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "body_size",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("vault_header", sa.LargeBinary(), nullable=False),
        sa.Column("vault_digest", sa.String(length=64), nullable=False),
        sa.Column("order_digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_digest"], ["orders.digest"], name=op.f("fk_sealed_order_digest")
        ),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"], name=op.f("fk_sealed_upload")),
        sa.PrimaryKeyConstraint("item", name=op.f("pk_sealed")),
        sa.UniqueConstraint("upload", name=op.f("uq_sealed_upload")),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("order_digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["sealed.item"], name=op.f("fk_items_id")),
        sa.ForeignKeyConstraint(
            ["order_digest"], ["orders.digest"], name=op.f("fk_items_order_digest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
    )
    op.create_table(
        "shares",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("package", sa.String(length=40), nullable=False),
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column("proposer", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["package"], ["packages.id"], name=op.f("fk_shares_package")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
    )
    op.create_table(
        "clearances",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.String(length=64), nullable=False),
        sa.Column("order_digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_digest"], ["orders.digest"], name=op.f("fk_clearances_order_digest")
        ),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_clearances_share")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clearances")),
    )
    op.create_table(
        "decisions",
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_decisions_share")),
        sa.PrimaryKeyConstraint("share", "n", name=op.f("pk_decisions")),
    )
    op.create_table(
        "headers",
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name=op.f("fk_headers_item")),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_headers_share")),
        sa.PrimaryKeyConstraint("share", "n", name=op.f("pk_headers")),
    )
    op.create_table(
        "manifests",
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column("container", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("inner", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_manifests_share")),
        sa.PrimaryKeyConstraint("share", name=op.f("pk_manifests")),
    )
    op.create_table(
        "messages",
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column("container", sa.LargeBinary(), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_messages_share")),
        sa.PrimaryKeyConstraint("recipient", "seq", name=op.f("pk_messages")),
        sa.UniqueConstraint("id", name=op.f("uq_messages_id")),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column("rung", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("container", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_receipts_share")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("share", "rung", name=op.f("uq_receipts_share")),
    )
    op.create_table(
        "servings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column(
            "first",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "end",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "sent",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=True,
        ),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("entry", sa.String(length=40), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_servings_share")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servings")),
    )
    op.create_table(
        "share_events",
        sa.Column("share", sa.String(length=40), nullable=False),
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=True),
        sa.Column("entry", sa.String(length=40), nullable=False),
        sa.Column("order_digest", sa.String(length=64), nullable=True),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["shares.id"], name=op.f("fk_share_events_share")),
        sa.PrimaryKeyConstraint("share", "n", name=op.f("pk_share_events")),
    )
    dialect = op.get_bind().dialect.name
    if dialect != "sqlite":
        op.execute(tables.GUARD_FUNCTION)
    for statement in tables.guards(dialect, APPEND_ONLY):
        op.execute(statement)
