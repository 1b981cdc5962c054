"""Who could lawfully receive a package, under which terms, and what is missing for the others.

Also who holds an item already. Only the mechanism asks; no authority learns of another from it.
"""

from datetime import datetime

from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Party
from gateway.exchange.shares import PULLABLE, State
from gateway.kernel.encoding import Json
from gateway.kernel.errors import ForbiddenError
from gateway.kernel.ids import id_from_bytes
from gateway.kernel.time import spell
from gateway.policy import Outcome, in_words, what_is_missing
from gateway.store import declared, shares, uploads
from gateway.store.uploads import Sealed
from gateway.workflows.decide import Ruling, check_suite, rule
from gateway.workflows.gateway import Answer, Gateway, Signed
from gateway.workflows.introduced import usable

_HELD = frozenset(PULLABLE - {State.AVAILABLE})
"""The states in which an authority has bytes, and so holds the item."""
_OVER = frozenset({State.RECALLED, State.EXPIRED})
"""The states in which it may have kept them."""

_NOBODY = id_from_bytes("pty", bytes(16))  # stands for an authority that is not enrolled
_LOOK = 400  # decisions on items tried, for each authority, to find what is missing


def match(gateway: Gateway, signed: Signed, package_id: str, *, items: bool) -> Answer:
    """Decide a package for every authority there is, without proposing it to anyone.

    A jurisdiction on file of which no authority is enrolled is answered for as if one were. The one who
    asks stands in for the proposer. With *items*, also what is decided of each item. Nothing is recorded:
    nothing was ordered.
    """
    now = gateway.now()
    with gateway.engine.connect() as conn:
        package = shares.package(conn, package_id)
        shared = {
            share.recipient: share
            for share in shares.of_package(conn, package_id)
            if share.state not in (State.DENIED, State.EXPIRED)
        }
        sealed = uploads.deposited(conn, package.items)
        found: list[Json] = []
        for party in _recipients(gateway):
            ruling = rule(gateway, conn, package, party, now, requester=signed.actor.id)
            open_share = shared.get(party.id)
            found.append(
                {
                    **_outcome(party, ruling, sealed, _lacking(sealed, usable(conn, party), now)),
                    "share": open_share.id if open_share else None,
                    "state": open_share.state.value if open_share else None,
                    "items": _items(ruling, sealed) if items else None,
                }
            )
    return {"package": package_id, "matches": found}


def _recipients(gateway: Gateway) -> list[Party]:
    """Return every authority, by short name, and a stand-in for each jurisdiction that has none."""
    every = [p for p in gateway.sets.directory.parties if p.kind is PartyKind.AUTHORITY]
    without = set(gateway.sets.register) - {party.jurisdiction for party in every}
    kinds = gateway.sets.policy.kinds.values() if gateway.sets.policy else ()
    able = tuple(sorted(kind.kind for kind in kinds if kind.by_recipient))
    none = (
        Party(_NOBODY, "", f"any authority of {code}", PartyKind.AUTHORITY, (), code, able)
        for code in sorted(without)
    )
    return [*sorted(every, key=lambda party: party.short), *none]


def _lacking(sealed: list[Sealed], party: Party, now: datetime) -> tuple[str, str] | None:
    """Return what an authority lacks before it can receive anything at all, and how to say it."""
    if party.id == _NOBODY:
        return "enrolment", f"an authority of {party.jurisdiction}, enrolled in the directory"
    try:
        check_suite(sealed, party, now)
    except ForbiddenError as error:
        return "key", str(error)
    return None


def _outcome(
    party: Party, ruling: Ruling, sealed: list[Sealed], lacks: tuple[str, str] | None
) -> dict[str, Json]:
    decided = ruling.decision.to_json()
    outcome, explanation = ruling.outcome, ruling.explanation
    missing: dict[str, Json] = dict(ruling.lacking)
    if lacks is not None:
        missing = {**missing, lacks[0]: 1}
        explanation = f"{lacks[1]}\n{explanation}"
    if lacks is not None and lacks[0] == "key":
        outcome = Outcome.DENY
    enrolled = party.id != _NOBODY
    return {
        "authority": party.id if enrolled else None,
        "short": party.short if enrolled else None,
        "jurisdiction": party.jurisdiction,
        "outcome": outcome.value,
        "obligations": decided["obligations"],
        "missing": missing,
        **_ways(ruling, sealed, lacks),
        "reasons": [*ruling.reasons],
        "rules": [fired.rule for fired in ruling.decision.fired],
        "explanation": explanation,
    }


def _ways(ruling: Ruling, sealed: list[Sealed], lacks: tuple[str, str] | None) -> dict[str, Json]:
    """Return in words what would lead to a permit: ways of which each is enough."""
    applied, also = ruling.applied, [lacks[1]] if lacks else []
    if applied.outcome is Outcome.PERMIT:
        return {"ways": [[*also]] if also else [], "ways_complete": True}
    found = what_is_missing(applied, bound=_LOOK)
    names = [item.particulars.name for item in sealed]
    vocabulary = applied.policy.vocabulary
    ways: list[Json] = [[*in_words(vocabulary, way, names), *also] for way in found.ways]
    return {"ways": ways, "ways_complete": found.complete}


def _items(ruling: Ruling, sealed: list[Sealed]) -> Json:
    """Return what the rules alone say of each item."""
    return [
        {"item": item.item, "name": item.particulars.name, "outcome": one.outcome.value}
        for item, one in zip(sealed, ruling.applied.single, strict=True)
    ]


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
