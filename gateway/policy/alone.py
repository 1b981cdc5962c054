"""Which items of a share would be denied even alone: those that a denied share keeps back, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.policy.applied import Applied
from gateway.policy.decide import Decision
from gateway.policy.enforce import SUPPORT, Circumstances, reasons_of, unmet
from gateway.policy.judge import Outcome
from gateway.policy.rules import Effect


@dataclass(frozen=True, slots=True)
class Denial:
    """Why one item is denied: the rules that deny it or ask for what is unmet, and categories of reason.

    Without rules, none permits it.
    """

    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    unmet: Mapping[str, tuple[str, ...]]


def denied_alone(applied: Applied) -> dict[int, Denial]:
    """Return the items, by position, that a share of each alone would be denied for. Pure.

    What is denied only together with others, such as too many at once, is not among them: if that is
    so of all of a denied share, see `denied_together`.
    """
    found: dict[int, Denial] = {}
    for n, decision in enumerate(applied.single):
        known = _of_one(applied.circumstances, n) if applied.circumstances else None
        bitten = unmet(applied.policy, (decision,), decision, known) if known else {}
        if decision.outcome is Outcome.DENY or bitten:
            found[n] = _denial(applied, decision, bitten)
    return found


def denied_together(applied: Applied) -> Denial:
    """Return why a share is denied of which no item would be denied alone: it keeps back every one. Pure."""
    return _denial(applied, applied.decision, applied.unmet)


def _of_one(known: Circumstances, n: int) -> Circumstances:
    """Return the circumstances of a share of item *n* alone: fewer items are given with it."""
    return replace(
        known,
        removed=(known.removed[n],),
        marked=(known.marked[n],),
        foreign=(known.foreign[n],),
        given=known.given - len(known.removed) + 1,
    )


def _denial(applied: Applied, decision: Decision, bitten: Mapping[str, tuple[str, ...]]) -> Denial:
    asked = {*bitten, *bitten.get(SUPPORT, ())}
    fired = [
        one.rule
        for one in decision.fired
        if one.effect is Effect.DENY or asked & set(applied.policy.rule(one.rule).terms)
    ]
    reasons = {*decision.reasons, *reasons_of(bitten)}
    return Denial(tuple(fired), tuple(sorted(reasons)), bitten)
