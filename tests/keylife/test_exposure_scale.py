"""What a lost key could open is answered from an index, however much there is."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, insert, text

from gateway.exchange.key_life import kid_digest
from gateway.kernel.ids import new_id
from gateway.store import envelope_keys, tables
from gateway.store.engine import connect, upgrade
from tests.world import database

AUTHORITIES, PER_KEY = 50, 20_000
LOST = kid_digest("key 7")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Engine]:
    with database(str(request.param)) as url:
        made = connect(url or f"sqlite:///{tmp_path}/gateway.db", writer=True)
        try:
            upgrade(made)
            yield made
        finally:
            made.dispose()


def fill(conn: Connection, keys: int, shares: int, items: int) -> int:
    """Wrap *items* of so many shares to each of so many keys; the first item of each share is fetched."""
    off = (
        "PRAGMA defer_foreign_keys=ON"  # nothing that they refer to is there, nor needed
        if conn.dialect.name == "sqlite"
        else "SET session_replication_role = replica"
    )
    conn.execute(text(off))
    now = datetime.now(UTC)
    for number in range(keys):
        kid = f"key {number}"
        recipient, key = new_id("pty"), kid_digest(kid)
        envelope_keys.introduce(conn, kid, recipient, envelope_keys.FOUNDING, now)
        names = [new_id("shr") for _ in range(shares)]
        base = {"package": new_id("pkg"), "proposer": new_id("psn"), "state": "pulled", "at": now}
        conn.execute(
            insert(tables.shares), [{**base, "id": n, "recipient": recipient} for n in names]
        )
        made = [
            {"key": key, "share": name, "n": n, "seq": 0, "item": new_id("itm"), "at": now}
            for name in names
            for n in range(items)
        ]
        conn.execute(insert(tables.wrappings), made)
        served = {"n": 0, "kid": "k", "first": 0, "end": 9, "sent": 9, "state": "finished"}
        conn.execute(
            insert(tables.servings),
            [
                {**served, "id": new_id("srv"), "share": n, "entry": new_id("ent"), "at": now}
                for n in names
            ],
        )
    return keys * shares * items


def plan(conn: Connection) -> str:
    """Return how the database would answer one page."""
    query = envelope_keys.exposure_query(LOST, None, 5000)
    said = str(query.compile(conn, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN " if conn.dialect.name == "sqlite" else "EXPLAIN "
    return "\n".join(str(row) for row in conn.exec_driver_sql(explain + said.replace("%", "%%")))


def all_of(conn: Connection) -> list[envelope_keys.Exposed]:
    """Read an exposure to its end, a page after the other."""
    rows = envelope_keys.exposed(conn, LOST, None, 5000)
    while len(rows) % 5000 == 0 and rows:
        last = rows[-1]
        more = envelope_keys.exposed(conn, LOST, (last.share, last.n, last.seq), 5000)
        if not more:
            break
        rows += more
    return rows


def test_what_a_key_could_open_is_found_by_an_index(engine: Engine) -> None:
    with engine.connect() as conn:
        outer = conn.begin()
        fill(conn, 20, 40, 5)
        if conn.dialect.name == "postgresql":
            conn.execute(text("ANALYZE wrappings"))
            conn.execute(text("ANALYZE servings"))
            conn.execute(text("SET LOCAL enable_seqscan = off"))  # so little fits on a few pages
        said = plan(conn)
        rows = all_of(conn)
        outer.rollback()
    assert ("pk_wrappings" in said) or ("sqlite_autoindex_wrappings_1 (key=?" in said), said
    assert "ix_servings_share" in said
    assert "SCAN wrappings" not in said
    assert len(rows) == 200
    assert sum(row.fetched is not None for row in rows) == 40
    assert [(r.share, r.n) for r in rows] == sorted((r.share, r.n) for r in rows)


@pytest.mark.slow
def test_a_million_headers_are_searched_in_under_a_second(engine: Engine) -> None:
    with engine.connect() as conn:
        outer = conn.begin()
        total = fill(conn, AUTHORITIES, PER_KEY // 5, 5)
        if conn.dialect.name == "postgresql":
            conn.execute(text("ANALYZE"))
        took = []
        for _ in range(3):
            begun = time.perf_counter()
            counts, rows = envelope_keys.count(conn, LOST), all_of(conn)
            took.append(time.perf_counter() - begun)
        said = plan(conn)
        outer.rollback()
    print(
        f"exposure of a key with {len(rows)} of {total} headers on {engine.dialect.name}: "
        f"{min(took):.3f} s"
    )
    assert (total, len(rows), counts) == (1_000_000, PER_KEY, (PER_KEY, 0))
    assert "Seq Scan on wrappings" not in said
    assert "SCAN wrappings" not in said
    assert min(took) < 1
