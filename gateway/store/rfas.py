"""RFAs: their rows, events, messages, assessments, and the investigations they belong to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from gateway.exchange.acts import AssessRfa, Wanted
from gateway.exchange.parse import decode, plain
from gateway.exchange.rfas import State, Step, advance
from gateway.kernel.encoding import Json, canonical_json, hex_sha256, parse_json
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.kernel.ids import new_id
from gateway.store.tables import assessments, investigations, rfa_events, rfa_messages, rfas


@dataclass(frozen=True, slots=True)
class Rfa:
    """An RFA as it stands now. *request* is the digest of what it was made by: a signed message, or
    the order that entered it from paper. *number*, *purpose* and *investigation* are there from
    registration on; *reference* is the authority's own name of the investigation.
    """

    id: str
    authority: str
    origin: str
    state: State
    request: str
    wanted: Wanted
    at: datetime
    parent: str | None
    number: str | None
    purpose: str | None
    due: str | None
    investigation: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an RFA's life."""

    step: Step
    state: State
    actor: str
    entry: str
    order: str
    at: datetime


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A signed message about an RFA, from the authority or to it."""

    id: str
    rfa: str
    about: str
    actor: str
    container: bytes
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Assessment:
    """The five checks as an officer recorded them; they count until the end of *valid_to*."""

    checks: Json
    met: bool
    valid_to: str
    actor: str
    at: datetime


def make(
    conn: Connection,
    name: str,
    authority: str,
    origin: str,
    first: Step,
    request: str,
    wanted: Wanted,
    at: datetime,
) -> Rfa:
    """Keep a new RFA; return it as its *first* step leaves it. That step is the caller's to make.

    Raises ConflictError if its id was used before.
    """
    if conn.execute(select(rfas.c.id).where(rfas.c.id == name)).first():
        raise ConflictError("an RFA with this id is there already: mint a new one")
    conn.execute(
        insert(rfas),
        {
            "id": name,
            "authority": authority,
            "origin": origin,
            "state": "",
            "parent": wanted.parent,
            "request": request,
            "wanted": canonical_json(plain(wanted)),
            "at": at,
        },
    )
    state = advance(None, first)
    unknown = dict.fromkeys(("number", "purpose", "due", "investigation", "reference"))
    parent = wanted.parent
    return Rfa(name, authority, origin, state, request, wanted, at, parent, **unknown)


def get(conn: Connection, name: str, authority: str | None = None) -> Rfa:
    """Return an RFA, of *authority* if given. Raises NotFoundError."""
    query = _all().where(rfas.c.id == name)
    if authority is not None:
        query = query.where(rfas.c.authority == authority)
    row = conn.execute(query).first()
    if row is None:
        raise NotFoundError("no such RFA")
    return _rfa(row)


# The shape of a query's rows is known to the query alone.
def _all() -> Select:  # type: ignore[type-arg]
    joined = rfas.outerjoin(investigations, investigations.c.id == rfas.c.investigation)
    return select(rfas, investigations.c.reference).select_from(joined).order_by(rfas.c.at)


# As above.
def _rfa(row: Row) -> Rfa:  # type: ignore[type-arg]
    return Rfa(
        id=row.id,
        authority=row.authority,
        origin=row.origin,
        state=State(row.state),
        request=row.request,
        wanted=decode(row.wanted, Wanted),
        at=row.at,
        parent=row.parent,
        number=row.number,
        purpose=row.purpose,
        due=row.due,
        investigation=row.investigation,
        reference=row.reference,
    )


def listed(
    conn: Connection, authority: str | None = None, states: Iterable[State] | None = None
) -> list[Rfa]:
    """Return RFAs, oldest first: of one authority, in some states, or all."""
    query = _all()
    if authority is not None:
        query = query.where(rfas.c.authority == authority)
    if states is not None:
        query = query.where(rfas.c.state.in_([state.value for state in states]))
    return [_rfa(row) for row in conn.execute(query)]


def step(
    conn: Connection, name: str, made: Step, *, actor: str, entry: str, order: str, at: datetime
) -> State:
    """Advance an RFA. Raises ConflictError if its state does not allow the step."""
    old = conn.execute(select(rfas.c.state).where(rfas.c.id == name)).scalar()
    if old is None:
        raise NotFoundError("no such RFA")
    new = advance(State(old) if old else None, made)
    change = update(rfas).where(rfas.c.id == name, rfas.c.state == old)
    if conn.execute(change.values(state=new.value)).rowcount != 1:
        raise ConflictError("the RFA changed meanwhile; read it again")
    count = select(func.count()).select_from(rfa_events).where(rfa_events.c.rfa == name)
    values = {"rfa": name, "n": conn.execute(count).scalar() or 0, "step": made.value}
    values |= {"state": new.value, "actor": actor, "entry": entry}
    conn.execute(insert(rfa_events), {**values, "order_digest": order, "at": at})
    return new


def events(conn: Connection, name: str) -> list[Event]:
    """Return the life of an RFA, oldest first."""
    query = select(rfa_events).where(rfa_events.c.rfa == name).order_by(rfa_events.c.n)
    return [
        Event(Step(r.step), State(r.state), r.actor, r.entry, r.order_digest, r.at)
        for r in conn.execute(query)
    ]


def stands(conn: Connection, rfa: Rfa) -> State:
    """Return where an RFA stands; of a closed one, where it stood when it was closed."""
    if rfa.state is not State.CLOSED:
        return rfa.state
    query = select(rfa_events.c.state).where(
        rfa_events.c.rfa == rfa.id, rfa_events.c.state != State.CLOSED.value
    )
    return State(conn.execute(query.order_by(rfa_events.c.n.desc()).limit(1)).scalar_one())


def register(
    conn: Connection, name: str, number: str, investigation: str, purpose: str, due: str
) -> None:
    """Keep what registration states. Raises ConflictError if the number is taken."""
    taken = conn.execute(select(rfas.c.id).where(rfas.c.number == number)).scalar()
    if taken not in (None, name):
        raise ConflictError(f"number {number} is another RFA's: take the next free one")
    values = {"number": number, "investigation": investigation, "purpose": purpose, "due": due}
    conn.execute(update(rfas).where(rfas.c.id == name).values(values))


def set_due(conn: Connection, name: str, due: str) -> None:
    """Move the due date; the order and its entry say who did, and why."""
    conn.execute(update(rfas).where(rfas.c.id == name).values(due=due))


def investigation(conn: Connection, authority: str, reference: str, at: datetime) -> str:
    """Return the id of an authority's investigation; the first RFA in it makes it."""
    query = select(investigations.c.id).where(
        investigations.c.authority == authority, investigations.c.reference == reference
    )
    found: str | None = conn.execute(query).scalar()
    if found is not None:
        return found
    made = new_id("inv")
    values = {"id": made, "authority": authority, "reference": reference, "at": at}
    conn.execute(insert(investigations), values)
    return made


def keep_message(
    conn: Connection, name: str, rfa: str, about: str, actor: str, container: bytes, at: datetime
) -> None:
    """Keep a signed message. Raises ConflictError if its id was used before."""
    if conn.execute(select(rfa_messages.c.id).where(rfa_messages.c.id == name)).first():
        raise ConflictError("a message with this id was sent before: mint a new one")
    values = {"id": name, "rfa": rfa, "about": about, "actor": actor, "container": container}
    conn.execute(insert(rfa_messages), {**values, "digest": hex_sha256(container), "at": at})


def messages(conn: Connection, rfa: str) -> list[KeptMessage]:
    """Return the messages about an RFA, oldest first."""
    query = select(rfa_messages).where(rfa_messages.c.rfa == rfa).order_by(rfa_messages.c.at)
    return [
        KeptMessage(r.id, r.rfa, r.about, r.actor, r.container, r.digest, r.at)
        for r in conn.execute(query)
    ]


def message(conn: Connection, rfa: str, name: str) -> KeptMessage:
    """Return one message of an RFA. Raises NotFoundError."""
    for kept in messages(conn, rfa):
        if kept.id == name:
            return kept
    raise NotFoundError("no such message")


def assess(conn: Connection, act: AssessRfa, actor: str, order: str, at: datetime) -> None:
    """Keep an assessment."""
    count = select(func.count()).select_from(assessments).where(assessments.c.rfa == act.rfa)
    checks: list[Json] = [plain(check) for check in act.checks]
    conn.execute(
        insert(assessments),
        {
            "id": act.id,
            "rfa": act.rfa,
            "n": conn.execute(count).scalar() or 0,
            "checks": canonical_json(checks),
            "met": act.met,
            "valid_to": act.valid_to,
            "actor": actor,
            "order_digest": order,
            "at": at,
        },
    )


def assessed(conn: Connection, rfa: str) -> Assessment | None:
    """Return the newest assessment of an RFA."""
    query = select(assessments).where(assessments.c.rfa == rfa).order_by(assessments.c.n.desc())
    row = conn.execute(query.limit(1)).first()
    if row is None:
        return None
    return Assessment(parse_json(row.checks), row.met, row.valid_to, row.actor, row.at)
