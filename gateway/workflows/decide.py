"""The decision on a share: facts put together, every item decided, the worst one rules, clearances last."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.exchange.acts import MakePackage
from gateway.exchange.parties import Party
from gateway.kernel.encoding import Json
from gateway.kernel.errors import ForbiddenError, UnavailableError
from gateway.keyholder.vault import envelope_keys
from gateway.policy import (
    Decision,
    Fact,
    Outcome,
    explain,
    explain_to_recipient,
    join,
    missing,
    recipient_facts,
    to_json,
)
from gateway.store import shares, uploads
from gateway.store.uploads import Sealed
from gateway.workflows.gateway import Gateway, Sets


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision with what it was made on. *outcome* has clearances applied; *lacking* is what a
    hold still wants.
    """

    decision: Decision
    outcome: Outcome
    lacking: dict[str, int]
    facts: list[dict[str, Json]]
    explanation: str

    def json(self) -> dict[str, Json]:
        """Return the ruling as it is recorded."""
        return {
            **self.decision.to_json(),
            "after_clearances": self.outcome.value,
            "missing": dict(self.lacking),
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
    items = uploads.deposited(conn, package.items)
    today = now.date().isoformat()
    every = [_facts(sets, package, item, recipient, today) for item in items]
    single = [sets.policy.decide(facts, today) for facts in every]
    decision = join(sets.policy, single)
    given = shares.clearances_of(conn, share) if share else []
    lacking = missing(decision, given, requester) if decision.outcome is Outcome.HOLD else {}
    cleared = decision.outcome is Outcome.HOLD and not lacking
    worst = next(
        i for i, d in enumerate(single) if d.outcome is decision.outcome or i == len(single) - 1
    )
    return Ruling(
        decision=decision,
        outcome=Outcome.PERMIT if cleared else decision.outcome,
        lacking=lacking,
        facts=[to_json(facts) for facts in every],
        explanation=explain(sets.policy, single[worst], every[worst], today),
    )


def check_suite(items: list[Sealed], recipient: Party, now: datetime) -> None:
    """Check that the recipient has keys for every item's suite.

    One classic header would expose the shared body to whoever stores it until quantum computers come,
    so a post-quantum item never gets one. Raises ForbiddenError.
    """
    for item in items:
        if not envelope_keys(recipient, item.suite, now):
            hint = "; deposit a classic copy" if item.suite == "pq" else ""
            raise ForbiddenError(f"the authority has no {item.suite} key in force{hint}")


def to_recipient(ruling: Ruling) -> Json:
    """Return what the authority may be told of a refusal."""
    return explain_to_recipient(ruling.decision)


def _facts(
    sets: Sets, package: MakePackage, item: Sealed, recipient: Party, today: str
) -> dict[str, Fact]:
    """Put the facts of one item together: the depositor's, the register's, the package's.

    A fact that the vocabulary in force does not know, or not with this value, is unknown: it counts
    as absent, which never opens anything.
    """
    policy = sets.policy
    if policy is None:
        raise UnavailableError("no policy set is in force")
    facts: dict[str, Fact] = {}
    for path, value in item.facts.items():
        attribute = policy.vocabulary.attributes.get(path)
        known = frozenset(str(v) for v in value) if isinstance(value, list) else value
        if attribute is not None and not isinstance(known, dict) and known is not None:
            facts |= {path: known} if attribute.valid(known) and path.startswith("item.") else {}
    case = package.basis.case
    about, _ = recipient_facts(
        sets.register, recipient.jurisdiction or "", recipient.short, case, today
    )
    return {
        **facts,
        "item.product": package.product.value,
        **about,
        "context.mode": package.basis.mode,
        "context.purpose": package.basis.purpose,
        "context.case": case,
    }
