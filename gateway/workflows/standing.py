"""How a share stands: decided again with the sets in force, told to the mechanism, entered in the ledger."""

from datetime import datetime

from sqlalchemy import Connection

from gateway.exchange.acts import (
    MakePackage,
    ReleaseItem,
)
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import plain
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Party
from gateway.exchange.shares import Step
from gateway.kernel.encoding import Json
from gateway.kernel.errors import (
    ForbiddenError,
)
from gateway.policy import Outcome
from gateway.store import shares, uploads
from gateway.store.shares import Share
from gateway.workflows.decide import Ruling, rule
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
)

STEP = {Outcome.PERMIT: Step.PERMIT, Outcome.HOLD: Step.HOLD, Outcome.DENY: Step.DENY}
"""What a decision makes of an open proposal."""


def authority(gateway: Gateway, name: str) -> Party:
    """Return the authority of this id. Raises NotFoundError or ForbiddenError."""
    party = gateway.sets.directory.party(name)
    if party.kind is not PartyKind.AUTHORITY:
        raise ForbiddenError("a share is for an authority")
    return party


def decide_again(
    gateway: Gateway, conn: Connection, share_id: str, now: datetime
) -> tuple[Share, MakePackage, Ruling]:
    """Return a share and its package with a decision made now."""
    share = shares.get(conn, share_id)
    package = shares.package(conn, share.package)
    recipient = authority(gateway, share.recipient)
    ruling = rule(gateway, conn, package, recipient, now, share=share_id, requester=share.proposer)
    return share, package, ruling


def release_items(conn: Connection, package: MakePackage) -> tuple[ReleaseItem, ...]:
    """Return what an order must name: every item by its digests."""
    return tuple(
        ReleaseItem(item.item, item.vault_digest, item.body)
        for item in uploads.deposited(conn, package.items)
    )


def entry_about(
    kind: Kind,
    signed: Signed | None,
    now: datetime,
    share: str,
    package: MakePackage,
    decision: str,
    ruling: Ruling,
) -> Entry:
    """Return the entry that records a decision on a share; without *signed* nobody ordered it."""
    return Entry(
        kind=kind,
        at=now,
        actor=signed.actor.id if signed else None,
        order=signed.order.digest if signed else None,
        subject=share,
        items=package.items,
        decision=decision,
        outcome=ruling.outcome.value,
    )


def answer_about(conn: Connection, share_id: str, ruling: Ruling) -> Answer:
    """Return how a share stands, as the mechanism reads it."""
    share = shares.get(conn, share_id)
    package = shares.package(conn, share.package)
    items: list[Json] = [plain(item) for item in release_items(conn, package)]
    return {
        "share": share.id,
        "recipient": share.recipient,
        "package": share.package,
        "state": share.state.value,
        "outcome": ruling.outcome.value,
        "missing": dict(ruling.lacking),
        "basis": ruling.decision.basis_digest,
        "bases": dict(ruling.decision.bases),
        "items": items,
        "explanation": ruling.explanation,
        "decision": ruling.json(),
    }
