"""Who could lawfully receive a package, under which terms, and what is missing for the others.

Also who holds an item already. Only the mechanism asks; no authority learns of another from it.
"""

from datetime import datetime

from sqlalchemy import Connection

from gateway.exchange.acts import MakePackage
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Party
from gateway.exchange.shares import PULLABLE, State
from gateway.kernel.encoding import Json
from gateway.kernel.errors import ForbiddenError
from gateway.kernel.time import spell
from gateway.policy import Outcome
from gateway.store import declared, shares, uploads
from gateway.workflows.decide import Ruling, check_suite, rule
from gateway.workflows.gateway import Answer, Gateway, Signed

_HELD = frozenset(PULLABLE - {State.AVAILABLE})
"""The states in which an authority has bytes, and so holds the item."""
_OVER = frozenset({State.RECALLED, State.EXPIRED})
"""The states in which it may have kept them."""


def match(gateway: Gateway, signed: Signed, package_id: str) -> Answer:
    """Decide a package for every authority there is, without proposing it to anyone.

    The one who asks stands in for the proposer. Nothing is recorded: nothing was ordered.
    """
    now = gateway.now()
    with gateway.engine.connect() as conn:
        package = shares.package(conn, package_id)
        every = [p for p in gateway.sets.directory.parties if p.kind is PartyKind.AUTHORITY]
        shared = {
            share.recipient: share
            for share in shares.of_package(conn, package_id)
            if share.state not in (State.DENIED, State.EXPIRED)
        }
        found: list[Json] = []
        for party in sorted(every, key=lambda p: p.short):
            ruling = rule(gateway, conn, package, party, now, requester=signed.actor.id)
            open_share = shared.get(party.id)
            found.append(
                {
                    **_outcome(conn, package, party, ruling, now),
                    "share": open_share.id if open_share else None,
                    "state": open_share.state.value if open_share else None,
                }
            )
    return {"package": package_id, "matches": found}


def _outcome(
    conn: Connection, package: MakePackage, party: Party, ruling: Ruling, now: datetime
) -> dict[str, Json]:
    decided = ruling.decision.to_json()
    outcome, explanation = ruling.outcome, ruling.explanation
    missing: dict[str, Json] = dict(ruling.lacking)
    try:
        check_suite(uploads.deposited(conn, package.items), party, now)
    except ForbiddenError as error:
        outcome, explanation = Outcome.DENY, f"{error}\n{explanation}"
        missing = {"key": 1}
    return {
        "authority": party.id,
        "short": party.short,
        "jurisdiction": party.jurisdiction,
        "outcome": outcome.value,
        "obligations": decided["obligations"],
        "missing": missing,
        "reasons": [*ruling.reasons],
        "rules": [fired.rule for fired in ruling.decision.fired],
        "explanation": explanation,
    }


def holders(gateway: Gateway, item_id: str) -> Answer:
    """Return which authorities hold an item already, for which purposes: by receipt, or as declared."""
    with gateway.engine.connect() as conn:
        (item,) = uploads.deposited(conn, (item_id,))
        found: list[Json] = []
        for share in shares.in_states(conn, _HELD | _OVER, item=item_id):
            reached = [e for e in shares.events(conn, share.id) if e.state in _HELD]
            if reached:
                package = shares.package(conn, share.package)
                found.append(
                    {
                        "authority": share.recipient,
                        "purpose": package.basis.purpose,
                        "since": spell(reached[0].at),
                        "share": share.id,
                        "state": share.state.value,
                        "origin": "signed",
                    }
                )
        for row in declared.listed(conn, kind="holder", sha256=item.particulars.sha256):
            said = {key: row.data[key] for key in ("authority", "purpose", "since")}
            found.append({**said, "share": None, "state": None, "origin": "declared"})
    return {"item": item_id, "holders": found}
