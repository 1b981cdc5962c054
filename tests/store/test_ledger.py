"""Proofs hold at every size, and openings open for their audience alone."""

from typing import Any

import pytest
from sqlalchemy import delete, event, select

from gateway.exchange.entries import RECIPIENT_SLOTS
from gateway.kernel.errors import GatewayError, NotFoundError, UnavailableError
from gateway.ledger import (
    Slot,
    check_openings,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
    verify_proof,
)
from gateway.store import ledger, tables
from gateway.store.writer import MECHANISM
from tests.store.tools import Store

SIZES = (1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 600, 640)


def test_every_proof_of_a_tree_with_full_tiles_holds(store: Store) -> None:
    for _ in range(16):
        store.add(40)
    roots = store.check()
    with store.reading.connect() as conn:
        rows = ledger.page(conn, 0, 1000)
        assert len(list(conn.execute(select(tables.tiles)))) == 2
        for size in SIZES:
            assert ledger.root_at(conn, size) == roots[size]
            for index in {0, 1, size // 2, min(255, size - 1), min(256, size - 1), size - 1}:
                if index < size:
                    path = ledger.inclusion(conn, index, size)
                    verify_inclusion(leaf_hash(rows[index].leaf), index, size, path, roots[size])
            for old in (old for old in SIZES if old <= size):
                path = ledger.consistency(conn, old, size)
                verify_consistency(old, size, path, roots[old], roots[size])


def test_a_proof_travels_with_its_checkpoint(store: Store) -> None:
    name = store.add(3)[1]
    with store.reading.connect() as conn:
        row, note = ledger.entry(conn, name), ledger.checkpoint(conn, 3)
        assert note is not None
        proof = ledger.prove(conn, row.index, 3, note)
        with pytest.raises(NotFoundError):
            ledger.entry(conn, "ent_none")
        assert ledger.checkpoint(conn, 2) is None
    assert verify_proof(row.leaf, proof, store.verifier).size == 3


def test_a_proof_holds_while_the_tree_grows_past_a_tile(store: Store) -> None:
    store.add(250)
    roots = store.check()
    grown: list[int] = []

    def grow(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM tiles" in statement:
            grown.append(1)
        elif grown == [1]:
            grown.append(2)
            store.add(300)

    event.listen(store.reading, "before_cursor_execute", grow)
    with store.reading.connect() as conn:
        path = ledger.consistency(conn, 100, 250)
    assert store.size() == 550
    verify_consistency(100, 250, path, roots[100], roots[250])


def test_an_edge_that_does_not_lead_to_the_head_stops_the_writer(store: Store) -> None:
    store.add(3)
    with store.writing.begin() as conn:
        conn.execute(tables.heads.update().values(root=bytes(32)))
        with pytest.raises(UnavailableError, match="gateway ledger verify"):
            ledger.load_edge(conn)


def test_an_entry_opens_for_its_audience_alone(store: Store) -> None:
    name = store.add(recipient="pty_a")[0]
    key = store.log.audience_key
    with store.reading.connect() as conn:
        leaf = ledger.entry(conn, name).leaf
        whole = ledger.open_entry(conn, name, MECHANISM, key)
        part = ledger.open_entry(conn, name, "pty_a", key)
        assert ledger.open_entry(conn, name, "pty_b", key) is None
        with pytest.raises(GatewayError):
            ledger.open_entry(conn, name, MECHANISM, bytes(31) + b"x")
    assert whole is not None
    assert part is not None
    check_openings(leaf, whole)
    check_openings(leaf, part)
    assert part[Slot.RECIPIENT].value == "pty_a"
    assert set(part) == set(whole) & RECIPIENT_SLOTS
    assert set(part) < set(whole)


def test_an_erased_opening_leaves_its_proof_standing(store: Store) -> None:
    name = store.add(5, recipient="pty_a")[2]
    with store.writing.begin() as conn:
        conn.execute(delete(tables.opening_keys).where(tables.opening_keys.c.eid == name))
    with store.reading.connect() as conn:
        for audience in (MECHANISM, "pty_a"):
            assert ledger.open_entry(conn, name, audience, store.log.audience_key) is None
        row, note = ledger.entry(conn, name), ledger.checkpoint(conn)
        assert note is not None
        proof = ledger.prove(conn, row.index, 5, note)
    assert verify_proof(row.leaf, proof, store.verifier).size == 5
    store.add()
    store.check()
