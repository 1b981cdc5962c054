"""Lint: what the core accepts and an author should look at twice, each under a name of its own."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.authoring.accepted import ERRORS, WARNINGS, Accepted, read_accepted
from gateway.authoring.mutants import Mutant
from gateway.authoring.mutate import fails, killed
from gateway.authoring.problems import position
from gateway.authoring.sources import Source, parts_of, sources
from gateway.authoring.words import phrase
from gateway.policy.cases import Case, read_cases
from gateway.policy.conditions import Always, Compare, Condition, Every, Exists, Not, attributes
from gateway.policy.decide import PolicySet
from gateway.policy.load import OBLIGATIONS, VOCABULARY
from gateway.policy.rules import Effect
from gateway.policy.text import read
from gateway.policy.vocabulary import TODAY, Type

PLACEHOLDER = Not(Always())
"""The condition of a rule that is not written yet: `{not: true}` is never true and never unknown."""
_TODO = re.compile(r"\s*((todo|tbd|tbc|fixme|xxx|n/a)\b.*|[-.?…]*)\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: which lint, about what (a rule, attribute or obligation), where, and in words.

    *why* is the reason for which the authors accept it, if they do.
    """

    lint: str
    kind: str
    subject: str
    place: str
    message: str
    why: str | None = None

    @property
    def error(self) -> bool:
        """Tell whether it has to be mended and cannot be accepted."""
        return self.lint in ERRORS


def lint(policy: PolicySet, files: Mapping[str, bytes], on: str) -> list[Finding]:
    """Return all findings about a loaded set as of a date, by file and line; accepted ones with why."""
    found = [*_rules(policy, files, on), *_unused(policy, files)]
    accepted = read_accepted(files)
    why = {(a.lint, a.kind, a.subject): a.why for a in accepted}
    told = [
        Finding(f.lint, f.kind, f.subject, f.place, f.message, why.get((f.lint, f.kind, f.subject)))
        for f in found
    ]
    told += _stale(accepted, found)
    return sorted(set(told), key=lambda f: (*position(f.place), f.lint, f.message))


READ = re.compile(
    r"(vocabulary|obligations|invariants|lint|survivors)\.yaml|(rules|jurisdictions|tests|sources)/.*\.yaml"
)
"""The YAML files of a policy folder that something reads."""


def strays(names: Iterable[str]) -> list[Finding]:
    """Return the YAML files that nothing reads, though their author thinks that they are in force."""
    message = f"{ERRORS['stray-file']}; rules stand in rules/*.yaml, cases in tests/*.yaml"
    strange = sorted(name for name in names if not READ.fullmatch(name))
    return [Finding("stray-file", "file", name, name, message) for name in strange]


def _stale(accepted: Sequence[Accepted], found: Sequence[Finding]) -> Iterator[Finding]:
    occurring = {(f.lint, f.kind, f.subject) for f in found}
    for one in accepted:
        if (one.lint, one.kind, one.subject) not in occurring:
            message = f"{one.lint} does not occur for {one.subject} any more; take the line away"
            yield Finding("stale-acceptance", one.kind, one.subject, one.place, message)


def _rules(policy: PolicySet, files: Mapping[str, bytes], on: str) -> Iterator[Finding]:
    cases = read_cases(policy, files)
    twins: dict[tuple[Effect, Condition], str] = {}
    for source in sources(policy, files):
        for name, place, message in (
            *_filled(source),
            *_texts(policy, source),
            *_conditions(source),
            *_dates(source, on),
            *_tested(policy, source, cases),
            *_twin(source, twins),
        ):
            yield Finding(name, "rule", source.rule.id, place, f"{source.rule.id}: {message}")


_Found = Iterator[tuple[str, str, str]]


def _filled(source: Source) -> _Found:
    rule = source.rule
    if _TODO.fullmatch(rule.title):
        yield "unfilled", source.place("title"), "the title is not written yet"
    if _TODO.fullmatch(rule.basis):
        yield "no-basis", source.place("basis"), ERRORS["no-basis"]
    for node in source.nodes():
        if node.condition == PLACEHOLDER:
            message = "`not: true` holds the place of a condition; the rule never applies"
            yield "unfilled", node.place, message
    if rule.effect is Effect.DENY and "reason" not in source.spec.members():
        yield "no-reason", source.spec.place, WARNINGS["no-reason"]


def _texts(policy: PolicySet, source: Source) -> _Found:
    for node in source.nodes():
        match node.condition:
            case Compare(_, left, str() as word, _) if left.type is Type.TEXT:
                if word in policy.vocabulary.attributes:
                    message = f"{word!r} is a text here; ${word} would be the attribute"
                    yield "missing-dollar", node.place, message
            case _:
                pass


def _conditions(source: Source) -> _Found:
    for node in source.nodes():
        if isinstance(node.condition, Exists):
            path = node.condition.attribute.path
            yield "absence-sensitive", node.place, f"{path}: {WARNINGS['absence-sensitive']}"
        for part, count in Counter(parts_of(node.condition)).items():
            if count > 1:
                word = "all" if isinstance(node.condition, Every) else "any"
                message = f"the same condition stands twice in one `{word}`: {phrase(part)}"
                yield "duplicate-condition", node.place, message
    if source.rule.effect is Effect.PERMIT:
        for attribute in dict.fromkeys(attributes(source.rule.when)):
            if attribute.protected:
                message = f"{attribute.path}: {WARNINGS['protected-permit']}"
                yield "protected-permit", source.place("when"), message


def _dates(source: Source, on: str) -> _Found:
    first, last = source.rule.valid_from, source.rule.valid_to
    if first is not None and last is not None and last < first:
        yield "never-in-force", source.place("valid_to"), ERRORS["never-in-force"]
    elif last is not None and last < on:
        yield "term-over", source.place("valid_to"), f"its last day was {last}"


def _tested(policy: PolicySet, source: Source, cases: Sequence[Case]) -> _Found:
    rule = source.rule
    holding = [case for case in cases if not fails(policy, case)]
    dropped = Mutant("", "", source.spec.place, rule.id, None)
    if killed(policy, dropped, holding):
        return
    spoke = any(
        rule.when.eval({**case.facts, TODAY: case.today}) is True and rule.applies_on(case.today)
        for case in cases
    )
    message = WARNINGS["no-test"] if spoke else "its condition is true in no case"
    yield "no-test", source.spec.place, message


def _twin(source: Source, twins: dict[tuple[Effect, Condition], str]) -> _Found:
    key = (source.rule.effect, source.rule.when)
    if key in twins and source.rule.when != PLACEHOLDER:
        message = f"it has the same effect and condition as {twins[key]}"
        yield "duplicate-condition", source.place("when"), message
    twins.setdefault(key, source.rule.id)


def _unused(policy: PolicySet, files: Mapping[str, bytes]) -> Iterator[Finding]:
    read_ = {a.path for rule in policy.rules for a in attributes(rule.when)} | {TODAY}
    used = {kind for rule in policy.rules for kind in rule.terms}
    paths = read(VOCABULARY, files[VOCABULARY]).members()["attributes"].members()
    kinds = read(OBLIGATIONS, files[OBLIGATIONS]).members()["obligations"].members()
    for path in sorted(set(paths) - read_):
        message = f"{path}: {WARNINGS['unread-attribute']}"
        yield Finding("unread-attribute", "attribute", path, paths[path].place, message)
    for kind in sorted(set(kinds) - used):
        message = f"{kind}: {WARNINGS['unused-obligation']}"
        yield Finding("unused-obligation", "obligation", kind, kinds[kind].place, message)
