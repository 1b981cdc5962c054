"""The officers' side of an RFA: recorded, registered, assessed, clarified, answered, declined, closed.

What each act does is one small function that returns a `Move`; what is common to all of them, entry,
step and message, is done once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.exchange.acts import (
    AnswerRfa,
    AskRfa,
    AssessRfa,
    CloseRfa,
    ConfirmRfa,
    DeclineRfa,
    ExtendRfa,
    RecordRfa,
    RegisterRfa,
    ReopenRfa,
    StrikeRfa,
    TellRfa,
    act_of,
)
from gateway.exchange.entries import OF_STEP, Entry
from gateway.exchange.messages import About
from gateway.exchange.rfas import Step, advance
from gateway.exchange.shares import RELEASED
from gateway.exchange.withheld_acts import Cause
from gateway.kernel.encoding import Json
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    MalformedError,
    VerificationError,
)
from gateway.store import orders, rfas, shares, uploads
from gateway.store.rfas import Rfa
from gateway.store.writer import Transaction
from gateway.workflows import suspend, withhold
from gateway.workflows.gateway import Answer, Gateway, Signed, perform, read_act
from gateway.workflows.post import tell
from gateway.workflows.request import check_parent, told
from gateway.workflows.standing import authority
from gateway.workflows.withheld import check_settled

PAPER = "paper"
"""The origin of an RFA that two persons entered from paper."""

_RULED = frozenset({Step.ADMIT, Step.REFUSE, Step.DECLINE, Step.REOPEN})
"""The steps after which what answers the RFA is decided again."""

_ENDS = frozenset({Step.ANSWER, Step.DECLINE})
"""The steps after which what was packed and not offered counts as kept back."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a move is made upon."""

    conn: Connection
    gateway: Gateway
    signed: Signed
    rfa: Rfa
    now: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """What an act comes to: what its entry commits to, and what the authority is told."""

    content: Json = None
    outcome: str | None = None
    about: About | None = None
    sealed: str | None = None
    due: str | None = None
    number: str | None = None


def record(gateway: Gateway, signed: Signed) -> Answer:
    """Enter an RFA that came on paper. It counts once a second person has confirmed it."""
    act = read_act(signed)
    if not isinstance(act, RecordRfa):
        raise MalformedError("expected an RFA from paper", field="/act/type")
    authority(gateway, act.authority)
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        (scan,) = uploads.deposited(tx.conn, (act.scan,))
        if act.wanted.parent is not None:
            check_parent(rfas.get(tx.conn, act.wanted.parent, act.authority), act.wanted)
        order, first = signed.order.digest, Step.RECORD
        rfa = rfas.make(tx.conn, act.rfa, act.authority, PAPER, first, order, act.wanted, now)
        content: Json = {"scan": scan.item, "sha256": scan.particulars.sha256}
        at = Occasion(tx.conn, gateway, signed, rfa, now)
        return _make(at, tx, first, Move(content))

    return perform(gateway, signed, work, creates=act.id)


def act_on(gateway: Gateway, signed: Signed, rfa_id: str) -> Answer:
    """Do what an officer orders about an RFA that is there."""
    act = read_act(signed)
    step, move = MOVES.get(type(act), (None, None))
    if isinstance(act, AssessRfa) and not act.met:
        step = Step.REFUSE
    # Each type in the table has these two members.
    subject, step_id = getattr(act, "rfa", None), getattr(act, "id", None)
    if step is None or move is None or subject != rfa_id:
        raise MalformedError("expected an act on this RFA", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        rfa = rfas.get(tx.conn, rfa_id)
        advance(rfa.state, step)  # what its state forbids is said before anything else
        at = Occasion(tx.conn, gateway, signed, rfa, now)
        answer = _make(at, tx, step, move(at, act))
        if step in _ENDS:
            at_all, by = withhold.of_rfa(rfa), signed.actor.id
            entry = str(answer["entry"])
            origin = withhold.Origin(at_all, Cause.NOT_OFFERED, by, entry, signed, now)
            withhold.not_offered(gateway, tx, origin)
        return answer

    answer = perform(gateway, signed, work, creates=step_id)
    if step in _RULED:
        suspend.sweep(gateway, rfa=rfa_id)
    return answer


def _make(at: Occasion, tx: Transaction, step: Step, move: Move) -> Answer:
    """Record a move, do its step, tell the authority."""
    rfa, signed = at.rfa, at.signed
    entry = tx.record(
        Entry(
            kind=OF_STEP[step],
            at=at.now,
            actor=signed.actor.id,
            order=signed.order.digest,
            subject=rfa.id,
            recipient=rfa.authority if move.about else None,
            outcome=move.outcome,
            content=move.content,
        )
    )
    state = rfas.step(
        at.conn,
        rfa.id,
        step,
        actor=signed.actor.id,
        entry=entry,
        order=signed.order.digest,
        at=at.now,
    )
    if move.about is not None:
        _tell(at, tx, move, move.about)
    return {"rfa": rfa.id, "state": state.value, "entry": entry}


def _tell(at: Occasion, tx: Transaction, move: Move, about: About) -> None:
    message, container = tell(
        at.gateway,
        tx,
        at.rfa.authority,
        about,
        at.now,
        rfa=at.rfa.id,
        number=move.number,
        due=move.due,
        outcome=move.outcome,
        content=move.sealed,
    )
    rfas.keep_message(
        at.conn, message.id, at.rfa.id, about.value, at.signed.actor.id, container, at.now
    )


def _confirm(at: Occasion, act: ConfirmRfa) -> Move:
    """Register what one person entered and a second one vouches for."""
    if act.record != at.rfa.request:
        raise VerificationError("the RFA was entered by another order than the one confirmed")
    made = act_of(orders.get(at.conn, at.rfa.request).order.body)
    if not isinstance(made, RecordRfa):
        raise VerificationError("the order that entered the RFA is another one")
    if rfas.events(at.conn, at.rfa.id)[0].actor == at.signed.actor.id:
        raise ForbiddenError("who entered an RFA from paper does not confirm it: another must")
    wanted = made.wanted
    return _registered(at, made.number, wanted.investigation, wanted.purpose, made.due)


def _register(at: Occasion, act: RegisterRfa) -> Move:
    _check_request(at, act.request)
    return _registered(at, act.number, act.investigation, act.purpose, act.due)


def _registered(at: Occasion, number: str, reference: str, purpose: str, due: str) -> Move:
    """Give an RFA its number, investigation and due date; the entry says what public figures count."""
    found = rfas.investigation(at.conn, at.rfa.authority, reference, at.now)
    rfas.register(at.conn, at.rfa.id, number, found, purpose, due)
    party = authority(at.gateway, at.rfa.authority)
    content: Json = {
        "investigation": found,
        "jurisdiction": party.jurisdiction,
        "origin": at.rfa.origin,
        "purpose": purpose,
        "request": at.rfa.request,
    }
    return Move(content, about=About.RFA_REGISTERED, due=due, number=number)


def _strike(_: Occasion, act: StrikeRfa) -> Move:
    return Move({"reason": act.reason})


def _assess(at: Occasion, act: AssessRfa) -> Move:
    """Keep the five checks. Nothing of it is told to the authority."""
    _check_request(at, act.request)
    if act.valid_to < at.now.date().isoformat():
        raise MalformedError("the assessment has lapsed already", field="/act/valid_to")
    rfas.assess(at.conn, act, at.signed.actor.id, at.signed.order.digest, at.now)
    checks: dict[str, Json] = {check.name.value: check.met for check in act.checks}
    content: Json = {"checks": checks, "valid_to": act.valid_to}
    return Move(content, outcome="met" if act.met else "not met")


def _check_request(at: Occasion, request: str) -> None:
    if request != at.rfa.request:
        raise VerificationError("the act cites another request than the RFA was made by")


def _ask(_: Occasion, act: AskRfa) -> Move:
    return Move(about=About.RFA_QUESTION, sealed=act.content)


def _note(_: Occasion, act: TellRfa) -> Move:
    return Move(about=About.RFA_NOTE, sealed=act.content)


def _extend(at: Occasion, act: ExtendRfa) -> Move:
    rfas.set_due(at.conn, at.rfa.id, act.due)
    return Move({"due": act.due}, about=About.RFA_EXTENDED, due=act.due)


def _answer(at: Occasion, act: AnswerRfa) -> Move:
    """Answer. What it names must have been released to this authority, for this RFA."""
    check_settled(at.conn, at.rfa.id)
    released = {s.id for s in shares.in_states(at.conn, RELEASED, rfa=at.rfa.id)}
    missing = set(act.shares) - released
    if missing:
        raise ConflictError(f"{min(missing)} is not released in answer to this RFA")
    if act.outcome == "no_material" and released:
        raise ConflictError("shares were released in answer to this RFA: answer with packages")
    content: Json = {"shares": [*sorted(act.shares)]}
    return Move(content, act.outcome, about=About.RFA_ANSWERED, sealed=act.content)


def _decline(at: Occasion, act: DeclineRfa) -> Move:
    found = rfas.assessed(at.conn, at.rfa.id)
    if found is None or found.met:
        raise ConflictError("record the five checks first: an RFA is declined for one not met")
    return Move(about=About.RFA_DECLINED, sealed=act.content)


def _reopen(at: Occasion, act: ReopenRfa) -> Move:
    if at.rfa.number is None:
        raise ConflictError("the RFA was never registered: the authority sends a new one")
    rfas.set_due(at.conn, at.rfa.id, act.due)
    return Move(about=About.RFA_REOPENED, due=act.due)


def _close(at: Occasion, _: CloseRfa) -> Move:
    check_settled(at.conn, at.rfa.id)
    return Move(about=About.RFA_CLOSED if told(at.rfa) else None)


# An act's own function takes that act; the table's key sees to it that no other comes there.
MOVES: dict[type, tuple[Step, Callable[[Occasion, Any], Move]]] = {
    ConfirmRfa: (Step.CONFIRM, _confirm),
    StrikeRfa: (Step.STRIKE, _strike),
    RegisterRfa: (Step.REGISTER, _register),
    AssessRfa: (Step.ADMIT, _assess),
    AskRfa: (Step.ASK, _ask),
    TellRfa: (Step.TELL, _note),
    ExtendRfa: (Step.EXTEND, _extend),
    AnswerRfa: (Step.ANSWER, _answer),
    DeclineRfa: (Step.DECLINE, _decline),
    ReopenRfa: (Step.REOPEN, _reopen),
    CloseRfa: (Step.CLOSE, _close),
}
