"""The unlogged tables of tokens spent by reads, which the server made itself before."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create them on PostgreSQL; SQLite has a file of its own for them."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute("CREATE UNLOGGED TABLE IF NOT EXISTS read_boot (recovered BIGINT)")
    op.execute("CREATE UNLOGGED TABLE IF NOT EXISTS read_forgotten (exp BIGINT)")
    op.execute(
        "CREATE UNLOGGED TABLE IF NOT EXISTS read_jti "
        "(actor TEXT NOT NULL, jti TEXT NOT NULL, exp BIGINT, PRIMARY KEY (actor, jti))"
    )
