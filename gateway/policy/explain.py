"""Explanations: for the mechanism every rule and fact, for a recipient a category and no more."""

from collections.abc import Iterator

from gateway.kernel.encoding import Json
from gateway.policy.conditions import (
    OPERATORS,
    Always,
    Compare,
    Condition,
    Every,
    Exists,
    Not,
    Some,
)
from gateway.policy.decide import Decision, PolicySet
from gateway.policy.judge import Outcome
from gateway.policy.obligations import term_json
from gateway.policy.vocabulary import TODAY, Facts

_WORD = {True: "met", False: "not met", None: "cannot be established"}


def explain(policy: PolicySet, decision: Decision, facts: Facts, today: str) -> str:
    """Explain a decision to the mechanism's own people: each rule that fired, fact by fact."""
    seen = {**facts, TODAY: today}
    lines = [
        f"{decision.outcome.value.upper()} (policy set {decision.policy_digest[:12]}, {today})"
    ]
    for fired in decision.fired:
        rule = policy.rule(fired.rule)
        lines.append(f"- {rule.id} ({rule.effect.value}): {rule.title}")
        lines.append(f"    basis: {rule.basis}")
        if fired.truth is None:
            lines.append("    a fact is missing; the rule applies as a precaution")
        lines += _condition(rule.when, seen, 2)
    if not decision.fired:
        lines.append("- no rule permits this disclosure; what is not permitted is denied")
    for kind, term in decision.terms.items():
        phase = policy.kinds[kind].phase.value
        lines.append(f"  obligation ({phase} release): {kind} {term_json(term)}")
    return "\n".join(lines)


def explain_to_recipient(decision: Decision) -> Json:
    """Explain a decision to the authority it concerns: outcome and category of reason.

    Never a rule, a fact, a source, another party, or whether somebody was to be asked.
    """
    if decision.outcome is Outcome.PERMIT:
        return {"outcome": "permit", "reasons": []}
    reasons: list[Json] = [reason.value for reason in decision.reasons]
    return {"outcome": "not available", "reasons": reasons or ["other"]}


def _condition(condition: Condition, facts: Facts, depth: int) -> Iterator[str]:
    said = f"{'  ' * depth}[{_WORD[condition.eval(facts)]}]"
    match condition:
        case Always():
            yield f"{said} always"
        case Every(parts) | Some(parts):
            yield f"{said} {'all of' if isinstance(condition, Every) else 'at least one of'}:"
            for part in parts:
                yield from _condition(part, facts, depth + 1)
        case Not(part):
            yield f"{said} not:"
            yield from _condition(part, facts, depth + 1)
        case Exists(attribute):
            yield f"{said} {attribute.label} is recorded"
        case _:
            yield f"{said} {_comparison(condition, facts)}"


def _comparison(compare: Compare, facts: Facts) -> str:
    words = OPERATORS[compare.op].words
    recorded = show(facts.get(compare.left.path))
    right = show(compare.right)
    if compare.other is not None:
        right = f"{compare.other.label} ({show(facts.get(compare.other.path))})"
    return f"{compare.left.label} {words} {right}; recorded: {recorded}"


def show(value: object) -> str:
    """Write a fact for people."""
    if value is None:
        return "nothing"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
