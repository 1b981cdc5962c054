"""What the authors looked at and left as it is, with the reason: lint.yaml and survivors.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.policy.text import Value, nearest, read

LINT = "lint.yaml"
SURVIVORS = "survivors.yaml"
SUBJECTS = frozenset({"rule", "attribute", "obligation"})
WARNINGS = {
    "absence-sensitive": "the condition turns on whether a fact is recorded at all (`exists`)",
    "protected-permit": "a permit reads a fact about people's safety",
    "no-test": "no case changes when the rule is dropped",
    "no-reason": "a deny without `reason` tells the recipient `other`",
    "unread-attribute": "no rule reads the attribute",
    "unused-obligation": "no rule asks for the kind of obligation",
    "duplicate-condition": "the same condition stands twice",
    "term-over": "the last day of the rule has passed",
}
"""Findings that may be accepted, and what they mean."""
ERRORS = {
    "unfilled": "a placeholder of `new rule` is left",
    "no-basis": "the rule names no legal basis",
    "missing-dollar": "a text that is the name of an attribute, without `$`",
    "never-in-force": "the rule ends before it begins",
    "stray-file": "nothing reads this file",
    "stale-acceptance": "an accepted finding does not occur any more",
}
"""Findings that may not."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding of the lint that the authors accept: which, on what, and why."""

    lint: str
    kind: str
    subject: str
    why: str
    place: str


@dataclass(frozen=True, slots=True)
class Explained:
    """A mutant that no case tells from the set, and why that is right."""

    mutant: str
    why: str
    place: str


def read_accepted(files: Mapping[str, bytes]) -> list[Accepted]:
    """Read lint.yaml; nothing if there is none. Raises MalformedError."""
    if LINT not in files:
        return []
    specs = read(LINT, files[LINT]).mapping({"accepted"})["accepted"].sequence()
    return [_accepted(spec) for spec in specs]


def _accepted(spec: Value) -> Accepted:
    parts = spec.mapping({"lint", "why"}, SUBJECTS)
    named = sorted(SUBJECTS & set(parts))
    if len(named) != 1:
        raise spec.fail("an accepted finding is about one rule, attribute or obligation")
    lint = parts["lint"].text()
    if lint in ERRORS:
        raise parts["lint"].fail(f"{lint} cannot be accepted; it must be mended")
    if lint not in WARNINGS:
        raise parts["lint"].fail(f"unknown lint {lint!r}{nearest(lint, set(WARNINGS))}")
    return Accepted(lint, named[0], parts[named[0]].text(), _why(parts["why"]), spec.place)


def read_survivors(files: Mapping[str, bytes]) -> list[Explained]:
    """Read survivors.yaml; nothing if there is none. Raises MalformedError."""
    if SURVIVORS not in files:
        return []
    specs = read(SURVIVORS, files[SURVIVORS]).mapping({"survivors"})["survivors"].sequence()
    found = [_explained(spec) for spec in specs]
    names = [one.mutant for one in found]
    for number, one in enumerate(found):
        if one.mutant in names[:number]:
            raise specs[number].fail(f"{one.mutant!r} stands already in this file")
    return found


def _explained(spec: Value) -> Explained:
    parts = spec.mapping({"mutant", "why"})
    return Explained(parts["mutant"].text(), _why(parts["why"]), spec.place)


def _why(value: Value) -> str:
    if not value.text().strip():
        raise value.fail("say why")
    return value.text()
