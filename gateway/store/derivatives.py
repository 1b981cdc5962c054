"""Derivatives: which item was made from which, as a person attested it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select

from gateway.exchange.acts import Derive
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import canonical_json
from gateway.store.tables import derivatives


@dataclass(frozen=True, slots=True)
class Derivative:
    """An attested derivation: the act, who attested it, by which order, and when."""

    act: Derive
    actor: str
    order: str
    at: datetime


def keep(conn: Connection, act: Derive, actor: str, order: str, at: datetime) -> None:
    """Keep an attestation; the database refuses a second one of the same item."""
    conn.execute(
        insert(derivatives),
        {
            "id": act.id,
            "item": act.item,
            "original": act.original,
            "removed": canonical_json([*act.removed]),
            "mark": act.mark,
            "recipient": act.recipient,
            "attestation": canonical_json(plain(act)),
            "actor": actor,
            "order_digest": order,
            "at": at,
        },
    )


def made_from(conn: Connection, original: str) -> list[Derivative]:
    """Return what was made from an item directly, oldest first."""
    query = select(derivatives).where(derivatives.c.original == original)
    return [_derivative(row) for row in conn.execute(query.order_by(derivatives.c.at))]


def chains(conn: Connection, items: Collection[str]) -> dict[str, list[Derivative]]:
    """Return of each item how it came about: its own derivation, its original's, and so on to the first.

    Empty for what is no derivative. An item has one original and is older than what is made from it.
    """
    links: dict[str, Derivative] = {}
    wanted = set(items)
    while wanted:
        query = select(derivatives).where(derivatives.c.item.in_(wanted))
        found = [_derivative(row) for row in conn.execute(query)]
        links |= {one.act.item: one for one in found}
        wanted = {one.act.original for one in found} - set(links)
    return {item: _chain(links, item) for item in items}


def _chain(links: Mapping[str, Derivative], item: str) -> list[Derivative]:
    chain: list[Derivative] = []
    while item in links and links[item] not in chain:
        chain.append(links[item])
        item = links[item].act.original
    return chain


def kin(conn: Connection, items: Collection[str]) -> dict[str, set[str]]:
    """Return each item with what it was made from and what was made from it, directly or not.

    Not what else was made from its original: that may lack just what the item holds.
    """
    known, wanted = set(items), set(items)
    up: dict[str, str] = {}
    while wanted:
        near = derivatives.c.item.in_(wanted) | derivatives.c.original.in_(wanted)
        query = select(derivatives.c.item, derivatives.c.original).where(near)
        up |= {row.item: row.original for row in conn.execute(query)}
        wanted = {*up, *up.values()} - known
        known |= wanted
    found = {item: {item} for item in items}
    for one in known:
        line = _line(up, one)
        for above in line & set(found):
            found[above].add(one)
        if one in found:
            found[one] |= line
    return found


def _line(up: Mapping[str, str], item: str) -> set[str]:
    """Return an item and whatever it was made from."""
    line = {item}
    while (item := up.get(item, item)) not in line:
        line.add(item)
    return line


def descended(conn: Connection, item: str) -> set[str]:
    """Return an item and everything that was made from it, directly or not."""
    known, wanted = {item}, {item}
    while wanted:
        query = select(derivatives.c.item).where(derivatives.c.original.in_(wanted))
        wanted = {row.item for row in conn.execute(query)} - known
        known |= wanted
    return known


# The shape of a Row is known to the query alone.
def _derivative(row: Row) -> Derivative:  # type: ignore[type-arg]
    return Derivative(decode(row.attestation, Derive), row.actor, row.order_digest, row.at)
