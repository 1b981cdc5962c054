"""Decisions: deny overrides, silence denies, unknown facts never open anything, order never matters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.kernel.encoding import Json, digest_of
from gateway.policy.conditions import Truth, attributes, dates
from gateway.policy.obligations import Join, Obligation, Phase, Term, merge, terms_json
from gateway.policy.rules import Effect, Reason, Rule
from gateway.policy.vocabulary import TODAY, Fact, Facts, Vocabulary, to_json

ENGINE = "1"
"""The version of these semantics, recorded with every decision."""


class Outcome(StrEnum):
    """The three outcomes. There is no fourth, and none of them is falsy."""

    PERMIT = "permit"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that spoke, and whether on a fact or as a precaution (None)."""

    rule: str
    effect: Effect
    truth: Truth


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and everything it can be computed again from, but the facts themselves.

    *facts_digest* leaves the clock out. *basis_digest* covers what a clearance is bound to: the fired
    rules, their obligations and the facts they read. *good_until* is the earliest date, the day of the
    decision included, that any rule or fact compares: from then on it must be decided again.
    """

    outcome: Outcome
    fired: tuple[Fired, ...]
    terms: Mapping[str, Term]
    before: tuple[str, ...]
    reasons: tuple[Reason, ...]
    policy_digest: str
    facts_digest: str
    basis_digest: str
    good_until: str | None

    def to_json(self) -> dict[str, Json]:
        """Return the decision as it is recorded."""
        fired: list[Json] = [
            {"rule": f.rule, "effect": f.effect.value, "established": f.truth is True}
            for f in self.fired
        ]
        return {
            "outcome": self.outcome.value,
            "fired": fired,
            "obligations": terms_json(self.terms),
            "before": [*self.before],
            "reasons": [reason.value for reason in self.reasons],
            "policy": self.policy_digest,
            "facts": self.facts_digest,
            "basis": self.basis_digest,
            "good_until": self.good_until,
            "engine": ENGINE,
        }


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A whole set of rules, loaded and checked. With none, everything is denied."""

    vocabulary: Vocabulary
    kinds: Mapping[str, Obligation]
    rules: tuple[Rule, ...]
    digest: str

    def rule(self, rule_id: str) -> Rule:
        """Return a rule by id."""
        return next(rule for rule in self.rules if rule.id == rule_id)

    def decide(self, facts: Facts, today: str) -> Decision:
        """Decide one item for one authority on a date. Pure: same input, same decision, for ever."""
        seen = {**{k: v for k, v in facts.items() if k != TODAY}, TODAY: today}
        live = [rule for rule in self.rules if rule.applies_on(today)]
        values = [(rule, rule.when.eval(seen)) for rule in live]
        denying = [(r, v) for r, v in values if r.effect is Effect.DENY and v is not False]
        permitting = [(r, v) for r, v in values if r.effect is Effect.PERMIT and v is True]
        requiring = [(r, v) for r, v in values if r.effect is Effect.REQUIRE and v is not False]
        fired = denying or ([*permitting, *requiring] if permitting else [])
        terms: Mapping[str, Term] = {}
        outcome = Outcome.DENY
        if not denying and permitting:
            terms = merge(self.kinds, (rule.terms for rule, _ in fired))
            outcome = self._outcome(terms)
        return self._decision(outcome, fired, terms, seen, today)

    def _outcome(self, terms: Mapping[str, Term]) -> Outcome:
        if _nothing_left(self.kinds, terms):
            return Outcome.DENY
        before = any(self.kinds[kind].phase is Phase.BEFORE for kind in terms)
        return Outcome.HOLD if before else Outcome.PERMIT

    def _decision(
        self,
        outcome: Outcome,
        values: Sequence[tuple[Rule, Truth]],
        terms: Mapping[str, Term],
        seen: Mapping[str, Fact],
        today: str,
    ) -> Decision:
        fired = tuple(sorted((Fired(r.id, r.effect, v) for r, v in values), key=_by_id))
        before = tuple(k for k in terms if self.kinds[k].phase is Phase.BEFORE)
        reasons = sorted({r.reason for r, _ in values}) if outcome is Outcome.DENY else []
        return Decision(
            outcome=outcome,
            fired=fired,
            terms=terms,
            before=before,
            reasons=tuple(reasons),
            policy_digest=self.digest,
            facts_digest=facts_digest(seen),
            basis_digest=_basis(outcome, values, fired, terms, seen),
            good_until=self._good_until(seen, today),
        )

    def _good_until(self, seen: Mapping[str, Fact], today: str) -> str | None:
        """Return the earliest date from today on that any rule or fact is compared with."""
        found: list[str] = []
        for rule in self.rules:
            found += (d for d in (rule.valid_from, rule.valid_to) if d)
            found += dates(rule.when, seen)
        return min((date for date in found if date >= today), default=None)


def _nothing_left(kinds: Mapping[str, Obligation], terms: Mapping[str, Term]) -> bool:
    """Tell whether an intersection, such as the purposes, came out empty: no use would be lawful."""
    return any(terms[kind] == () for kind in terms if kinds[kind].join is Join.INTERSECTION)


def _by_id(fired: Fired) -> str:
    return fired.rule


def facts_digest(facts: Facts) -> str:
    """Return the digest of the facts without the clock."""
    return digest_of(to_json({k: v for k, v in facts.items() if k != TODAY}))


def _basis(
    outcome: Outcome,
    values: Sequence[tuple[Rule, Truth]],
    fired: Sequence[Fired],
    terms: Mapping[str, Term],
    seen: Mapping[str, Fact],
) -> str:
    read = {a.path for rule, _ in values for a in attributes(rule.when)} - {TODAY}
    facts = {path: seen[path] for path in sorted(read) if path in seen}
    rules: list[Json] = [[f.rule, f.effect.value, f.truth] for f in fired]
    return digest_of(
        {
            "outcome": outcome.value,
            "rules": rules,
            "obligations": terms_json(terms),
            "facts": to_json(facts),
        }
    )


_RANK = {Outcome.PERMIT: 0, Outcome.HOLD: 1, Outcome.DENY: 2}


def join(policy: PolicySet, decisions: Sequence[Decision]) -> Decision:
    """Return the decision on a share: its worst item's outcome, and the obligations of them all.

    Raises ValueError for no items: nothing is never permitted.
    """
    if not decisions:
        raise ValueError("a share has items")
    worst = max((d.outcome for d in decisions), key=_RANK.__getitem__)
    terms = {} if worst is Outcome.DENY else merge(policy.kinds, (d.terms for d in decisions))
    if _nothing_left(policy.kinds, terms):
        worst, terms = Outcome.DENY, {}
    fired = {(f.rule, f.truth): f for d in decisions for f in d.fired if _speaks(f, worst)}
    return Decision(
        outcome=worst,
        fired=tuple(fired[key] for key in sorted(fired, key=str)),
        terms=terms,
        before=tuple(k for k in terms if policy.kinds[k].phase is Phase.BEFORE),
        reasons=tuple(sorted({r for d in decisions for r in d.reasons})),
        policy_digest=policy.digest,
        facts_digest=digest_of([d.facts_digest for d in decisions]),
        basis_digest=digest_of([d.basis_digest for d in decisions]),
        good_until=min((d.good_until for d in decisions if d.good_until), default=None),
    )


def _speaks(fired: Fired, worst: Outcome) -> bool:
    return worst is not Outcome.DENY or fired.effect is Effect.DENY
