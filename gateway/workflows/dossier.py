"""An RFA as the mechanism sees it: its whole life, its checks, and what was made to answer it."""

from sqlalchemy import Connection

from gateway.exchange import life
from gateway.exchange.parse import plain
from gateway.exchange.rfas import TRANSITIONS
from gateway.exchange.shares import State as ShareState
from gateway.kernel.encoding import Json
from gateway.kernel.time import spell
from gateway.store import rfas, shares
from gateway.store.rfas import Rfa
from gateway.workflows.gateway import Answer, Gateway
from gateway.workflows.request import messages_of


def listed(gateway: Gateway) -> Answer:
    """Return every RFA in short."""
    with gateway.engine.connect() as conn:
        found: list[Json] = [_short(rfa) for rfa in rfas.listed(conn)]
    return {"rfas": found}


def show(gateway: Gateway, rfa_id: str) -> Answer:
    """Return an RFA with everything known of it, and the steps that are possible now."""
    with gateway.engine.connect() as conn:
        rfa = rfas.get(conn, rfa_id)
        return {
            **_short(rfa),
            "wanted": plain(rfa.wanted),
            "possible": [*life.possible(TRANSITIONS, rfa.state)],
            "life": _life(conn, rfa_id),
            "assessment": _assessment(conn, rfa_id),
            "messages": messages_of(conn, rfa_id),
            "shares": _shares(conn, rfa_id),
        }


def _short(rfa: Rfa) -> dict[str, Json]:
    return {
        "rfa": rfa.id,
        "authority": rfa.authority,
        "origin": rfa.origin,
        "state": rfa.state.value,
        "number": rfa.number,
        "investigation": rfa.investigation,
        "reference": rfa.reference or rfa.wanted.investigation,
        "purpose": rfa.purpose,
        "due": rfa.due,
        "parent": rfa.parent,
        "request": rfa.request,
        "at": spell(rfa.at),
    }


def _life(conn: Connection, rfa_id: str) -> list[Json]:
    return [
        {
            "step": event.step.value,
            "state": event.state.value,
            "actor": event.actor,
            "entry": event.entry,
            "at": spell(event.at),
        }
        for event in rfas.events(conn, rfa_id)
    ]


def _assessment(conn: Connection, rfa_id: str) -> Json:
    found = rfas.assessed(conn, rfa_id)
    if found is None:
        return None
    said: dict[str, Json] = {"checks": found.checks, "met": found.met, "valid_to": found.valid_to}
    return {**said, "actor": found.actor, "at": spell(found.at)}


def _shares(conn: Connection, rfa_id: str) -> list[Json]:
    found = shares.in_states(conn, ShareState, rfa=rfa_id)
    return [{"share": s.id, "package": s.package, "state": s.state.value} for s in found]
