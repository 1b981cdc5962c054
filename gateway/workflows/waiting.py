"""What waits for whom: the approvers' queue, and the state of everything that is open."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.exchange import rfas as rfa_life
from gateway.exchange.acts import RIGHTS, ConfirmRfa, Consult
from gateway.exchange.directory import Actor
from gateway.exchange.rfas import State as RfaState
from gateway.exchange.shares import PULLABLE, State
from gateway.kernel.encoding import Json
from gateway.kernel.errors import NotFoundError, UnavailableError
from gateway.kernel.time import spell
from gateway.store import rfas, shares
from gateway.store.rfas import Rfa
from gateway.store.shares import Share
from gateway.workflows import suspend, withheld
from gateway.workflows.decide import Ruling
from gateway.workflows.gateway import Answer, Gateway, Signed
from gateway.workflows.standing import answer_about, decide_again
from gateway.workflows.terms import given, unsigned

_SLOW_PULL = timedelta(days=7)
_SLOW_RECEIPT = timedelta(days=14)
_SOON = timedelta(days=14)

_WAITS_FOR = {
    RfaState.RECEIVED: "rfa_officer: register",
    RfaState.RECORDED: "a second rfa_officer: confirm",
    RfaState.REGISTERED: "rfa_officer: assess",
    RfaState.REVIEW: "sharer: search; rfa_officer: answer",
    RfaState.CLARIFICATION: "the authority: reply",
}


def approvals(gateway: Gateway, signed: Signed) -> Answer:
    """Return what is held, and of each what the caller could clear: nothing of her own proposals."""
    now = gateway.now()
    found: list[Json] = []
    with gateway.engine.connect() as conn:
        for share in shares.in_states(conn, [State.HELD]):
            ruling = _ruling(gateway, conn, share, now)
            if ruling is None:
                continue
            yours = _clearable(conn, share, ruling, signed.actor)
            told = answer_about(conn, share.id, ruling)
            expires = share.at + timedelta(days=gateway.proposal_days)
            found.append({**told, "yours": [*yours], "expires": spell(expires)})
        confirm: list[Json] = [
            _rfa(rfa, now)
            for rfa in rfas.listed(conn, states=[RfaState.RECORDED])
            if _may_confirm(conn, rfa, signed.actor)
        ]
        review = withheld.reviewable(conn, signed.actor)
    return {"held": found, "confirm": confirm, "review": review}


def _ruling(gateway: Gateway, conn: Connection, share: Share, now: datetime) -> Ruling | None:
    """Decide an open share again; None if its recipient left the directory, so that nobody can clear it."""
    try:
        return decide_again(gateway, conn, share.id, now)[2]
    except NotFoundError:
        return None


def _clearable(conn: Connection, share: Share, ruling: Ruling, actor: Actor) -> list[str]:
    """Return the missing obligations of a share that this person may meet."""
    if not actor.member.is_person or actor.id == share.proposer:
        return []
    given = {
        c.obligation
        for c in shares.clearances_of(conn, share.id)
        if c.person == actor.id and c.basis == ruling.decision.bases.get(c.obligation)
    }
    roles = {f"approval:{role.value}" for role in actor.member.roles}
    if RIGHTS[Consult][0] & set(actor.member.roles):
        roles |= {name for name in ruling.lacking if name.startswith("consultation:")}
    return sorted((roles & set(ruling.lacking)) - given)


def _may_confirm(conn: Connection, rfa: Rfa, actor: Actor) -> bool:
    roles, _ = RIGHTS[ConfirmRfa]
    entered_by = rfas.events(conn, rfa.id)[0].actor
    return bool(roles & set(actor.member.roles)) and entered_by != actor.id


def status(gateway: Gateway) -> Answer:
    """Return everything that is open, with what it waits for, for the mechanism."""
    now = gateway.now()
    with gateway.engine.connect() as conn:
        open_rfas: list[Json] = [_rfa(r, now) for r in rfas.listed(conn, states=rfa_life.OPEN)]
        waiting = shares.in_states(
            conn, [State.HELD, State.PROPOSED, State.AVAILABLE, State.PULLED, State.VERIFIED]
        )
        open_shares: list[Json] = [_share(gateway, conn, share, now) for share in waiting]
        ending = _ending(conn, now)
        kept_back = withheld.waiting(gateway, conn)
    stuck: dict[str, Json] = dict(gateway.stuck)
    return {
        "rfas": open_rfas,
        "shares": open_shares,
        "expiring": ending,
        "suspended": suspend.listed(gateway)["suspended"],
        "withheld": kept_back,
        "stuck": stuck,
        "quarantine": gateway.quarantine,
        "directory_expires": spell(gateway.sets.directory.expires),
    }


def _rfa(rfa: Rfa, now: datetime) -> dict[str, Json]:
    overdue = rfa.due is not None and rfa.due < now.date().isoformat()
    return {
        "rfa": rfa.id,
        "number": rfa.number,
        "authority": rfa.authority,
        "state": rfa.state.value,
        "due": rfa.due,
        "overdue": overdue,
        "request": rfa.request,
        "waits_for": _WAITS_FOR[rfa.state],
    }


def _share(gateway: Gateway, conn: Connection, share: Share, now: datetime) -> dict[str, Json]:
    """Return an open share with whom it waits for, and whether for too long."""
    since = shares.events(conn, share.id)[-1].at
    late = False
    match share.state:
        case State.HELD:
            waits_for = _lacking(gateway, conn, share, now)
        case State.PROPOSED:
            waits_for = "releaser: release"
        case State.AVAILABLE:
            signs = unsigned(conn, share, given(conn, share))
            waits_for = (
                "the authority's officer: sign the terms" if signs else "the authority: pull"
            )
            late = now - since > _SLOW_PULL
        case _:
            waits_for, late = "the authority's officer: accept", now - since > _SLOW_RECEIPT
    return {
        "share": share.id,
        "recipient": share.recipient,
        "state": share.state.value,
        "since": spell(since),
        "late": late,
        "waits_for": waits_for,
    }


def _ending(conn: Connection, now: datetime) -> list[Json]:
    """Return the shares that are served for the last days of their term, those that end first before."""
    soon = (now + _SOON).date().isoformat()
    found: list[tuple[str, Share]] = []
    for share in shares.in_states(conn, PULLABLE):
        ends = given(conn, share).expires
        if ends is not None and ends <= soon:
            found.append((ends, share))
    return [
        {"share": s.id, "recipient": s.recipient, "state": s.state.value, "expires": ends}
        for ends, s in sorted(found, key=lambda pair: pair[0])
    ]


def _lacking(gateway: Gateway, conn: Connection, share: Share, now: datetime) -> str:
    """Return what a held share lacks, or why that cannot be said: the rest of the status still can."""
    try:
        _, _, ruling = decide_again(gateway, conn, share.id, now)
    except (NotFoundError, UnavailableError) as error:
        return str(error)
    return ", ".join(ruling.lacking)
