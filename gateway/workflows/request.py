"""The authority's side of an RFA: sent, added to, withdrawn, looked at. Content is never read here."""

from sqlalchemy import Connection

from gateway.exchange.acts import Wanted
from gateway.exchange.entries import OF_STEP, Entry
from gateway.exchange.messages import About as Told
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.rfa_messages import About, RfaMessage, open_rfa_message, step_of
from gateway.exchange.rfas import TRANSITIONS, State, Step, outside
from gateway.kernel.encoding import Json, hex_sha256
from gateway.kernel.errors import ConflictError, ForbiddenError, MalformedError, NotFoundError
from gateway.kernel.time import spell
from gateway.store import rfas
from gateway.store.rfas import Rfa
from gateway.store.writer import Transaction
from gateway.workflows import suspend
from gateway.workflows.gateway import Answer, Gateway, Signed, perform
from gateway.workflows.post import tell

SIGNED = "signed"
"""The origin of an RFA that the authority's side signed; told apart from `paper` for ever."""

_AUTHORITYS = (Step.INFORM, Step.REPLY, Step.WITHDRAW)


def submit(gateway: Gateway, signed: Signed) -> Answer:
    """Take in an RFA, and send its receipt."""
    message = _opened(gateway, signed)
    if message.wanted is None:
        raise MalformedError("expected a request", field="/about")
    wanted, now = message.wanted, gateway.now()

    def work(tx: Transaction) -> Answer:
        if wanted.parent is not None:
            check_parent(own(tx.conn, wanted.parent, signed.actor.party.id), wanted)
        digest = hex_sha256(signed.order.body)
        authority = signed.actor.party.id
        first = Step.RECEIVE
        rfas.make(tx.conn, message.rfa, authority, SIGNED, first, digest, wanted, now)
        return _step(gateway, tx, signed, message, first)

    return perform(gateway, signed, work, creates=message.rfa)


def add(gateway: Gateway, signed: Signed, rfa_id: str) -> Answer:
    """Take in what an authority adds to its RFA: a reply, information, a withdrawal."""
    message = _opened(gateway, signed)
    if message.rfa != rfa_id or message.about is About.REQUEST:
        raise MalformedError("expected information on this RFA, or its withdrawal", field="/about")

    def work(tx: Transaction) -> Answer:
        rfa = own(tx.conn, rfa_id, signed.actor.party.id)
        made = step_of(message, asked=rfa.state is State.CLARIFICATION)
        _check_possible(rfa.state, made)
        return _step(gateway, tx, signed, message, made)

    answer = perform(gateway, signed, work, creates=message.id)
    if message.about is About.WITHDRAWAL:
        suspend.sweep(gateway, rfa=rfa_id)
    return answer


def told(rfa: Rfa) -> bool:
    """Tell whether an RFA's authority may know of it.

    Of one from paper only once two persons have entered it: until then the authority may be the wrong
    one, and would learn of another's investigation.
    """
    return rfa.origin == SIGNED or rfa.number is not None


def check_parent(parent: Rfa, wanted: Wanted) -> None:
    """Check that a supplementary RFA may hang on *parent*. Raises ConflictError."""
    if parent.wanted.investigation != wanted.investigation:
        raise ConflictError("a supplementary RFA is of the same investigation as its parent")


def own(conn: Connection, rfa_id: str, party: str) -> Rfa:
    """Return an RFA that the authority *party* may know of. Raises NotFoundError."""
    rfa = rfas.get(conn, rfa_id, party)
    if not told(rfa):
        raise NotFoundError("no such RFA")
    return rfa


def _check_possible(state: State, made: Step) -> None:
    """Refuse a step in words that do not tell how far the review has come. Raises ConflictError."""
    if (state, made) in TRANSITIONS:
        return
    steps = [step.value for step in _AUTHORITYS if (state, step) in TRANSITIONS]
    instead = f"possible: {', '.join(steps)}" if steps else "nothing more can be added to it"
    raise ConflictError(f"cannot {made.value} an RFA that is {outside(state)}; {instead}")


def _opened(gateway: Gateway, signed: Signed) -> RfaMessage:
    if signed.actor.party.kind is not PartyKind.AUTHORITY:
        raise ForbiddenError("only an authority sends an RFA; the mechanism records one from paper")
    mechanism = gateway.sets.directory.mechanism().id
    return open_rfa_message(signed.order.body, signed.actor, mechanism, gateway.now())


def _step(
    gateway: Gateway, tx: Transaction, signed: Signed, message: RfaMessage, made: Step
) -> Answer:
    """Keep a message, do its step, and answer with a receipt in the inbox."""
    now, digest = gateway.now(), hex_sha256(signed.order.body)
    party, actor = signed.actor.party.id, signed.actor.id
    entry = tx.record(
        Entry(
            kind=OF_STEP[made],
            at=now,
            actor=actor,
            order=signed.order.digest,
            subject=message.rfa,
            recipient=party,
            content={"message": message.id, "digest": digest},
        )
    )
    state = rfas.step(
        tx.conn,
        message.rfa,
        made,
        actor=actor,
        entry=entry,
        order=signed.order.digest,
        at=now,
    )
    rfas.keep_message(
        tx.conn, message.id, message.rfa, message.about.value, actor, signed.order.body, now
    )
    tell(gateway, tx, party, Told.RFA_RECEIVED, now, rfa=message.rfa, in_reply_to=message.id)
    return {"rfa": message.rfa, "state": outside(state), "message": message.id, "entry": entry}


def listed(gateway: Gateway, signed: Signed) -> Answer:
    """Return the authority's own RFAs."""
    with gateway.engine.connect() as conn:
        every = rfas.listed(conn, signed.actor.party.id)
        found: list[Json] = [_seen(rfa) for rfa in every if told(rfa)]
    return {"rfas": found}


def show(gateway: Gateway, signed: Signed, rfa_id: str) -> Answer:
    """Return one of the authority's own RFAs with its messages. Raises NotFoundError."""
    with gateway.engine.connect() as conn:
        rfa = own(conn, rfa_id, signed.actor.party.id)
        return {**_seen(rfa), "messages": messages_of(conn, rfa_id)}


def _seen(rfa: Rfa) -> dict[str, Json]:
    """Return what an authority may see of its RFA: no admissibility, no review, no officer."""
    return {
        "rfa": rfa.id,
        "state": outside(rfa.state),
        "origin": rfa.origin,
        "number": rfa.number,
        "investigation": rfa.wanted.investigation,
        "due": rfa.due,
        "parent": rfa.parent,
        "at": spell(rfa.at),
    }


def messages_of(conn: Connection, rfa_id: str) -> list[Json]:
    """Return the messages about an RFA, without their content."""
    return [
        {"id": kept.id, "about": kept.about, "digest": kept.digest, "at": spell(kept.at)}
        for kept in rfas.messages(conn, rfa_id)
    ]


def message(gateway: Gateway, signed: Signed, rfa_id: str, name: str) -> bytes:
    """Return one signed message about an RFA, to its authority or to the mechanism."""
    party = signed.actor.party
    if party.kind not in (PartyKind.AUTHORITY, PartyKind.MECHANISM):
        raise ForbiddenError("a source reads no RFAs")
    with gateway.engine.connect() as conn:
        if party.kind is PartyKind.AUTHORITY:
            own(conn, rfa_id, party.id)
        return rfas.message(conn, rfa_id, name).container
