"""Explanations for the mechanism's own people: every rule, fact, obligation and clearance, as data.

Items about which the same is to be said are said once. What a recipient may be told is `told`'s matter.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.policy.applied import Applied
from gateway.policy.clearances import Clearance
from gateway.policy.conditions import (
    OPERATORS,
    Always,
    Compare,
    Condition,
    Every,
    Exists,
    Not,
    Some,
    Truth,
)
from gateway.policy.decide import Decision, PolicySet
from gateway.policy.judge import Outcome
from gateway.policy.obligations import Join, Term, merge
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import TODAY, Facts, Type
from gateway.policy.ways import Missing, what_is_missing
from gateway.policy.wording import in_words

MET, NOT_MET, UNKNOWN = "met", "not met", "cannot be established"


@dataclass(frozen=True, slots=True)
class Line:
    """A condition as a line. *says* is all of it in words; of a comparison, also its parts."""

    state: str
    says: str
    parts: "tuple[Line, ...]" = ()
    fact: str | None = None
    label: str | None = None
    operator: str | None = None
    compared: str | None = None
    recorded: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A rule and its condition on these facts. *established* is false of one that spoke as a precaution.

    A rule that is not *in_force* on the day says nothing, whatever its condition.
    """

    rule: str
    effect: Effect
    title: str
    basis: str
    reason: str
    established: bool
    in_force: bool
    condition: Line
    terms: tuple[tuple[str, Term], ...]


@dataclass(frozen=True, slots=True)
class Owed:
    """An obligation as merged, and the term of each rule that asks for it."""

    kind: str
    label: str
    phase: str
    term: Term
    asked_by: tuple[tuple[str, Term], ...]


@dataclass(frozen=True, slots=True)
class About:
    """What is to be said of one item, or of several alike.

    *rules* are those that fired. *silent* are the permits, if none of them spoke. *nothing_left* are
    the obligations, such as purposes, in which no use is left that all rules allow.
    """

    outcome: Outcome
    rules: tuple[Said, ...]
    silent: tuple[Said, ...]
    nothing_left: tuple[str, ...]
    obligations: tuple[Owed, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A clearance that was given. *why_not* says why it does not count; None if it does."""

    person: str
    obligation: str
    why_not: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a decision on a share.

    *rules_say* is the outcome of the rules alone, *outcome* with clearances and circumstances applied.
    *groups* hold the positions of the items, from 0, about which the same is to be said. *missing* is
    None for a permit, and where nobody looked for it; *ways* are its ways in words.
    """

    outcome: Outcome
    rules_say: Outcome
    today: str
    good_until: str | None
    policy: str
    facts: str
    groups: tuple[tuple[tuple[int, ...], About], ...]
    obligations: tuple[Owed, ...]
    nothing_left: tuple[str, ...]
    unmet: tuple[tuple[str, tuple[str, ...]], ...]
    lacking: tuple[tuple[str, int], ...]
    clearances: tuple[Given, ...]
    missing: Missing | None
    ways: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]


def explain(applied: Applied, names: Sequence[str] = (), *, look: int = 0) -> Explanation:
    """Explain a decision; *names* are the items'. With *look*, search what is missing so far."""
    groups: dict[About, list[int]] = {}
    for position, (facts, one) in enumerate(zip(applied.every, applied.single, strict=True)):
        groups.setdefault(_about(applied, facts, one), []).append(position)
    decision = applied.decision
    vocabulary = applied.policy.vocabulary
    named = tuple(names) or tuple(f"item {n + 1}" for n in range(len(applied.every)))
    wanted = look > 0 and applied.outcome is not Outcome.PERMIT
    missing = what_is_missing(applied, bound=look) if wanted else None
    return Explanation(
        outcome=applied.outcome,
        rules_say=decision.outcome,
        today=applied.today,
        good_until=decision.good_until,
        policy=decision.policy_digest,
        facts=decision.facts_digest,
        groups=tuple((tuple(positions), about) for about, positions in groups.items()),
        obligations=_owed(
            applied.policy, decision.terms, (said for about in groups for said in about.rules)
        ),
        nothing_left=_parted(applied),
        unmet=tuple(sorted(applied.unmet.items())),
        lacking=tuple(sorted(applied.lacking.items())),
        clearances=tuple(_given(clearance, applied) for clearance in applied.clearances),
        missing=missing,
        ways=tuple(tuple(in_words(vocabulary, w, named)) for w in missing.ways) if missing else (),
        names=named,
    )


def _about(applied: Applied, facts: Facts, one: Decision) -> About:
    policy, today = applied.policy, applied.today
    seen = {**facts, TODAY: today}
    rules = tuple(_said(policy.rule(f.rule), f.truth, seen, today) for f in one.fired)
    permits = (rule for rule in policy.rules if rule.effect is Effect.PERMIT)
    silent = () if rules else tuple(_said(rule, None, seen, today) for rule in permits)
    return About(
        outcome=one.outcome,
        rules=rules,
        silent=silent,
        nothing_left=_empty(policy, one.terms),
        obligations=_owed(policy, one.terms, rules),
    )


def _parted(applied: Applied) -> tuple[str, ...]:
    """Return in what the items of a share, each permitted by itself, leave no use in common."""
    if any(one.outcome is Outcome.DENY for one in applied.single):
        return ()
    merged = merge(applied.policy.kinds, (one.terms for one in applied.single))
    return _empty(applied.policy, merged)


def _empty(policy: PolicySet, terms: Mapping[str, Term]) -> tuple[str, ...]:
    kinds = policy.kinds
    return tuple(k for k, t in terms.items() if kinds[k].join is Join.INTERSECTION and t == ())


def _said(rule: Rule, truth: Truth, seen: Facts, today: str) -> Said:
    return Said(
        rule=rule.id,
        effect=rule.effect,
        title=rule.title,
        basis=rule.basis,
        reason=rule.reason.value,
        established=truth is True,
        in_force=rule.applies_on(today),
        condition=line(rule.when, seen),
        terms=tuple(rule.terms.items()),
    )


def _owed(policy: PolicySet, terms: Mapping[str, Term], rules: Iterable[Said]) -> tuple[Owed, ...]:
    """Return merged obligations with the terms that they were merged from."""
    asking: dict[str, dict[tuple[str, Term], None]] = {}
    for said in rules:
        for kind, term in said.terms:
            asking.setdefault(kind, {})[said.rule, term] = None
    return tuple(
        Owed(k, policy.kinds[k].label, policy.kinds[k].phase.value, term, tuple(asking[k]))
        for k, term in terms.items()
    )


def _given(clearance: Clearance, applied: Applied) -> Given:
    basis = applied.decision.bases.get(clearance.obligation)
    why_not = None
    if clearance.person == applied.requester:
        why_not = "given by the person who proposed the share"
    elif basis is None:
        why_not = "not asked for now"
    elif basis != clearance.basis:
        why_not = "given on another basis: what asks for it has changed"
    return Given(clearance.person, clearance.obligation, why_not)


def line(condition: Condition, facts: Facts) -> Line:
    """Return a condition on facts as a tree of lines."""
    value = condition.eval(facts)
    state = UNKNOWN if value is None else MET if value else NOT_MET
    match condition:
        case Always():
            return Line(state, "always")
        case Every(parts) | Some(parts):
            says = "all of" if isinstance(condition, Every) else "at least one of"
            return Line(state, says, tuple(line(part, facts) for part in parts))
        case Not(part):
            return Line(state, "not", (line(part, facts),))
        case Exists(attribute):
            recorded = show(facts.get(attribute.path))
            says = f"{attribute.label} is recorded"
            return Line(
                state, says, (), attribute.path, attribute.label, "is recorded", None, recorded
            )
        case _:
            return _comparison(condition, state, facts)


def _comparison(compare: Compare, state: str, facts: Facts) -> Line:
    words, label = OPERATORS[compare.op].words, compare.left.label
    recorded, right = show(facts.get(compare.left.path)), show(compare.right)
    if compare.other is not None:
        right = f"{compare.other.label} ({show(facts.get(compare.other.path))})"
    said = f"{label}{_ASKED[words]}" if _flag(compare) else f"{label} {words} "
    says = f"{said}{right}; recorded: {recorded}"
    return Line(state, says, (), compare.left.path, label, words, right, recorded)


_ASKED = {"is": ": ", "is not": ": not "}  # "the RFA is admitted: yes", not "… is admitted is yes"


def _flag(compare: Compare) -> bool:
    """Tell whether it is asked if something is so; only `eq` and `ne` apply to a truth value."""
    return compare.left.type is Type.BOOL and compare.other is None


def failing(condition: Line) -> Iterator[Line]:
    """Yield the lines on which a condition that is not met rests: what would have to be otherwise."""
    if condition.state == MET:
        return
    if condition.parts and condition.says != "not":
        for part in condition.parts:
            yield from failing(part)
    else:
        yield condition


def show(value: object) -> str:
    """Write a fact for people."""
    if value is None:
        return "nothing"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
