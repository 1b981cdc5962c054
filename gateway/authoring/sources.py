"""Rules beside the text they were read from, so that every condition has its line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.policy.conditions import Condition, Every, Not, Some
from gateway.policy.decide import PolicySet
from gateway.policy.load import is_rule_file
from gateway.policy.rules import Rule
from gateway.policy.text import Value, read

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A rule and the mapping that it was read from."""

    rule: Rule
    spec: Value

    def place(self, key: str) -> str:
        """Return `file:line` of a key, or of the rule if it has no such key."""
        return self.spec.members().get(key, self.spec).place

    def obligation_place(self, kind: str) -> str:
        """Return `file:line` of an obligation."""
        return self.spec.members()["obligations"].members()[kind].place

    def nodes(self) -> "list[Node]":
        """Return every condition of the rule with its place, the whole one first."""
        return list(_nodes(self.rule.when, self.spec.members()["when"], (), None))


@dataclass(frozen=True, slots=True)
class Node:
    """A condition inside a rule: where it stands in the text and in the tree, and what holds it."""

    condition: Condition
    place: str
    path: Path
    parent: Condition | None


def sources(policy: PolicySet, files: Mapping[str, bytes]) -> list[Source]:
    """Return the rules of a loaded set with the text of each; *files* are those it was loaded from."""
    specs = [
        spec
        for name in sorted(filter(is_rule_file, files))
        for spec in read(name, files[name]).members()["rules"].sequence()
    ]
    return [Source(rule, spec) for rule, spec in zip(policy.rules, specs, strict=True)]


def _nodes(
    condition: Condition, value: Value, path: Path, parent: Condition | None
) -> Iterator[Node]:
    yield Node(condition, value.place, path, parent)
    inner = parts_of(condition)
    if inner:
        (operand,) = value.members().values()
        texts = operand.sequence() if isinstance(condition, Every | Some) else [operand]
        for number, (part, text) in enumerate(zip(inner, texts, strict=True)):
            yield from _nodes(part, text, (*path, number), condition)


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions directly inside one; none of a comparison."""
    match condition:
        case Every(parts) | Some(parts):
            return parts
        case Not(part):
            return (part,)
        case _:
            return ()


def put(condition: Condition, path: Path, new: Condition | None) -> Condition:
    """Return a condition with another in the place of the one at *path*; None takes it out.

    What is taken out must stand beside others in an `all` or `any`.
    """
    if not path:
        assert new is not None, "a rule has a condition"
        return new
    if isinstance(condition, Not):
        return Not(put(condition.part, path[1:], new))
    assert isinstance(condition, Every | Some), "a path leads through what has parts"
    parts = list(condition.parts)
    if len(path) == 1 and new is None:
        del parts[path[0]]
    else:
        parts[path[0]] = put(parts[path[0]], path[1:], new)
    return replace(condition, parts=tuple(parts))
