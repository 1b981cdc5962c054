"""The schema, for SQLite and PostgreSQL alike. Evidence is rows; most tables are only ever added to.

Digests are hex, JSON is canonical bytes, instants are UTC text with microseconds, which sorts.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from gateway.kernel.time import exact

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime. SQLite would drop the zone of a DateTime, so it is kept as text."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write `2026-11-23T16:18:00.000000Z`."""
        return None if value is None else exact(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Read it back, aware."""
        if value is None:
            return None
        return datetime.fromisoformat(value)  # with its Z; strptime takes ten times as long


def _id(name: str, *args: object, **kw: object) -> Column[str]:
    # Column takes what it is given by position and name; its stub wants every form spelt out.
    return Column(name, String(40), *args, nullable=bool(kw.pop("nullable", False)), **kw)  # type: ignore[arg-type]


def _digest(name: str, *args: object, **kw: object) -> Column[str]:
    # As above.
    return Column(name, String(64), *args, nullable=bool(kw.pop("nullable", False)), **kw)  # type: ignore[arg-type]


def _seq(*, pk: bool = True) -> Column[int]:
    """How often a share had been wrapped anew: 0 for what was made at its release."""
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column("seq", kind, primary_key=pk, nullable=False, autoincrement=False, default=0)


def _blob(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _int(name: str, *, pk: bool = False, nullable: bool = False) -> Column[int]:
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, kind, primary_key=pk, nullable=nullable, autoincrement=False)


def _word(name: str, *, pk: bool = False, nullable: bool = False) -> Column[str]:
    return Column(name, String(64), primary_key=pk, nullable=nullable)


def _at(name: str = "at", *, nullable: bool = False) -> Column[datetime]:
    return Column(name, Instant, nullable=nullable)


setting = Table("setting", metadata, _word("name", pk=True), _blob("value"))

# --- who asked for what -------------------------------------------------------------------------
orders = Table(
    "orders",
    metadata,
    _digest("digest", primary_key=True),
    _id("actor"),
    _word("method"),
    Column("target", String(2048), nullable=False),
    Column("token", String(4096), nullable=False),
    _blob("body"),
    _digest("body_digest"),
    _at(),
)
creations = Table(
    "creations",
    metadata,
    _id("id", primary_key=True),
    _id("actor"),
    _digest("body_digest"),
    _blob("answer"),
)
jti = Table("jti", metadata, _id("actor", primary_key=True), _word("jti", pk=True), _int("exp"))
directory_sets = Table(
    "directory_sets", metadata, _int("number", pk=True), _blob("data"), _digest("digest"), _at()
)
policy_sets = Table("policy_sets", metadata, _int("number", pk=True), _digest("digest"), _at())

policy_bundles = Table(
    "policy_bundles",
    metadata,
    _int("number", pk=True),
    _digest("digest"),  # of the set: vocabulary, obligations, rules
    _digest("manifest_digest"),
    _blob("manifest"),  # as it was signed, signatures and all
    _blob("files"),
    _int("directory"),  # the set by which the signatures were judged
    _id("actor", nullable=True),
    _digest("order_digest", nullable=True),
    _at(),
)
policy_signoffs = Table(
    "policy_signoffs",
    metadata,
    _id("id", primary_key=True),
    _digest("manifest_digest"),
    _digest("flips"),
    _id("person"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)

# --- items --------------------------------------------------------------------------------------
uploads = Table(
    "uploads",
    metadata,
    _id("id", primary_key=True),
    _id("actor"),
    _int("size"),
    _word("suite"),
    _word("state"),
    _blob("secrets", nullable=True),
    _at(),
)
parts = Table(
    "parts",
    metadata,
    _id("upload", ForeignKey("uploads.id"), primary_key=True),
    _int("n", pk=True),
    _int("start"),
    _int("size"),
    _digest("digest"),
    _id("blob", nullable=True),
)
sealed = Table(
    "sealed",
    metadata,
    _id("item", primary_key=True),
    _id("upload", ForeignKey("uploads.id"), unique=True),
    _blob("particulars"),
    _blob("facts"),
    _word("handling"),
    _word("suite"),
    _int("size"),
    _int("body_size"),
    _digest("body"),
    _blob("vault_header"),
    _digest("vault_digest"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
items = Table(
    "items",
    metadata,
    _id("id", ForeignKey("sealed.item"), primary_key=True),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
packages = Table(
    "packages",
    metadata,
    _id("id", primary_key=True),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
    _id("rfa", nullable=True),
)
package_items = Table(
    "package_items",
    metadata,
    _id("package", ForeignKey("packages.id"), primary_key=True),
    _id("item", ForeignKey("items.id"), primary_key=True),
)
amendments = Table(
    "amendments",
    metadata,
    _id("id", primary_key=True),
    _id("item", ForeignKey("items.id")),
    _int("n"),
    _blob("facts"),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
    UniqueConstraint("item", "n"),
)
derivatives = Table(
    "derivatives",
    metadata,
    _id("id", primary_key=True),
    _id("item", ForeignKey("items.id"), unique=True),
    _id("original", ForeignKey("items.id")),
    _blob("removed"),
    _word("mark"),
    _id("recipient", nullable=True),
    _blob("attestation"),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)

# --- shares -------------------------------------------------------------------------------------
shares = Table(
    "shares",
    metadata,
    _id("id", primary_key=True),
    _id("package", ForeignKey("packages.id")),
    _id("recipient"),
    _id("proposer"),
    _word("state"),
    _at(),
)
share_events = Table(
    "share_events",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _int("n", pk=True),
    _word("state"),
    _id("actor", nullable=True),
    _id("entry"),
    _digest("order_digest", nullable=True),
    _at(),
)
releases = Table(
    "releases",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _id("recipient"),
    Column("reference", String(128), nullable=False),
    _int("given"),
)
decisions = Table(
    "decisions",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _int("n", pk=True),
    _word("stage"),
    _blob("data"),
    _blob("facts"),
    _digest("digest"),
    _at(),
)
clearances = Table(
    "clearances",
    metadata,
    _id("id", primary_key=True),
    _id("share", ForeignKey("shares.id")),
    _id("person"),
    _word("role"),
    _digest("basis"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
headers = Table(
    "headers",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _int("n", pk=True),
    _id("item", ForeignKey("items.id")),
    _blob("data"),
    _digest("digest"),
    _seq(),
)
manifests = Table(
    "manifests",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _seq(),
    _blob("container"),
    _digest("digest"),
    _blob("inner"),
)
servings = Table(
    "servings",
    metadata,
    _id("id", primary_key=True),
    _id("share", ForeignKey("shares.id")),
    _int("n"),
    _word("kid"),
    _int("first"),
    _int("end"),
    _int("sent", nullable=True),
    _word("state"),
    _id("entry"),
    _at(),
    _seq(pk=False),
)
receipts = Table(
    "receipts",
    metadata,
    _id("id", primary_key=True),
    _id("share", ForeignKey("shares.id")),
    _word("rung"),
    _id("actor"),
    _blob("container"),
    _digest("digest"),
    _at(),
    UniqueConstraint("share", "rung"),
)
messages = Table(
    "messages",
    metadata,
    _id("recipient", primary_key=True),
    _int("seq", pk=True),
    _id("id", unique=True),
    _id("share", ForeignKey("shares.id"), nullable=True),
    _blob("container"),
    _at(),
)

suspensions = Table(
    "suspensions",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _int("n", pk=True),
    Column("suspended", Boolean, nullable=False),
    _blob("why"),
    _id("entry"),
    _at(),
)
share_keys = Table(
    "share_keys",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    Column("kid", String(2048), primary_key=True),
)
signed_terms = Table(
    "signed_terms",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _id("id", unique=True),
    _digest("terms"),
    _id("actor"),
    _blob("container"),
    _digest("digest"),
    _at(),
)
withheld = Table(
    "withheld",
    metadata,
    _id("id", primary_key=True),
    _id("item", ForeignKey("items.id")),
    _id("rfa", nullable=True),
    _id("recipient"),
    Column("reference", String(128), nullable=False),
    _id("share", ForeignKey("shares.id"), nullable=True),
    _id("proposer"),
    _word("cause"),
    _blob("reasons"),
    Column("exculpatory", Boolean, nullable=True),
    _id("reviewer", nullable=True),
    _id("entry"),
    _at(),
)
withheld_reviews = Table(
    "withheld_reviews",
    metadata,
    _id("withheld", ForeignKey("withheld.id"), primary_key=True),
    _id("id", unique=True),
    _word("finding"),
    _blob("reason"),
    _id("actor"),
    _id("entry"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)

# --- requests for assistance --------------------------------------------------------------------
investigations = Table(
    "investigations",
    metadata,
    _id("id", primary_key=True),
    _id("authority"),
    Column("reference", String(128), nullable=False),
    _at(),
    UniqueConstraint("authority", "reference"),
)
rfas = Table(
    "rfas",
    metadata,
    _id("id", primary_key=True),
    _id("authority"),
    _word("origin"),
    _word("state"),
    _id("parent", nullable=True),
    _id("investigation", ForeignKey("investigations.id"), nullable=True),
    Column("number", String(64), nullable=True, unique=True),
    Column("purpose", String(64), nullable=True),
    Column("due", String(10), nullable=True),
    _digest("request"),
    _blob("wanted"),
    _at(),
)
rfa_events = Table(
    "rfa_events",
    metadata,
    _id("rfa", ForeignKey("rfas.id"), primary_key=True),
    _int("n", pk=True),
    _word("step"),
    _word("state"),
    _id("actor"),
    _id("entry"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
rfa_messages = Table(
    "rfa_messages",
    metadata,
    _id("id", primary_key=True),
    _id("rfa", ForeignKey("rfas.id")),
    _word("about"),
    _id("actor"),
    _blob("container"),
    _digest("digest"),
    _at(),
)
assessments = Table(
    "assessments",
    metadata,
    _id("id", primary_key=True),
    _id("rfa", ForeignKey("rfas.id")),
    _int("n"),
    _blob("checks"),
    Column("met", Boolean, nullable=False),
    Column("valid_to", String(10), nullable=False),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
    UniqueConstraint("rfa", "n"),
)
attestations = Table(
    "attestations",
    metadata,
    _id("id", primary_key=True),
    Column("fact", String(128), nullable=False),
    _blob("value"),
    Column("jurisdiction", String(16), nullable=False),
    _id("authority", nullable=True),
    Column("case", String(128), nullable=True),
    _blob("evidence"),
    Column("valid_from", String(10), nullable=False),
    Column("valid_to", String(10), nullable=False),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
attestation_ends = Table(
    "attestation_ends",
    metadata,
    _id("attestation", ForeignKey("attestations.id"), primary_key=True),
    Column("ended", String(10), nullable=False),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)

# --- history, as declared -----------------------------------------------------------------------
declared = Table(
    "declared",
    metadata,
    _id("declaration", primary_key=True),
    _int("n", pk=True),
    _word("kind"),
    _digest("key", unique=True),
    Column("item", String(64), nullable=True),
    _blob("data"),
    _id("entry"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)

# --- envelope keys ------------------------------------------------------------------------------
introduced_keys = Table(
    "introduced_keys",
    metadata,
    _digest("key", primary_key=True),
    Column("kid", String(2048), nullable=False),
    _id("party"),
    _word("how"),  # founding: it stood in the first directory; confirmed: by two persons
    _at(),
)
key_challenges = Table(
    "key_challenges",
    metadata,
    _id("id", primary_key=True),
    _digest("key"),
    _id("party"),
    _id("member"),
    _digest("digest"),
    _blob("sealed"),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
key_proofs = Table(
    "key_proofs",
    metadata,
    _id("challenge", ForeignKey("key_challenges.id"), primary_key=True),
    _id("id", unique=True),
    _blob("container"),
    _digest("digest"),
    _id("actor"),
    _at(),
)
key_confirmations = Table(
    "key_confirmations",
    metadata,
    _id("challenge", ForeignKey("key_challenges.id"), primary_key=True),
    _id("person", primary_key=True),
    _id("id", unique=True),
    _blob("how"),
    _id("entry"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
wrappings = Table(
    "wrappings",
    metadata,
    _digest("key", primary_key=True),
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _int("n", pk=True),
    _seq(),
    _id("item"),
    _at(),
)
share_rewraps = Table(
    "share_rewraps",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _seq(),
    _id("entry"),
    _id("actor"),
    _digest("order_digest", ForeignKey("orders.digest")),
    _at(),
)
header_deletions = Table(
    "header_deletions",
    metadata,
    _id("share", ForeignKey("shares.id"), primary_key=True),
    _int("n", pk=True),
    _seq(),
    _digest("key"),
    _digest("digest"),
    _id("entry"),
    _at(),
)
Index("ix_key_challenges_key", key_challenges.c.key)
Index("ix_wrappings_share", wrappings.c.share)

# --- the vault ----------------------------------------------------------------------------------
vault_epochs = Table(
    "vault_epochs",
    metadata,
    _id("item", ForeignKey("sealed.item"), primary_key=True),
    _digest("epoch"),
)
rewraps = Table(
    "rewraps",
    metadata,
    _id("item", ForeignKey("items.id"), primary_key=True),
    _int("n", pk=True),
    _blob("header", nullable=True),
    _digest("digest"),
    _digest("epoch"),
    _blob("record"),
    _id("entry"),
    _at(),
)
Index("ix_vault_epochs_epoch", vault_epochs.c.epoch)
Index("ix_rewraps_epoch", rewraps.c.epoch)
# --- digests of the parts of bodies ---------------------------------------------------------------
body_parts = Table(
    "body_parts",
    metadata,
    _id("item", ForeignKey("sealed.item"), primary_key=True),
    _blob("digests"),  # SHA-256 of each part, 32 bytes, joined; no row for a body of one part
)

Index("ix_shares_package", shares.c.package)
Index("ix_shares_state", shares.c.state)
Index("ix_shares_recipient", shares.c.recipient)
Index("ix_releases_recipient", releases.c.recipient, releases.c.reference)
Index("ix_servings_share", servings.c.share)
order_entries = Table(
    "order_entries",
    metadata,
    _digest("order_digest", ForeignKey("orders.digest"), primary_key=True),
    _word("kind", pk=True),
    _id("entry"),
)
directory_entries = Table(
    "directory_entries",
    metadata,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("directory_sets.number"),
        primary_key=True,
        autoincrement=False,
    ),
    _id("entry"),
)
Index("ix_order_entries_kind", order_entries.c.kind)
Index("ix_clearances_share", clearances.c.share)
Index("ix_package_items_item", package_items.c.item)
Index("ix_packages_rfa", packages.c.rfa)
Index("ix_headers_item", headers.c.item)
Index("ix_rfas_authority", rfas.c.authority)
Index("ix_rfas_state", rfas.c.state)
Index("ix_rfa_messages_rfa", rfa_messages.c.rfa)
Index("ix_attestations_jurisdiction", attestations.c.jurisdiction)
Index("ix_declared_item", declared.c.item)
Index("ix_derivatives_original", derivatives.c.original)
Index("ix_withheld_rfa", withheld.c.rfa)
Index("ix_withheld_item", withheld.c.item)
Index("ix_withheld_recipient", withheld.c.recipient, withheld.c.reference)
Index("ix_policy_bundles_digest", policy_bundles.c.digest)

# --- ledger -------------------------------------------------------------------------------------
entries = Table("entries", metadata, _int("idx", pk=True), _id("eid", unique=True), _blob("leaf"))
tiles = Table("tiles", metadata, _int("level", pk=True), _int("n", pk=True), _blob("data"))
edges = Table("edges", metadata, _int("level", pk=True), _blob("data"))
heads = Table("heads", metadata, _int("id", pk=True), _int("size"), _blob("root"))
checkpoints = Table("checkpoints", metadata, _int("size", pk=True), _blob("note"))
openings = Table(
    "openings",
    metadata,
    _id("eid", primary_key=True),
    _id("audience", primary_key=True),
    _blob("data"),
)
opening_keys = Table(
    "opening_keys",
    metadata,
    _id("eid", primary_key=True),
    _id("audience", primary_key=True),
    _blob("wrapped"),
)

APPEND_ONLY = (
    "orders",
    "creations",
    "directory_sets",
    "policy_sets",
    "sealed",
    "items",
    "packages",
    "share_events",
    "releases",
    "decisions",
    "clearances",
    "manifests",
    "receipts",
    "messages",
    "entries",
    "tiles",
    "checkpoints",
    "openings",
    "package_items",
    "amendments",
    "suspensions",
    "share_keys",
    "investigations",
    "rfa_events",
    "rfa_messages",
    "assessments",
    "attestations",
    "attestation_ends",
    "declared",
    "policy_bundles",
    "policy_signoffs",
    "derivatives",
    "signed_terms",
    "withheld",
    "withheld_reviews",
    "introduced_keys",
    "key_challenges",
    "key_proofs",
    "key_confirmations",
    "wrappings",
    "share_rewraps",
    "header_deletions",
    "vault_epochs",
    "rewraps",
    "order_entries",
    "directory_entries",
    "body_parts",
)
"""Tables in which the database itself refuses UPDATE and DELETE."""

ONLY_UPDATED = ("uploads", "parts", "shares", "servings", "heads", "rfas")
"""Tables whose rows are changed and never removed: the server's role may not DELETE."""

ONLY_REMOVED = ("jti", "edges", "opening_keys", "headers")
"""Tables whose rows are removed and never changed: the server's role may not UPDATE."""


def guards(dialect: str, tables: Sequence[str]) -> list[str]:
    """Return the statements that make the database refuse changes to *tables*, which are append-only.

    On PostgreSQL they call the function that `GUARD_FUNCTION` makes.
    """
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in tables
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in tables
    ]


GUARD_FUNCTION = (
    "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
)
