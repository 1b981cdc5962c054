"""Ledger entries: which kinds there are, and what each commits to in which slot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from gateway.exchange.rfas import Step
from gateway.kernel.encoding import Json, digest_of
from gateway.kernel.time import exact
from gateway.ledger import Slot


class Kind(StrEnum):
    """What an entry records."""

    DIRECTORY_ACCEPTED = "directory.accepted"
    POLICY_ACCEPTED = "policy.accepted"
    POLICY_SIGNED_OFF = "policy.signed_off"
    POLICY_REFUSED = "policy.refused"  # of the folder; a refused order is `refused`
    ITEM_DEPOSITED = "item.deposited"
    PACKAGE_MADE = "package.made"
    SHARE_PROPOSED = "share.proposed"
    SHARE_APPROVED = "share.approved"
    SHARE_DECIDED = "share.decided"
    SHARE_RELEASED = "share.released"
    SHARE_PREPARED = "share.prepared"
    SHARE_AVAILABLE = "share.available"
    SHARE_RECALLED = "share.recalled"
    SHARE_CONSULTED = "share.consulted"
    SHARE_SUSPENDED = "share.suspended"
    SHARE_RESUMED = "share.resumed"
    SHARE_EXPIRED = "share.expired"
    SHARE_TERMS_SIGNED = "share.terms_signed"
    ITEM_AMENDED = "item.amended"
    ITEM_DERIVED = "item.derived"
    ITEM_WITHHELD = "item.withheld"
    WITHHELD_REVIEWED = "withheld.reviewed"
    FACT_ATTESTED = "fact.attested"
    FACT_ENDED = "fact.ended"
    RFA_RECEIVED = "rfa.received"
    RFA_RECORDED = "rfa.recorded"
    RFA_REGISTERED = "rfa.registered"
    RFA_STRUCK = "rfa.struck"
    RFA_ASSESSED = "rfa.assessed"
    RFA_ASKED = "rfa.asked"
    RFA_REPLIED = "rfa.replied"
    RFA_INFORMED = "rfa.informed"
    RFA_TOLD = "rfa.told"
    RFA_EXTENDED = "rfa.extended"
    RFA_ANSWERED = "rfa.answered"
    RFA_DECLINED = "rfa.declined"
    RFA_WITHDRAWN = "rfa.withdrawn"
    RFA_REOPENED = "rfa.reopened"
    RFA_CLOSED = "rfa.closed"
    DECLARED_RFA = "declared.rfa"
    DECLARED_SHARE = "declared.share"
    DECLARED_HOLDER = "declared.holder"
    RANGE_AUTHORISED = "range.authorised"
    RANGE_FINISHED = "range.finished"
    RANGE_INTERRUPTED = "range.interrupted"
    RECEIPT = "receipt"
    REFUSED = "refused"
    UNAUTHENTICATED = "unauthenticated"  # one summary a minute
    HEAD_ACCEPTED = "head.accepted"
    KEY_CHALLENGED = "key.challenged"
    KEY_PROVED = "key.proved"
    KEY_CONFIRMED = "key.confirmed"
    SHARE_REWRAPPED = "share.rewrapped"
    HEADER_DELETED = "header.deleted"
    VAULT_REWRAPPED = "vault.rewrapped"


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


SHOWN = frozenset(
    {
        Kind.ITEM_DEPOSITED,
        Kind.SHARE_PROPOSED,
        Kind.SHARE_APPROVED,
        Kind.SHARE_RELEASED,
        Kind.SHARE_RECALLED,
    }
)
"""The entries that are found again by the order they record, to be shown to the keyholder."""

RECIPIENT_SLOTS = frozenset(
    {Slot.KIND, Slot.TIME, Slot.SUBJECT, Slot.RECIPIENT, Slot.OUTCOME, Slot.CONTENT}
)
"""What the recipient of a share may open of its entries: never who acted, on which order or rule."""

OF_STEP: Mapping[Step, Kind] = MappingProxyType(
    {
        Step.RECEIVE: Kind.RFA_RECEIVED,
        Step.RECORD: Kind.RFA_RECORDED,
        Step.CONFIRM: Kind.RFA_REGISTERED,
        Step.STRIKE: Kind.RFA_STRUCK,
        Step.REGISTER: Kind.RFA_REGISTERED,
        Step.ADMIT: Kind.RFA_ASSESSED,
        Step.REFUSE: Kind.RFA_ASSESSED,
        Step.ASK: Kind.RFA_ASKED,
        Step.REPLY: Kind.RFA_REPLIED,
        Step.INFORM: Kind.RFA_INFORMED,
        Step.TELL: Kind.RFA_TOLD,
        Step.EXTEND: Kind.RFA_EXTENDED,
        Step.ANSWER: Kind.RFA_ANSWERED,
        Step.DECLINE: Kind.RFA_DECLINED,
        Step.WITHDRAW: Kind.RFA_WITHDRAWN,
        Step.REOPEN: Kind.RFA_REOPENED,
        Step.CLOSE: Kind.RFA_CLOSED,
    }
)
"""The entry that each step of an RFA makes."""
