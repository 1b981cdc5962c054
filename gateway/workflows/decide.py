"""The decision on a share: facts put together, every item decided, the worst one rules, clearances last."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from gateway.exchange.acts import MakePackage
from gateway.exchange.derivations import worth
from gateway.exchange.parties import Party
from gateway.exchange.rfas import State as RfaState
from gateway.kernel.encoding import Json
from gateway.kernel.errors import ForbiddenError, NotFoundError, UnavailableError
from gateway.keyholder.judge import envelope_keys
from gateway.policy import (
    WATERMARK,
    Applied,
    Attested,
    Circumstances,
    Decision,
    Fact,
    Outcome,
    PolicySet,
    Sources,
    apply,
    explain,
    reasons_of,
    recipient_facts,
    render_text,
    source_facts,
    to_json,
)
from gateway.store import derivatives, releases, rfas, shares, uploads
from gateway.store import facts as stated
from gateway.store.facts import Attestation
from gateway.store.uploads import Sealed
from gateway.workflows.gateway import Gateway, Sets

_NEVER = "0000-00-00"  # before every day: what the vocabulary does not know counts as ended
_ADMITTED = frozenset({RfaState.REVIEW, RfaState.CLARIFICATION, RfaState.ANSWERED})
"""Where an RFA stands after its checks were met; one taken up again is not there yet."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision with what it was made on.

    *given* is how many items the recipient has for the case with these, *good_until* the last day on
    which the same facts count.
    """

    applied: Applied
    given: int
    good_until: str | None

    @property
    def decision(self) -> Decision:
        """The items' decisions joined, as the rules alone make it."""
        return self.applied.decision

    @property
    def outcome(self) -> Outcome:
        """The outcome with clearances and circumstances applied."""
        return self.applied.outcome

    @property
    def lacking(self) -> Mapping[str, int]:
        """What a hold still wants."""
        return self.applied.lacking

    @property
    def unmet(self) -> Mapping[str, tuple[str, ...]]:
        """Obligations that the circumstances leave unmet, by kind."""
        return self.applied.unmet

    @property
    def facts(self) -> list[dict[str, Json]]:
        """The facts of every item, as they are recorded."""
        return [to_json(facts) for facts in self.applied.every]

    @property
    def explanation(self) -> str:
        """The explanation for the mechanism's people; written when somebody asks."""
        return render_text(explain(self.applied))

    @property
    def reasons(self) -> tuple[str, ...]:
        """The categories of reason that its recipient may be told."""
        return tuple(sorted({*self.decision.reasons, *reasons_of(self.unmet)}))

    def json(self) -> dict[str, Json]:
        """Return the ruling as it is recorded."""
        return {
            **self.decision.to_json(),
            "after_clearances": self.outcome.value,
            "missing": dict(self.lacking),
            "unmet": {kind: [*what] for kind, what in self.unmet.items()},
            "good_until": self.good_until,
        }


def rule(
    gateway: Gateway,
    conn: Connection,
    package: MakePackage,
    recipient: Party,
    now: datetime,
    *,
    share: str | None = None,
    requester: str,
) -> Ruling:
    """Decide a share of *package* for *recipient* now, with the sets in force."""
    sets = gateway.sets
    if sets.policy is None:
        raise UnavailableError("no policy set is in force: everything is denied until one loads")
    today = now.date().isoformat()
    shared, ends = _shared_facts(sets, conn, package, recipient, today)
    count = _given(conn, package, recipient, share)
    shared["context.items_given"] = count
    items = _items(sets.policy, sets.register.sources, conn, package, today)
    every = [{**said, **shared} for said, _ in items]
    ends = min(filter(None, (ends, *(until for _, until in items))), default=None)
    cleared = shares.clearances_of(conn, share) if share else []
    known = _circumstances(sets.policy, conn, package, recipient, count)
    applied = apply(sets.policy, every, today, cleared, requester, known)
    good_until = min(filter(None, (applied.decision.good_until, ends)), default=None)
    return Ruling(applied, count, good_until)


def _given(conn: Connection, package: MakePackage, recipient: Party, share: str | None) -> int:
    """Return how many items the recipient has for the case with these; of a released share, had then."""
    then = releases.given(conn, share) if share is not None else None
    if then is not None:
        return then
    return releases.with_these(conn, recipient.id, package.basis.case, package.items)


def _circumstances(
    policy: PolicySet, conn: Connection, package: MakePackage, recipient: Party, given: int
) -> Circumstances:
    """Return what is known of the share beside its facts."""
    marks = policy.kinds[WATERMARK].values if WATERMARK in policy.kinds else ()
    chains = derivatives.chains(conn, package.items)
    found = [
        worth([one.act for one in chains[item]], recipient.id, marks) for item in package.items
    ]
    return Circumstances(
        supports=frozenset(recipient.supports),
        removed=[one.removed for one in found],
        marked=[one.mark for one in found],
        foreign=[one.foreign for one in found],
        given=given,
    )


def item_facts(conn: Connection, items: tuple[str, ...]) -> list[Mapping[str, Json]]:
    """Return the facts of deposited items as they stand now, in order. Raises NotFoundError."""
    amended = stated.amended(conn, items)
    return [amended.get(item.item, item.facts) for item in uploads.deposited(conn, items)]


def check_suite(items: list[Sealed], recipient: Party, now: datetime) -> None:
    """Check that the recipient has keys for every item's suite.

    One classic header would expose the shared body to whoever stores it until quantum computers come,
    so a post-quantum item never gets one. Raises ForbiddenError.
    """
    for item in items:
        if not envelope_keys(recipient, item.suite, now):
            hint = "; deposit a classic copy" if item.suite == "pq" else ""
            raise ForbiddenError(f"the authority has no {item.suite} key in force{hint}")


def _item_facts(policy: PolicySet, stated_facts: Mapping[str, Json]) -> dict[str, Fact]:
    """Return an item's facts as the rules may read them.

    A fact that the vocabulary in force does not know, or not with this value, is unknown: it counts
    as absent, which never opens anything.
    """
    found: dict[str, Fact] = {}
    for path, value in stated_facts.items():
        fact = _known(policy, path, value)
        if fact is not None and path.startswith("item."):
            found[path] = fact
    return found


def _items(
    policy: PolicySet, sources: Sources, conn: Connection, package: MakePackage, today: str
) -> list[tuple[dict[str, Fact], str | None]]:
    """Return each item's facts with its source's terms in place, and the last day on which these count."""
    changed = stated.amended(conn, package.items)
    found: list[tuple[dict[str, Fact], str | None]] = []
    for item in uploads.deposited(conn, package.items):
        stands = changed.get(item.item, item.facts)
        amended = frozenset(p for p in {*item.facts, *stands} if item.facts.get(p) != stands.get(p))
        said, until = source_facts(sources, _item_facts(policy, stands), today, amended)
        own: dict[str, Fact] = {"item.product": package.product.value, "item.suite": item.suite}
        found.append(({**said, **own}, until))
    return found


def _known(policy: PolicySet, path: str, value: Json) -> Fact | None:
    attribute = policy.vocabulary.attributes.get(path)
    known = frozenset(str(v) for v in value) if isinstance(value, list) else value
    if attribute is None or isinstance(known, dict) or known is None:
        return None
    return known if attribute.valid(known) else None


def _shared_facts(
    sets: Sets, conn: Connection, package: MakePackage, recipient: Party, today: str
) -> tuple[dict[str, Fact], str | None]:
    """Return the facts that are the same for every item, and the last day on which just these count.

    The register's and the attested ones about the recipient, the RFA's, the package's.
    """
    context, admitted_to = _context(conn, package, recipient, today)
    code = recipient.jurisdiction or ""
    later = [
        _attested(sets.policy, found, recipient)
        for found in stated.attested(conn, code)
        if found.authority in (None, recipient.id) and _ever_counted(found)
    ]
    about, changes = recipient_facts(
        sets.register, code, recipient.short, package.basis.case, today, later
    )
    ends = min(filter(None, (changes, admitted_to)), default=None)
    return {**about, **context}, ends


def _ever_counted(found: Attestation) -> bool:
    """Tell whether an attestation was in force on any day; one ended before it began says nothing."""
    return found.ended is None or found.ended >= found.valid_from


def _attested(policy: PolicySet | None, found: Attestation, recipient: Party) -> Attested:
    """Return an attestation as the register states facts; one ended counts to the day before."""
    fact = _known(policy, found.fact, found.value) if policy is not None else None
    valid_to = found.valid_to
    if found.ended is not None:
        before = date.fromisoformat(found.ended) - timedelta(days=1)
        valid_to = min(valid_to, before.isoformat())
    return Attested(
        path=found.fact,
        value="" if fact is None else fact,
        evidence=found.id,
        valid_from=found.valid_from,
        valid_to=_NEVER if fact is None else valid_to,
        case=found.case,
        authority=recipient.short if found.authority is not None else None,
    )


def _context(
    conn: Connection, package: MakePackage, recipient: Party, today: str
) -> tuple[dict[str, Fact], str | None]:
    """Return the facts about the occasion, and the last day on which just these count.

    Of a package that answers an RFA, purpose and case are what an officer attested at registration.
    """
    basis = package.basis
    said: dict[str, Fact] = {"context.mode": basis.mode, "context.case": basis.case}
    if basis.rfa is None:
        return {**said, "context.purpose": basis.purpose}, None
    try:
        rfa = rfas.get(conn, basis.rfa)
    except NotFoundError:
        return said, None
    said["context.rfa.of_recipient"] = rfa.authority == recipient.id
    if rfa.purpose == basis.purpose and rfa.reference == basis.case:
        said["context.purpose"] = basis.purpose
    found = rfas.assessed(conn, rfa.id)
    if found is None or not found.met or rfas.stands(conn, rfa) not in _ADMITTED:
        return {**said, "context.rfa.admitted": False}, None
    if found.valid_to < today:  # lapsed, and so unknown
        return said, None
    return {**said, "context.rfa.admitted": True}, found.valid_to
