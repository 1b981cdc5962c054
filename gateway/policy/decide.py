"""Decisions: a verdict with everything that it can be computed again from, years later."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.kernel.encoding import Json, digest_of
from gateway.policy.conditions import Truth, attributes, dates
from gateway.policy.judge import Judge, Outcome, Verdict, nothing_left
from gateway.policy.obligations import Obligation, Phase, Term, asked, merge, term_json, terms_json
from gateway.policy.rules import Effect, Reason, Rule
from gateway.policy.vocabulary import TODAY, Fact, Facts, Type, Vocabulary, to_json

ENGINE = "2"
"""The version of these semantics, recorded with every decision."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that spoke, and whether on a fact or as a precaution (None)."""

    rule: str
    effect: Effect
    truth: Truth


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and everything it can be computed again from, but the facts themselves.

    *facts_digest* leaves the clock out. *basis_digest* covers the fired rules, their obligations and
    the facts they read. *bases* says the same of each thing that must be met before release, such as
    `approval:legal_adviser`, and of the rules that ask for it alone: a clearance is bound to it.
    *good_until* is the earliest date, the day of the decision included, that any rule or fact
    compares: from then on it must be decided again.
    """

    outcome: Outcome
    fired: tuple[Fired, ...]
    terms: Mapping[str, Term]
    before: tuple[str, ...]
    reasons: tuple[Reason, ...]
    policy_digest: str
    facts_digest: str
    basis_digest: str
    bases: Mapping[str, str]
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
            "bases": dict(self.bases),
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
    _judge: Judge = field(init=False, repr=False, compare=False)
    _days: frozenset[str] = field(init=False, repr=False, compare=False)
    _dated: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        judge = Judge(self.kinds, self.rules)
        object.__setattr__(self, "_judge", judge)
        days, dated = _days(self.vocabulary, self.rules)
        object.__setattr__(self, "_days", days)
        object.__setattr__(self, "_dated", dated)

    def rule(self, rule_id: str) -> Rule:
        """Return a rule by id."""
        return next(rule for rule in self.rules if rule.id == rule_id)

    def judge(self, facts: Facts, today: str) -> Verdict:
        """Judge one item for one authority on a date: the decision without its digests."""
        return self._judge.one(facts, today)

    def matrix(
        self, items: Sequence[Facts], others: Sequence[Facts], today: str
    ) -> Iterator[list[Verdict]]:
        """Yield for each item the verdicts for all *others*: the same as `judge`, much faster.

        *items* are facts `item.…`; each of *others* the facts of one recipient and occasion.
        """
        return self._judge.rows(items, others, today)

    def decide(self, facts: Facts, today: str) -> Decision:
        """Decide one item for one authority on a date. Pure: same input, same decision, for ever."""
        verdict = self.judge(facts, today)
        seen = {**facts, TODAY: today}
        outcome, values, terms = verdict.outcome, verdict.fired, verdict.terms
        fired = tuple(sorted((Fired(r.id, r.effect, v) for r, v in values), key=_by_id))
        reasons = sorted({r.reason for r, _ in values}) if outcome is Outcome.DENY else []
        return Decision(
            outcome=outcome,
            fired=fired,
            terms=terms,
            before=tuple(k for k in terms if self.kinds[k].phase is Phase.BEFORE),
            reasons=tuple(reasons),
            policy_digest=self.digest,
            facts_digest=facts_digest(seen),
            basis_digest=_basis(outcome, values, terms, seen),
            bases=bases(self.kinds, values, seen),
            good_until=self._good_until(seen, today),
        )

    def _good_until(self, seen: Mapping[str, Fact], today: str) -> str | None:
        """Return the earliest date from today on that any rule or fact is compared with."""
        found = {str(seen[path]) for path in self._dated if path in seen} | self._days
        return min((date for date in found if date >= today), default=None)


def _days(vocabulary: Vocabulary, rules: Iterable[Rule]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the dates that rules name and compare with today, and the facts that they so compare."""
    named = {path: path for path, a in vocabulary.attributes.items() if a.type is Type.DATE}
    compared = {date for rule in rules for date in dates(rule.when, named)}
    terms = {date for rule in rules for date in (rule.valid_from, rule.valid_to) if date}
    return frozenset((compared - set(named)) | terms), frozenset(compared & set(named))


def _name(spoken: tuple[Rule, Truth]) -> str:
    return spoken[0].id


def _by_id(fired: Fired) -> str:
    return fired.rule


def bases(
    kinds: Mapping[str, Obligation], values: Sequence[tuple[Rule, Truth]], seen: Mapping[str, Fact]
) -> dict[str, str]:
    """Return, for each thing due before release, the digest of the rules that ask for it.

    It covers their terms of this kind and the facts they read: whatever else changes leaves it.
    """
    asking: dict[str, list[tuple[Rule, Truth]]] = {}
    for rule, value in values:
        for kind, term in rule.terms.items():
            if kinds[kind].phase is Phase.BEFORE:
                for what in asked(kind, term):
                    asking.setdefault(what, []).append((rule, value))
    return {what: _asked_by(what, rules, seen) for what, rules in sorted(asking.items())}


def _asked_by(what: str, rules: Sequence[tuple[Rule, Truth]], seen: Mapping[str, Fact]) -> str:
    kind, _, word = what.partition(":")
    said: list[Json] = [
        [rule.id, value, _share_of(rule.terms[kind], word), _reads(rule, seen)]
        for rule, value in sorted(rules, key=_name)
    ]
    return digest_of({"asked": what, "rules": said})


def _reads(rule: Rule, seen: Mapping[str, Fact]) -> dict[str, Json]:
    """Return all that a rule reads but the clock; null is what is not recorded."""
    return {**dict.fromkeys(_paths_of([rule])), **_read_by([rule], seen)}


def _share_of(term: Term, word: str) -> Json:
    """Return how many persons a term asks for under *word*; 1 of what has no counts."""
    said = term_json(term)
    return said.get(word) if isinstance(said, dict) else 1


def facts_digest(facts: Facts) -> str:
    """Return the digest of the facts without the clock."""
    return digest_of(to_json({k: v for k, v in facts.items() if k != TODAY}))


def _basis(
    outcome: Outcome,
    values: Sequence[tuple[Rule, Truth]],
    terms: Mapping[str, Term],
    seen: Mapping[str, Fact],
) -> str:
    """Return the digest of all that a decision rests on."""
    said: list[Json] = [[r.id, r.effect.value, v] for r, v in sorted(values, key=_name)]
    return digest_of(
        {
            "outcome": outcome.value,
            "rules": said,
            "obligations": terms_json(terms),
            "facts": _read_by((r for r, _ in values), seen),
        }
    )


def _read_by(rules: Iterable[Rule], seen: Mapping[str, Fact]) -> dict[str, Json]:
    """Return the recorded facts that rules read, without the clock."""
    return to_json({path: seen[path] for path in sorted(_paths_of(rules)) if path in seen})


def _paths_of(rules: Iterable[Rule]) -> set[str]:
    """Return what rules read, without the clock."""
    return {a.path for rule in rules for a in attributes(rule.when)} - {TODAY}


_RANK = {Outcome.PERMIT: 0, Outcome.HOLD: 1, Outcome.DENY: 2}


def join(policy: PolicySet, decisions: Sequence[Decision]) -> Decision:
    """Return the decision on a share: its worst item's outcome, and the obligations of them all.

    Raises ValueError for no items: nothing is never permitted.
    """
    if not decisions:
        raise ValueError("a share has items")
    worst = max((d.outcome for d in decisions), key=_RANK.__getitem__)
    terms = {} if worst is Outcome.DENY else merge(policy.kinds, (d.terms for d in decisions))
    if nothing_left(policy.kinds, terms):
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
        bases={} if worst is Outcome.DENY else _joined_bases(decisions),
        good_until=min((d.good_until for d in decisions if d.good_until), default=None),
    )


def _joined_bases(decisions: Sequence[Decision]) -> dict[str, str]:
    """Return the basis of each thing asked for: which items ask for it, and on which basis."""
    asked = sorted({what for decision in decisions for what in decision.bases})
    return {what: digest_of([d.bases.get(what) for d in decisions]) for what in asked}


def _speaks(fired: Fired, worst: Outcome) -> bool:
    return worst is not Outcome.DENY or fired.effect is Effect.DENY
