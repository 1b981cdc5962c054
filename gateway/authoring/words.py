"""Conditions and obligations in words for people, and in short names that stay the same."""

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
from gateway.policy.obligations import Term
from gateway.policy.vocabulary import Fact


def phrase(condition: Condition) -> str:
    """Return a condition in words, by the labels of the vocabulary."""
    match condition:
        case Always():
            return "always"
        case Every(parts):
            return f"all of ({'; '.join(map(phrase, parts))})"
        case Some(parts):
            return f"at least one of ({'; '.join(map(phrase, parts))})"
        case Not(part):
            return f"not ({phrase(part)})"
        case Exists(attribute):
            return f"{attribute.label} is recorded"
        case _:
            right = condition.other.label if condition.other else _said(condition.right)
            return f"{condition.left.label} {OPERATORS[condition.op].words} {right}"


def _said(value: Fact | None) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def short(condition: Condition) -> str:
    """Return a condition on one line without any sign that YAML would mind."""
    match condition:
        case Always():
            return "true"
        case Every(parts):
            return f"all({' '.join(map(short, parts))})"
        case Some(parts):
            return f"any({' '.join(map(short, parts))})"
        case Not(part):
            return f"not({short(part)})"
        case Exists(attribute):
            return f"exists({attribute.path})"
        case _:
            return f"{condition.op}({condition.left.path} {_right(condition)})"


def _right(compare: Compare) -> str:
    if compare.other is not None:
        return f"${compare.other.path}"
    if isinstance(compare.right, frozenset):
        return "|".join(sorted(compare.right)) or "nothing"
    return str(compare.right).lower() if isinstance(compare.right, bool) else str(compare.right)


def short_term(term: Term) -> str:
    """Return the term of an obligation on one line."""
    if isinstance(term, tuple):
        return "|".join(p if isinstance(p, str) else f"{p[0]}*{p[1]}" for p in term) or "nothing"
    return str(term)
