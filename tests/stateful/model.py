"""What ought to be: a small model of the mechanism's world, kept beside the gateway and apart from it.

It knows the tables of steps as the documents draw them, who may do what, and reasons for which nothing
may ever leave. Which shares are permitted it does not compute: it takes that from the gateway's answers,
and contradicts them only where a permit would be wrong.
"""

from dataclasses import dataclass, field
from datetime import date

from gateway.exchange.parties import Role
from gateway.kernel.encoding import Json

AUTHORITIES = ("xa", "xa2", "xb", "xd", "xl")
"""Five authorities in four states: two of XA, one whose state retains the death penalty, one of concern."""

ROLES: dict[str, frozenset[Role]] = {
    "sharer": frozenset({Role.SHARER}),
    "releaser": frozenset({Role.SHARER, Role.RELEASER}),
    "legal": frozenset({Role.LEGAL_ADVISER}),
    "victims": frozenset({Role.VICTIMS_UNIT}),
    "auditor": frozenset({Role.COMPLIANCE}),
    "officer": frozenset({Role.RFA_OFFICER}),
    "officer2": frozenset({Role.RFA_OFFICER}),
    "liaison": frozenset({Role.SOURCE_LIAISON}),
    "head": frozenset({Role.HEAD_OF_MECHANISM}),
    "both": frozenset({Role.LEGAL_ADVISER, Role.VICTIMS_UNIT, Role.SHARER}),
}

RFA_STEPS: dict[str, dict[str, str]] = {
    "received": {"register": "registered", "inform": "received", "withdraw": "withdrawn"},
    "recorded": {"confirm": "registered", "strike": "withdrawn"},
    "registered": {
        "admit": "review", "refuse": "registered", "decline": "declined", "inform": "registered",
        "tell": "registered", "extend": "registered", "withdraw": "withdrawn",
    },
    "review": {
        "admit": "review", "refuse": "registered", "ask": "clarification", "answer": "answered",
        "inform": "review", "tell": "review", "extend": "review", "withdraw": "withdrawn",
    },
    "clarification": {
        "reply": "review", "tell": "clarification", "extend": "clarification",
        "admit": "clarification", "refuse": "registered", "answer": "answered",
        "withdraw": "withdrawn",
    },
    "answered": {
        "admit": "answered", "inform": "answered", "tell": "answered", "close": "closed",
        "reopen": "registered",
    },
    "declined": {"close": "closed", "reopen": "registered"},
    "withdrawn": {"close": "closed", "reopen": "registered"},
    "closed": {"reopen": "registered"},
}  # fmt: skip
"""What an RFA allows in each state, and where it leads."""

RECEIPTS = {
    ("available", "pulled"), ("pulled", "verified"), ("verified", "opened"),
    ("verified", "accepted"), ("verified", "rejected"), ("opened", "accepted"),
    ("opened", "rejected"),
}  # fmt: skip
"""Which rung follows on which state."""

PULLABLE = {"available", "pulled", "verified", "opened", "accepted", "rejected"}
OUT = PULLABLE | {"released", "prepared"}
OPEN = {"proposed", "held"}


@dataclass
class Item:
    id: str
    size: int
    facts: dict[str, Json]
    removed: frozenset[str] = frozenset()  # with what its originals had lost before
    marked: frozenset[str] = frozenset()  # for which authorities, with its originals' marks


@dataclass
class Rfa:
    id: str
    of: str
    case: str
    state: str
    by: str
    paper: bool = False
    number: str | None = None
    met: bool | None = None
    valid_to: date = date.min
    closed_as: str | None = None  # where it stood when it was closed

    @property
    def known_outside(self) -> bool:
        return not self.paper or self.number is not None

    def admitted(self, today: date) -> bool:
        """Tell whether all checks are met and still count, and the RFA was not taken back since."""
        stands = self.closed_as if self.state == "closed" else self.state
        current = stands in ("review", "clarification", "answered")
        return bool(self.met) and self.valid_to >= today and current


@dataclass
class Package:
    id: str
    items: list[Item]
    rfa: Rfa | None
    case: str


@dataclass
class Share:
    id: str
    package: Package
    to: str
    proposer: str
    state: str
    releaser: str = ""
    manifest: str = "00" * 32
    ranges: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    cleared: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def visible(self) -> bool:
        return self.state in PULLABLE or (self.state == "recalled" and bool(self.sizes))

    def reached(self, n: int) -> int:
        """Return how far an item was served without a gap."""
        at = 0
        for first, end in sorted(self.ranges.get(n, [])):
            if first > at:
                break
            at = max(at, end)
        return at

    @property
    def served(self) -> bool:
        """Tell whether every byte of every item was handed over."""
        return all(self.reached(n) >= size for n, size in enumerate(self.sizes))


@dataclass
class Attestation:
    id: str
    fact: str
    value: Json
    state: str
    case: str | None
    first: date
    last: date
    ended_by: str = ""

    def counts(self, state: str, case: str, today: date) -> bool:
        said = self.state == state and self.case in (None, case)
        return said and self.first <= today <= self.last and not self.ended_by


@dataclass
class Model:
    """Everything there is, as it ought to be."""

    items: list[Item] = field(default_factory=list)
    rfas: list[Rfa] = field(default_factory=list)
    packages: list[Package] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    attestations: list[Attestation] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)  # authorities whose envelope key is revoked
    gone: set[str] = field(default_factory=set)  # persons whose request key is revoked
    excluded: bool = False  # the policy folder says that XB's trials are not fair
    numbers: int = 0

    def barred(self, package: Package, to: str, today: date) -> str | None:
        """Return a reason for which this package may not go to this authority today, if one is known.

        Complete for what it names, and silent about the rest: what it does not bar may be denied.
        """
        state = to[:2].upper()
        for item in package.items:
            if why := self._item_barred(item, state, today):
                return why
            if item.marked - {to}:
                return "the copy is marked for another authority"
        if state == "XD" and not self._attested("recipient.assurances", state, package, today):
            return "the death penalty is retained, and no assurance is on file"
        if state == "XB" and self.excluded and not self._reviewed(state, package, today):
            return "the trials are not fair"
        rfa = package.rfa
        if rfa is not None and (rfa.of != to or not rfa.admitted(today)):
            return "the RFA is another's, or not admitted"
        return None

    def _item_barred(self, item: Item, state: str, today: date) -> str | None:
        facts = item.facts
        recipients = facts.get("item.consent.recipients")
        named = recipients if isinstance(recipients, list) else []
        if facts.get("item.consent.status") == "refused":
            return "the source refused"
        if facts.get("item.consent.scope") == "named" and state not in named:
            return "the source named others"
        if facts.get("item.witness_protected") is True and "witness_identity" not in item.removed:
            return "a protected witness is shown"
        if facts.get("item.has_embargo") is True:
            until = str(facts.get("item.embargo_until", "9999-12-31"))
            if until >= today.isoformat():
                return "the embargo stands"
        return None

    def _attested(self, fact: str, state: str, package: Package, today: date) -> bool:
        return any(
            one.fact == fact and one.counts(state, package.case, today) for one in self.attestations
        )

    def _reviewed(self, state: str, package: Package, today: date) -> bool:
        """Tell whether a later attestation on fair trial may stand before the policy folder's word."""
        spoke = (
            one.fact == "recipient.fair_trial"
            and one.state == state
            and one.case in (None, package.case)
            for one in self.attestations
        )
        return any(spoke)

    def needs(self, package: Package, to: str) -> int:
        """Return how many different persons must have cleared this package before it leaves."""
        approvals = 2 if any(i.facts.get("item.sgbv") is not False for i in package.items) else 0
        consulted = any(
            i.facts.get("item.consent.status") == "consult_first" for i in package.items
        )
        return max(approvals, int(consulted))
