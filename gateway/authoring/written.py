"""What is written differently in two sets: rules, facts and kinds of obligations, by their names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gateway.kernel.encoding import Json
from gateway.policy.conditions import Always, Condition, Every, Exists, Not, Some
from gateway.policy.decide import PolicySet
from gateway.policy.obligations import Obligation, terms_json
from gateway.policy.rules import Rule
from gateway.policy.vocabulary import Attribute

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changes:
    """Names that were added and removed, and of those that stayed, which parts changed."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]

    def to_json(self) -> dict[str, Json]:
        """Return the changes as JSON."""
        return {
            "added": [*self.added],
            "removed": [*self.removed],
            "changed": {name: [*parts] for name, parts in self.changed.items()},
        }

    def words(self) -> list[str]:
        """Return a line for each change."""
        changed = [f"changed {name}: {', '.join(parts)}" for name, parts in self.changed.items()]
        return [
            *(f"added {n}" for n in self.added),
            *(f"removed {n}" for n in self.removed),
            *changed,
        ]


@dataclass(frozen=True, slots=True)
class Written:
    """What is written differently in two sets."""

    rules: Changes
    facts: Changes
    obligations: Changes

    def to_json(self) -> dict[str, Json]:
        """Return the changes as JSON."""
        return {
            "rules": self.rules.to_json(),
            "facts": self.facts.to_json(),
            "obligations": self.obligations.to_json(),
        }


def written_changes(old: PolicySet, new: PolicySet) -> Written:
    """Compare what is written in two sets."""
    was, now = ({rule.id: rule for rule in policy.rules} for policy in (old, new))
    return Written(
        rules=_changes(was, now, _rule),
        facts=_changes(old.vocabulary.attributes, new.vocabulary.attributes, _attribute),
        obligations=_changes(old.kinds, new.kinds, _kind),
    )


def _changes(
    old: Mapping[str, T], new: Mapping[str, T], parts: Callable[[T], dict[str, Json]]
) -> Changes:
    changed = {}
    for name in sorted(set(old) & set(new)):
        was, now = parts(old[name]), parts(new[name])
        differing = tuple(part for part in was if was[part] != now[part])
        if differing:
            changed[name] = differing
    return Changes(tuple(sorted(set(new) - set(old))), tuple(sorted(set(old) - set(new))), changed)


def _rule(rule: Rule) -> dict[str, Json]:
    return {
        "effect": rule.effect.value,
        "when": spelt(rule.when),
        "obligations": terms_json(rule.terms),
        "valid_from": rule.valid_from,
        "valid_to": rule.valid_to,
        "reason": rule.reason.value,
        "title": rule.title,
        "basis": rule.basis,
    }


def _attribute(a: Attribute) -> dict[str, Json]:
    return {
        "type": a.type.value,
        "values": [*sorted(a.values)],
        "min": a.low,
        "max": a.high,
        "label": a.label,
        "optional": a.optional,
        "derived": a.derived,
        "protected": a.protected,
        "obtain": a.obtain,
    }


def _kind(kind: Obligation) -> dict[str, Json]:
    return {
        "join": kind.join.value,
        "phase": kind.phase.value,
        "values": [*kind.values],
        "label": kind.label,
        "by_recipient": kind.by_recipient,
    }


def spelt(condition: Condition) -> Json:
    """Return a condition as it is written in a rule."""
    match condition:
        case Always():
            return True
        case Every(parts):
            return {"all": [spelt(part) for part in parts]}
        case Some(parts):
            return {"any": [spelt(part) for part in parts]}
        case Not(part):
            return {"not": spelt(part)}
        case Exists(attribute):
            return {"exists": attribute.path}
        case _:
            right: Json
            if condition.other is not None:
                right = f"${condition.other.path}"
            elif isinstance(condition.right, frozenset):
                right = [*sorted(condition.right)]
            else:
                right = condition.right
            return {condition.op: [condition.left.path, right]}
