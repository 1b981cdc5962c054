"""Suspension and expiry: open shares decided again when something changed, and what that led to recorded.

A pull is decided anew in any case, so nothing leaves between a change and this; here the consequence
becomes visible: which shares are suspended, since when and why, and that they returned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.exchange.entries import Entry, Kind
from gateway.exchange.messages import About
from gateway.exchange.parties import Status
from gateway.exchange.shares import PULLABLE, RELEASED, State, Step
from gateway.kernel.encoding import Json
from gateway.kernel.errors import GatewayError, NotFoundError
from gateway.kernel.time import spell
from gateway.policy import Outcome, stricter
from gateway.store import shares, suspensions
from gateway.store.shares import Share
from gateway.store.writer import Transaction
from gateway.workflows import withhold
from gateway.workflows.decide import Ruling
from gateway.workflows.gateway import Answer, Gateway
from gateway.workflows.post import tell
from gateway.workflows.standing import STEP, decide_again, entry_about
from gateway.workflows.terms import Given, given

_OPEN = frozenset({State.PROPOSED, State.HELD})


@dataclass(slots=True)
class Swept:
    """What a sweep found, as numbers of shares."""

    suspended: int = 0
    resumed: int = 0
    redecided: int = 0
    expired: int = 0


def sweep(
    gateway: Gateway,
    *,
    share: str | None = None,
    item: str | None = None,
    rfa: str | None = None,
    jurisdiction: str | None = None,
    dated: bool = False,
) -> Swept:
    """Decide open and released shares again: all, those that a change concerns, or, if *dated*, those
    whose decision time alone may have changed.

    Without a policy set in force there is nothing to record: no pull is permitted then at all.
    """
    done = Swept()
    if gateway.quarantine is not None or gateway.sets.policy is None:
        return done
    concerned = None
    if jurisdiction is not None:
        every = gateway.sets.directory.parties
        concerned = [party.id for party in every if party.jurisdiction == jurisdiction]
    number, today = gateway.dates.begin(), gateway.now().date().isoformat()
    with gateway.engine.connect() as conn:
        found = shares.in_states(conn, RELEASED | _OPEN, item=item, rfa=rfa, recipients=concerned)
        if share is not None:
            found = [one for one in found if one.id == share]
        if dated:
            found = [share for share in found if not gateway.dates.stands(share.id, today)]
        stopped = suspensions.current(conn)
        changed = [
            s for s in found if _changes(gateway, conn, s, number, suspended=s.id in stopped)
        ]
    for one in changed:
        work = _redecide if one.state in _OPEN else _stop_or_go
        gateway.writer.run(_job(gateway, one.id, done, work))
    return done


def blocked(
    gateway: Gateway, conn: Connection, share: Share, ruling: Ruling, told: Given
) -> dict[str, Json]:
    """Return why a share released under the terms *told* may not be pulled now, for the mechanism.

    Empty if it may.
    """
    policy = gateway.sets.policy
    if ruling.outcome is not Outcome.PERMIT or policy is None:
        reasons: list[Json] = [*ruling.reasons]
        rules: list[Json] = [fired.rule for fired in ruling.decision.fired]
        return {
            "cause": "decision",
            "outcome": ruling.outcome.value,
            "missing": dict(ruling.lacking),
            "unmet": {kind: [*what] for kind, what in ruling.unmet.items()},
            "reasons": reasons,
            "rules": rules,
            "explanation": ruling.explanation,
        }
    more = stricter(policy, told.terms, ruling.decision)
    if more:
        return {"cause": "terms", "kinds": [*more]}
    gone = _revoked(gateway, shares.keys_of(conn, share.id), share.recipient)
    return {"cause": "key", "keys": [*gone]} if gone else {}


def _revoked(gateway: Gateway, kids: set[str], recipient: str) -> list[str]:
    """Return those keys that a share was wrapped to and that are revoked, or not in the directory."""
    try:
        party = gateway.sets.directory.party(recipient)
    except NotFoundError:
        return sorted(kids)
    keys = (key for member in party.members for key in member.keys)
    good = {key.kid for key in keys if key.status is not Status.REVOKED}
    return sorted(kids - good)


def _changes(
    gateway: Gateway, conn: Connection, share: Share, sweep: int, *, suspended: bool
) -> bool:
    """Tell whether a decision made now would change how a share stands, and keep until when it would not."""
    now = gateway.now()
    told = given(conn, share) if share.state in RELEASED else None
    if told is not None and share.state in PULLABLE and told.ended(now):
        return True
    try:
        _, _, ruling = decide_again(gateway, conn, share.id, now)
    except GatewayError:  # its recipient left the directory: nobody of it can pull either
        return not suspended and share.state in RELEASED
    ends = told.expires if told is not None else None
    until = min(filter(None, (ruling.good_until, ends)), default=None)
    gateway.dates.note(share.id, sweep, until)
    if told is None:
        return STEP[ruling.outcome] is not _STANDS[share.state]
    return bool(blocked(gateway, conn, share, ruling, told)) is not suspended


_STANDS = {State.PROPOSED: Step.PERMIT, State.HELD: Step.HOLD}
_Work = Callable[[Gateway, Transaction, Share, Swept, datetime], None]


def _job(gateway: Gateway, share: str, done: Swept, work: _Work) -> Callable[[Transaction], None]:
    def job(tx: Transaction) -> None:
        work(gateway, tx, shares.get(tx.conn, share), done, gateway.now())

    return job


def _redecide(gateway: Gateway, tx: Transaction, share: Share, done: Swept, now: datetime) -> None:
    """Let an open proposal follow its decision: held, permitted or denied."""
    if share.state not in _OPEN:
        return
    _, package, ruling = decide_again(gateway, tx.conn, share.id, now)
    made = STEP[ruling.outcome]
    if made is _STANDS[share.state]:
        return
    digest = shares.keep_decision(tx.conn, share.id, "change", ruling.json(), [*ruling.facts], now)
    entry = tx.record(entry_about(Kind.SHARE_DECIDED, None, now, share.id, package, digest, ruling))
    shares.step(tx.conn, share.id, made, actor=None, entry=entry, order=None, at=now)
    withhold.denied(gateway, tx, share, package, ruling, entry, None, now)
    done.redecided += 1


def _stop_or_go(
    gateway: Gateway, tx: Transaction, share: Share, done: Swept, now: datetime
) -> None:
    """Record that a released share is suspended, that it returned, or that its term has ended."""
    if share.state not in RELEASED:
        return
    if share.state in PULLABLE and given(tx.conn, share).ended(now):
        _end(gateway, tx, share, done, now)
        return
    why, decision = _standing(gateway, tx, share, now)
    suspended = share.id in suspensions.current(tx.conn, share.id)
    if bool(why) is suspended:
        return
    entry = tx.record(
        Entry(
            kind=Kind.SHARE_SUSPENDED if why else Kind.SHARE_RESUMED,
            at=now,
            subject=share.id,
            decision=decision,
            outcome=str(why["cause"]) if why else None,
        )
    )
    suspensions.keep(tx.conn, share.id, why, entry, now, suspended=bool(why))
    done.suspended += bool(why)
    done.resumed += not why


def _standing(
    gateway: Gateway, tx: Transaction, share: Share, now: datetime
) -> tuple[dict[str, Json], str | None]:
    """Return why a share is stopped, if it is, and the digest of the decision, which is kept."""
    try:
        _, _, ruling = decide_again(gateway, tx.conn, share.id, now)
    except GatewayError as error:
        return {"cause": "recipient", "explanation": str(error)}, None
    why = blocked(gateway, tx.conn, share, ruling, given(tx.conn, share))
    digest = shares.keep_decision(tx.conn, share.id, "change", ruling.json(), [*ruling.facts], now)
    return why, digest


def expire(gateway: Gateway) -> Swept:
    """Let proposals expire that nobody released in time; they can be proposed again."""
    done = Swept()
    if gateway.quarantine is not None:
        return done
    before = gateway.now() - timedelta(days=gateway.proposal_days)
    with gateway.engine.connect() as conn:
        found = [share for share in shares.in_states(conn, _OPEN) if share.at < before]
    for share in found:
        gateway.writer.run(_job(gateway, share.id, done, _expire))
    return done


def _expire(_: Gateway, tx: Transaction, share: Share, done: Swept, now: datetime) -> None:
    if share.state not in _OPEN:
        return
    entry = tx.record(Entry(kind=Kind.SHARE_EXPIRED, at=now, subject=share.id))
    shares.step(tx.conn, share.id, Step.EXPIRE, actor=None, entry=entry, order=None, at=now)
    done.expired += 1


def _end(gateway: Gateway, tx: Transaction, share: Share, done: Swept, now: datetime) -> None:
    """Let a share expire that was served as long as its terms allow, and tell its recipient."""
    entry = tx.record(
        Entry(kind=Kind.SHARE_EXPIRED, at=now, subject=share.id, recipient=share.recipient)
    )
    shares.step(tx.conn, share.id, Step.EXPIRE, actor=None, entry=entry, order=None, at=now)
    tell(gateway, tx, share.recipient, About.SHARE_EXPIRED, now, share=share.id)
    done.expired += 1


def listed(gateway: Gateway) -> Answer:
    """Return the suspended shares, since when and why, for the mechanism."""
    with gateway.engine.connect() as conn:
        stopped = suspensions.current(conn)
        found: list[Json] = []
        for one in stopped.values():
            share = shares.get(conn, one.share)
            if share.state in RELEASED:
                found.append(
                    {
                        "share": share.id,
                        "recipient": share.recipient,
                        "state": share.state.value,
                        "since": spell(one.since),
                        "why": one.why,
                        "entry": one.entry,
                    }
                )
    return {"suspended": found}
