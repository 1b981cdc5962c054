"""Packages and shares: their rows, events, decisions, headers, manifests and servings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Table,
    case,
    exists,
    false,
    func,
    insert,
    select,
    true,
    update,
)

from gateway.exchange.acts import Approve, Consult, MakePackage, Propose, act_of
from gateway.exchange.key_life import kid_digest
from gateway.exchange.shares import State, Step, advance
from gateway.kernel.encoding import Json, canonical_json, hex_sha256, parse_json
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.policy import Clearance
from gateway.store.tables import (
    clearances,
    decisions,
    headers,
    introduced_keys,
    manifests,
    orders,
    package_items,
    packages,
    share_events,
    share_keys,
    shares,
    wrappings,
)


@dataclass(frozen=True, slots=True)
class Share:
    """A share as it stands now."""

    id: str
    package: str
    recipient: str
    proposer: str
    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a share's life, with the entry that records it."""

    state: State
    actor: str | None
    entry: str
    order: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on a share as it is kept: the *n*th, from 0, with the facts of every item."""

    n: int
    stage: str
    data: dict[str, Json]
    facts: tuple[dict[str, Json], ...]
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Header:
    """The header of item *n* of a share, and the age recipients that it is wrapped to.

    *seq* counts how often the share was wrapped anew before it was made.
    """

    n: int
    item: str
    data: bytes
    digest: str
    keys: tuple[str, ...] = ()
    seq: int = 0


@dataclass(frozen=True, slots=True)
class KeptManifest:
    """The signed outer manifest and the sealed inner one."""

    container: bytes
    digest: str
    inner: bytes


def make_package(conn: Connection, act: MakePackage, actor: str, order: str, at: datetime) -> None:
    """Keep a package; its act stands in its order."""
    values = {"id": act.id, "actor": actor, "order_digest": order, "at": at}
    conn.execute(insert(packages), {**values, "rfa": act.basis.rfa})
    conn.execute(insert(package_items), [{"package": act.id, "item": item} for item in act.items])


def package(conn: Connection, name: str) -> MakePackage:
    """Return the act that made a package. Raises NotFoundError."""
    query = (
        select(orders.c.body)
        .join(packages, packages.c.order_digest == orders.c.digest)
        .where(packages.c.id == name)
    )
    body = conn.execute(query).scalar()
    act = act_of(body) if body is not None else None
    if not isinstance(act, MakePackage):
        raise NotFoundError("no such package")
    return act


def propose(
    conn: Connection, act: Propose, actor: str, order: str, step: Step, entry: str, at: datetime
) -> Share:
    """Make a share in the state that its first decision leads to."""
    state = advance(None, step)
    values = {"id": act.share, "package": act.package, "recipient": act.recipient}
    conn.execute(insert(shares), {**values, "proposer": actor, "state": state.value, "at": at})
    _event(conn, act.share, state, actor, entry, order, at)
    return Share(act.share, act.package, act.recipient, actor, state, at)


def get(conn: Connection, name: str) -> Share:
    """Return a share. Raises NotFoundError."""
    row = conn.execute(select(shares).where(shares.c.id == name)).first()
    if row is None:
        raise NotFoundError("no such share")
    return Share(row.id, row.package, row.recipient, row.proposer, State(row.state), row.at)


def for_recipient(
    conn: Connection, name: str, recipient: str, states: Iterable[State]
) -> Share | None:
    """Return a share that its recipient may know of, or None.

    One query whatever the reason is that there is none: what is another's, what is not offered yet and
    what never was must take equally long. *states* are those in which it may be known; a recalled or
    expired share only if it had been available before.
    """
    offered = exists().where(
        share_events.c.share == shares.c.id, share_events.c.state == State.AVAILABLE.value
    )
    # No IN: SQLite would fill a table of its values for a row that is there, and only then. It shows.
    known = case(
        *(
            (shares.c.state == state.value, offered if state in _ONCE_OFFERED else true())
            for state in states
        ),
        else_=false(),
    )
    query = select(shares).where(shares.c.id == name, shares.c.recipient == recipient, known)
    row = conn.execute(query).first()
    if row is None:
        return None
    return Share(row.id, row.package, row.recipient, row.proposer, State(row.state), row.at)


_ONCE_OFFERED = (State.RECALLED, State.EXPIRED)


def step(
    conn: Connection,
    name: str,
    made: Step,
    *,
    actor: str | None,
    entry: str,
    order: str | None,
    at: datetime,
) -> State:
    """Advance a share. Raises ConflictError if its state does not allow the step."""
    old = get(conn, name).state
    new = advance(old, made)
    change = update(shares).where(shares.c.id == name, shares.c.state == old.value)
    if conn.execute(change.values(state=new.value)).rowcount != 1:
        raise ConflictError("the share changed meanwhile; read it again")
    _event(conn, name, new, actor, entry, order, at)
    return new


def _event(
    conn: Connection,
    name: str,
    state: State,
    actor: str | None,
    entry: str,
    order: str | None,
    at: datetime,
) -> None:
    n = _count(conn, share_events, name)
    values = {"share": name, "n": n, "state": state.value, "actor": actor}
    conn.execute(insert(share_events), {**values, "entry": entry, "order_digest": order, "at": at})


def _count(conn: Connection, table: Table, name: str) -> int:
    query = select(func.count()).select_from(table).where(table.c.share == name)
    return conn.execute(query).scalar() or 0


def events(conn: Connection, name: str) -> list[Event]:
    """Return the life of a share, oldest first."""
    query = select(share_events).where(share_events.c.share == name).order_by(share_events.c.n)
    return [
        Event(State(r.state), r.actor, r.entry, r.order_digest, r.at) for r in conn.execute(query)
    ]


def event_in(conn: Connection, name: str, state: State) -> Event:
    """Return the latest event that brought a share into *state*. Raises NotFoundError."""
    for event in reversed(events(conn, name)):
        if event.state is state:
            return event
    raise NotFoundError(f"the share was never {state.value}")


def in_states(
    conn: Connection,
    states: Iterable[State],
    *,
    item: str | None = None,
    rfa: str | None = None,
    recipients: Iterable[str] | None = None,
) -> list[Share]:
    """Return the shares in any of *states*, oldest first.

    Only those whose package holds *item*, whose package answers *rfa*, or that are for one of
    *recipients*, if given.
    """
    names = [state.value for state in states]
    query = select(shares).where(shares.c.state.in_(names)).order_by(shares.c.at)
    if rfa is not None:
        query = query.join(packages, packages.c.id == shares.c.package).where(packages.c.rfa == rfa)
    if recipients is not None:
        query = query.where(shares.c.recipient.in_([*recipients]))
    if item is not None:
        holding = select(package_items.c.package).where(package_items.c.item == item)
        query = query.where(shares.c.package.in_(holding))
    return [
        Share(r.id, r.package, r.recipient, r.proposer, State(r.state), r.at)
        for r in conn.execute(query)
    ]


def of_package(conn: Connection, package_id: str) -> list[Share]:
    """Return the shares of a package, oldest first."""
    query = select(shares).where(shares.c.package == package_id).order_by(shares.c.at)
    return [
        Share(r.id, r.package, r.recipient, r.proposer, State(r.state), r.at)
        for r in conn.execute(query)
    ]


def keep_decision(
    conn: Connection,
    name: str,
    stage: str,
    decision: Mapping[str, Json],
    facts: Json,
    at: datetime,
) -> str:
    """Keep a decision with the facts it was made on; return its digest."""
    data = canonical_json(dict(decision))
    digest = hex_sha256(data)
    values = {"share": name, "n": _count(conn, decisions, name), "stage": stage, "data": data}
    conn.execute(
        insert(decisions), {**values, "facts": canonical_json(facts), "digest": digest, "at": at}
    )
    return digest


def latest_decision(conn: Connection, name: str) -> dict[str, Json]:
    """Return the newest decision on a share. Raises NotFoundError."""
    query = select(decisions.c.data).where(decisions.c.share == name).order_by(decisions.c.n.desc())
    data = conn.execute(query.limit(1)).scalar()
    value = parse_json(data) if data is not None else None
    if not isinstance(value, dict):
        raise NotFoundError("no decision on this share")
    return value


def released_terms(conn: Connection, name: str) -> dict[str, Json]:
    """Return the obligations of the decision on which a share was released. Raises NotFoundError.

    Once it is released, no decision is made for a release any more: the newest such is the one.
    """
    query = select(decisions.c.data).where(
        decisions.c.share == name, decisions.c.stage == "release"
    )
    data = conn.execute(query.order_by(decisions.c.n.desc()).limit(1)).scalar()
    value = parse_json(data) if data is not None else None
    terms = value.get("obligations") if isinstance(value, dict) else None
    if not isinstance(terms, dict):
        raise NotFoundError("no decision released this share")
    return terms


def decided(conn: Connection, name: str, n: int | None = None) -> Decided:
    """Return the *n*th decision on a share, from 0; the newest for None. Raises NotFoundError."""
    query = select(decisions).where(decisions.c.share == name).order_by(decisions.c.n.desc())
    if n is not None:
        query = query.where(decisions.c.n == n)
    row = conn.execute(query.limit(1)).first()
    data = parse_json(row.data) if row is not None else None
    if row is None or not isinstance(data, dict):
        raise NotFoundError("no such decision on this share")
    facts = parse_json(row.facts)
    every = facts if isinstance(facts, list) else []
    known = tuple(one for one in every if isinstance(one, dict))
    return Decided(row.n, row.stage, data, known, row.digest, row.at)


def clear(conn: Connection, act: Approve | Consult, person: str, order: str, at: datetime) -> None:
    """Keep a clearance."""
    values = {"id": act.id, "share": act.share, "person": person, "basis": act.basis}
    conn.execute(
        insert(clearances), {**values, "role": obligation(act), "order_digest": order, "at": at}
    )


def obligation(act: Approve | Consult) -> str:
    """Return the obligation that an act clears: `approval:role` or `consultation:whom`."""
    return f"approval:{act.role.value}" if isinstance(act, Approve) else f"consultation:{act.whom}"


def clearances_of(conn: Connection, name: str, until: datetime | None = None) -> list[Clearance]:
    """Return the clearances given for a share, *until* a moment, itself included."""
    query = select(clearances).where(clearances.c.share == name)
    if until is not None:
        query = query.where(clearances.c.at <= until)
    return [Clearance(row.person, row.role, row.basis) for row in conn.execute(query)]


def keep_envelopes(
    conn: Connection,
    name: str,
    made: Sequence[Header],
    manifest: KeptManifest,
    at: datetime,
    seq: int = 0,
) -> None:
    """Keep what the keyholder and the manifest key made for a share, and for which keys.

    Earlier headers and manifests of it stay; from now on these count.
    """
    before = {row.kid for row in conn.execute(select(share_keys).where(share_keys.c.share == name))}
    every = {key for header in made for key in header.keys} - before
    if every:
        conn.execute(insert(share_keys), [{"share": name, "kid": key} for key in sorted(every)])
    base: dict[str, Any] = {"share": name, "seq": seq}
    conn.execute(
        insert(headers),
        [{**base, "n": h.n, "item": h.item, "data": h.data, "digest": h.digest} for h in made],
    )
    conn.execute(
        insert(wrappings),
        [
            {**base, "key": kid_digest(key), "n": h.n, "item": h.item, "at": at}
            for h in made
            for key in h.keys
        ],
    )
    values = {**base, "container": manifest.container, "digest": manifest.digest}
    conn.execute(insert(manifests), {**values, "inner": manifest.inner})


def sequence(conn: Connection, name: str) -> int:
    """Return how often a share was wrapped anew."""
    query = select(func.max(manifests.c.seq)).where(manifests.c.share == name)
    return conn.execute(query).scalar() or 0


def keys_of(conn: Connection, name: str) -> set[str]:
    """Return the age recipients that a share's headers are wrapped to now."""
    query = select(wrappings.c.key).where(
        wrappings.c.share == name, wrappings.c.seq == sequence(conn, name)
    )
    rows = select(introduced_keys.c.kid).where(introduced_keys.c.key.in_(query))
    return {row.kid for row in conn.execute(rows)}


def header(conn: Connection, name: str, n: int) -> Header:
    """Return the header of item *n* as it is served. Raises NotFoundError, also once it was deleted."""
    query = select(headers).where(
        headers.c.share == name, headers.c.n == n, headers.c.seq == sequence(conn, name)
    )
    row = conn.execute(query).first()
    if row is None:
        raise NotFoundError("no such item")
    return Header(row.n, row.item, row.data, row.digest, (), row.seq)


def header_sizes(conn: Connection, name: str, n: int) -> dict[int, int]:
    """Return the sizes of the headers of item *n* that are kept, by how often it was wrapped anew before."""
    query = select(headers.c.seq, func.length(headers.c.data).label("size"))
    rows = conn.execute(query.where(headers.c.share == name, headers.c.n == n))
    return {row.seq: row.size for row in rows}


def manifest(conn: Connection, name: str) -> KeptManifest:
    """Return the manifest of a share: the newest. Raises NotFoundError."""
    query = select(manifests).where(manifests.c.share == name).order_by(manifests.c.seq.desc())
    row = conn.execute(query.limit(1)).first()
    if row is None:
        raise NotFoundError("no such share")
    return KeptManifest(row.container, row.digest, row.inner)
