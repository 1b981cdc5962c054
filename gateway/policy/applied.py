"""A share's decision with clearances and circumstances applied: what holds it, and what is unmet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.policy.clearances import Clearance, missing
from gateway.policy.decide import Decision, PolicySet, join
from gateway.policy.enforce import (
    FOREIGN,
    MAX_ITEMS,
    REDACT,
    SUPPORT,
    WATERMARK,
    Circumstances,
    unmet,
)
from gateway.policy.judge import Outcome
from gateway.policy.vocabulary import Fact, Facts

ASSURANCES = "recipient.assurances"
"""The fact that an assurance on file is; the obligation `assurance` asks for a member of it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The decisions on a share's items, theirs joined, and what has been done about it.

    *lacking* is what a hold still wants, *unmet* the obligations that circumstances leave unmet;
    *outcome* counts both. *circumstances* are None where nobody knows them, as for facts given by hand.
    """

    policy: PolicySet
    today: str
    every: tuple[Facts, ...]
    single: tuple[Decision, ...]
    decision: Decision
    clearances: tuple[Clearance, ...]
    requester: str
    circumstances: Circumstances | None
    lacking: Mapping[str, int]
    unmet: Mapping[str, tuple[str, ...]]
    outcome: Outcome


def apply(
    policy: PolicySet,
    every: Sequence[Facts],
    today: str,
    clearances: Sequence[Clearance] = (),
    requester: str = "",
    circumstances: Circumstances | None = None,
) -> Applied:
    """Decide a share's items on a date and apply what is known beside their facts. Pure."""
    single = tuple(policy.decide(facts, today) for facts in every)
    decision = join(policy, single)
    held = decision.outcome is Outcome.HOLD
    lacking = missing(decision, clearances, requester, on_file(every)) if held else {}
    bitten = unmet(policy, single, decision, circumstances) if circumstances else {}
    return Applied(
        policy=policy,
        today=today,
        every=tuple(every),
        single=single,
        decision=decision,
        clearances=tuple(clearances),
        requester=requester,
        circumstances=circumstances,
        lacking=lacking,
        unmet=bitten,
        outcome=_outcome(decision, lacking, bitten),
    )


def on_file(every: Sequence[Facts]) -> frozenset[str]:
    """Return the assurances on file: a fact about the recipient, so the same for every item."""
    found = every[0].get(ASSURANCES, frozenset())
    return found if isinstance(found, frozenset) else frozenset()


def _outcome(
    decision: Decision, lacking: Mapping[str, int], bitten: Mapping[str, tuple[str, ...]]
) -> Outcome:
    if bitten:
        return Outcome.DENY
    held = decision.outcome is Outcome.HOLD
    return Outcome.PERMIT if held and not lacking else decision.outcome


def as_recorded(
    policy: PolicySet, recorded: Mapping[str, Sequence[str]], items: int
) -> Circumstances:
    """Return circumstances that leave unmet what a decision records as unmet, and nothing else."""
    kinds = policy.kinds
    redact = frozenset(kinds[REDACT].values) if REDACT in kinds else frozenset[str]()
    marks = kinds[WATERMARK].values if WATERMARK in kinds else ()
    strictest = marks[-1] if marks and WATERMARK not in recorded else "none"
    given = int(recorded[MAX_ITEMS][0].partition(" ")[0]) if MAX_ITEMS in recorded else 0
    return Circumstances(
        supports=frozenset(kinds) - set(recorded.get(SUPPORT, ())),
        removed=(redact - set(recorded.get(REDACT, ())),) * items,
        marked=(strictest,) * items,
        foreign=(FOREIGN in recorded.get(WATERMARK, ()),) * items,
        given=given,
    )


def facts_of(every: Sequence[Mapping[str, object]]) -> tuple[dict[str, Fact], ...]:
    """Return facts as they were before they were recorded as JSON; what spells none is left out."""
    return tuple(
        {path: fact for path, value in facts.items() if (fact := _fact(value)) is not None}
        for facts in every
    )


def _fact(value: object) -> Fact | None:
    if isinstance(value, list):
        return frozenset(str(word) for word in value)
    return value if isinstance(value, bool | int | str) else None
