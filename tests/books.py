"""The ledger as the mechanism may read it, rebuilt from its leaves, and a hold on which rows claimed what."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from gateway.kernel.encoding import Json
from gateway.ledger import Edge, check_openings, decode_openings, leaf_hash, open_checkpoint, unseal
from gateway.store import ledger, tables
from gateway.store.writer import MECHANISM
from gateway.workflows.gateway import Gateway


@dataclass(frozen=True)
class Told:
    """An entry as the mechanism may open it."""

    index: int
    id: str
    kind: str
    said: Mapping[str, Json]

    def __getitem__(self, slot: str) -> Json:
        return self.said.get(slot)


@dataclass
class Books:
    """What was read: the entries by id, those of each kind, and which of them a row has claimed."""

    conn: Connection
    entries: dict[str, Told]
    kinds: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    claimed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for told in self.entries.values():
            self.kinds[told.kind].append(told)

    def rows(self, table: Table) -> list[Row[Any]]:
        return list(self.conn.execute(select(table)))

    def claim(self, entry: str, kinds: Iterable[str], **said: Json) -> Told:
        """Take the entry of a row: of one of these kinds, saying this, and no other row's."""
        told = self.entries.get(entry)
        assert told is not None, f"{entry} is in no ledger"
        assert told.kind in kinds, f"{entry} is {told.kind}, not {sorted(kinds)}"
        assert entry not in self.claimed, f"{entry} has two rows"
        for slot, value in said.items():
            assert told[slot] == value, f"{told.kind} {entry}: {slot} is {told[slot]}, not {value}"
        self.claimed.add(entry)
        return told

    def by(self, kind: str, slot: str) -> dict[Json, Told]:
        """Return the entries of a kind by what they say in a slot, which must tell them apart."""
        found = {told[slot]: told for told in self.kinds[kind]}
        assert len(found) == len(self.kinds[kind]), f"two entries {kind} with one {slot}"
        return found


def read_ledger(gateway: Gateway, conn: Connection) -> dict[str, Told]:
    """Rebuild the tree from the leaves, open what is the mechanism's; compare with every signed head."""
    edge, found = Edge(), {}
    sealed = _openings(gateway, conn)
    roots = {c.size: c.note for c in conn.execute(select(tables.checkpoints))}
    rows = list(conn.execute(select(tables.entries).order_by(tables.entries.c.idx)))
    for n, row in enumerate(rows):
        assert row.idx == n, f"entry {n} is missing"
        edge.append(leaf_hash(row.leaf))
        openings = decode_openings(sealed[row.eid])
        check_openings(row.leaf, openings)
        said = {slot.label: opening.value for slot, opening in openings.items()}
        found[row.eid] = Told(n, row.eid, str(said["kind"]), said)
        if n + 1 in roots:
            signed = open_checkpoint(roots.pop(n + 1), gateway.verifier)
            assert (signed.size, signed.root) == (n + 1, edge.root()), "a signed head is another's"
    assert not roots, f"checkpoints of sizes without entries: {sorted(roots)}"
    assert ledger.head(conn) == (edge.size, edge.root()), "the head is not that of the entries"
    assert ledger.load_edge(conn).root() == edge.root()
    assert ledger.checkpoint(conn, edge.size) is not None, "the newest entries are under no head"
    _audiences(conn, found)
    return found


def _openings(gateway: Gateway, conn: Connection) -> dict[str, bytes]:
    o, k = tables.openings, tables.opening_keys
    joined = o.join(k, (k.c.eid == o.c.eid) & (k.c.audience == o.c.audience))
    query = select(o.c.eid, o.c.data, k.c.wrapped).select_from(joined)
    key = gateway.log.audience_key
    return {
        row.eid: unseal(row.data, unseal(row.wrapped, key))
        for row in conn.execute(query.where(o.c.audience == MECHANISM))
    }


def _audiences(conn: Connection, found: Mapping[str, Told]) -> None:
    """An entry is opened by the mechanism and by the recipient that it names, by nobody else."""
    o = tables.openings
    seen: dict[str, set[str]] = defaultdict(set)
    for row in conn.execute(select(o.c.eid, o.c.audience)):
        seen[row.eid].add(row.audience)
    for told in found.values():
        named = {str(told["recipient"])} if told["recipient"] else set()
        assert seen[told.id] == named | {MECHANISM}, f"{told.kind} is opened by {seen[told.id]}"
