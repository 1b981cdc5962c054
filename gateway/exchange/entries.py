"""Ledger entries: which kinds there are, and what each commits to in which slot."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.kernel.encoding import Json, digest_of
from gateway.kernel.time import exact
from gateway.ledger import Slot


class Kind(StrEnum):
    """What an entry records."""

    DIRECTORY_ACCEPTED = "directory.accepted"
    POLICY_ACCEPTED = "policy.accepted"
    ITEM_DEPOSITED = "item.deposited"
    PACKAGE_MADE = "package.made"
    SHARE_PROPOSED = "share.proposed"
    SHARE_APPROVED = "share.approved"
    SHARE_DECIDED = "share.decided"
    SHARE_RELEASED = "share.released"
    SHARE_PREPARED = "share.prepared"
    SHARE_AVAILABLE = "share.available"
    SHARE_RECALLED = "share.recalled"
    RANGE_AUTHORISED = "range.authorised"
    RANGE_FINISHED = "range.finished"
    RANGE_INTERRUPTED = "range.interrupted"
    RECEIPT = "receipt"
    REFUSED = "refused"
    UNAUTHENTICATED = "unauthenticated"  # one summary a minute
    HEAD_ACCEPTED = "head.accepted"


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened, before it is committed to. Absent members leave their slot random."""

    kind: Kind
    at: datetime
    actor: str | None = None
    order: str | None = None
    subject: str | None = None
    recipient: str | None = None
    items: tuple[str, ...] = ()
    decision: str | None = None
    outcome: str | None = None
    cause: str | None = None
    content: Json = None

    def values(self) -> dict[Slot, Json]:
        """Return the slots this entry fills."""
        found: dict[Slot, Json] = {
            Slot.KIND: self.kind.value,
            Slot.TIME: exact(self.at),
            Slot.ACTOR: self.actor,
            Slot.ORDER: self.order,
            Slot.SUBJECT: self.subject,
            Slot.RECIPIENT: self.recipient,
            Slot.ITEMS: digest_of([*sorted(self.items)]) if self.items else None,
            Slot.DECISION: self.decision,
            Slot.OUTCOME: self.outcome,
            Slot.CAUSE: self.cause,
            Slot.CONTENT: self.content,
        }
        return {slot: value for slot, value in found.items() if value is not None}


RECIPIENT_SLOTS = frozenset(
    {Slot.KIND, Slot.TIME, Slot.SUBJECT, Slot.RECIPIENT, Slot.OUTCOME, Slot.CONTENT}
)
"""What the recipient of a share may open of its entries: never who acted, on which order or rule."""
