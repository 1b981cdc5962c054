"""Tests as data: cases beside the rules state facts and the decision they must lead to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.kernel.errors import MalformedError
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Outcome, Verdict
from gateway.policy.obligations import Terms, term_json
from gateway.policy.rules import Effect, Reason, read_terms
from gateway.policy.text import Value, nearest, read
from gateway.policy.vocabulary import TODAY, Fact, Facts, Vocabulary, is_date

FOLDER = "tests/"
SHARED = "tests/cases.yaml"
"""Its base is that of every file that has none of its own."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a case must lead to. What it does not name (None) may be anything.

    *rules* are the ones that deny, *terms* exactly the merged obligations, *reasons* the categories
    that the recipient may be told.
    """

    outcome: Outcome
    rules: frozenset[str] | None
    terms: Terms | None
    reasons: frozenset[Reason] | None


@dataclass(frozen=True, slots=True)
class Case:
    """One request: the file's base with some *changes*, on a day, and what must come of it."""

    id: str
    place: str
    facts: Facts
    today: str
    changes: Mapping[str, Fact | None]
    expect: Expectation


@dataclass(frozen=True, slots=True)
class Result:
    """A case and what differs from it; nothing when it passes."""

    id: str
    place: str
    differences: tuple[str, ...]


def is_case_file(name: str) -> bool:
    """Tell whether a file of the policy folder holds cases."""
    return name.startswith(FOLDER) and name.endswith(".yaml")


def run(policy: PolicySet, files: Mapping[str, bytes]) -> Iterator[Result]:
    """Run every case of tests/*.yaml. Raises MalformedError for a case that cannot be read."""
    for case in read_cases(policy, files):
        verdict = policy.judge(case.facts, case.today)
        yield Result(case.id, case.place, tuple(differences(case.expect, verdict)))


def read_cases(policy: PolicySet, files: Mapping[str, bytes]) -> list[Case]:
    """Read every case of tests/*.yaml. Raises MalformedError, also for an id that stands twice."""
    found: dict[str, Case] = {}
    for name in sorted(filter(is_case_file, files)):
        parts = read(name, files[name]).mapping({"cases"}, frozenset({"base"}))
        base = read_facts(base_of(parts, files), policy.vocabulary)
        for spec in parts["cases"].sequence():
            case = read_case(policy, base, spec)
            if case.id in found:
                raise spec.fail(f"case {case.id} stands already at {found[case.id].place}")
            found[case.id] = case
    return list(found.values())


def base_of(parts: Mapping[str, Value], files: Mapping[str, bytes]) -> Value:
    """Return the base of a file of cases: its own, or the one that files share.

    Raises MalformedError if there is neither.
    """
    if "base" in parts:
        return parts["base"]
    if SHARED not in files:
        raise MalformedError(
            f"{SHARED} is missing, and with it the base of the cases", field=SHARED
        )
    return read(SHARED, files[SHARED]).mapping({"base", "cases"})["base"]


def read_case(policy: PolicySet, base: Mapping[str, Fact | None], spec: Value) -> Case:
    """Read one case over the facts of its *base*. Raises MalformedError."""
    parts = spec.mapping({"id", "expect"}, frozenset({"set"}))
    changes = read_facts(parts["set"], policy.vocabulary) if "set" in parts else {}
    facts = {k: v for k, v in {**base, **changes}.items() if v is not None}
    today = facts.pop(TODAY, None)
    if not isinstance(today, str) or not is_date(today):
        raise spec.fail(f"a case needs {TODAY}")
    expect = _expectation(policy, parts["expect"])
    return Case(parts["id"].text(), spec.place, facts, today, changes, expect)


def read_facts(value: Value, vocabulary: Vocabulary) -> dict[str, Fact | None]:
    """Read facts by attribute, None for one that is taken away. Raises MalformedError."""
    found: dict[str, Fact | None] = {}
    for path, fact in value.members().items():
        attribute = vocabulary.get(Value(path, fact.place))
        found[path] = None if fact.raw is None else attribute.literal(fact)
    return found


def _expectation(policy: PolicySet, value: Value) -> Expectation:
    parts = value.mapping({"outcome"}, frozenset({"rules", "obligations", "reasons"}))
    reasons = _words(parts["reasons"], set(Reason), "reason") if "reasons" in parts else None
    return Expectation(
        outcome=Outcome(_word(parts["outcome"], set(Outcome), "outcome")),
        rules=frozenset(r.text() for r in parts["rules"].sequence()) if "rules" in parts else None,
        terms=read_terms(parts["obligations"], policy.kinds) if "obligations" in parts else None,
        reasons=None if reasons is None else frozenset(map(Reason, reasons)),
    )


def _words(value: Value, known: set[str], what: str) -> list[str]:
    return [_word(element, known, what) for element in value.sequence()]


def _word(value: Value, known: set[str], what: str) -> str:
    word = value.text()
    if word not in known:
        raise value.fail(f"unknown {what} {word!r}{nearest(word, known)}")
    return word


def differences(expect: Expectation, verdict: Verdict) -> Iterator[str]:
    """Yield what a verdict has otherwise than expected: outcome, denying rules, obligations, reasons."""
    denied = verdict.outcome is Outcome.DENY
    if verdict.outcome is not expect.outcome:
        yield f"outcome is {verdict.outcome.value}, expected {expect.outcome.value}"
    if expect.rules is not None:
        named = {rule.id for rule, _ in verdict.fired if rule.effect is Effect.DENY}
        yield from _compared("denied by", named, expect.rules)
    if expect.terms is not None:
        yield from _obligations(expect.terms, verdict.terms)
    if expect.reasons is not None:
        told = {rule.reason for rule, _ in verdict.fired} if denied else set()
        yield from _compared("reasons", set(told), set(expect.reasons))


def _compared(what: str, actual: set[str], wanted: set[str] | frozenset[str]) -> Iterator[str]:
    missing = [f"{word} is missing" for word in sorted(wanted - actual)]
    more = [f"{word} is not expected" for word in sorted(actual - wanted)]
    if missing or more:
        yield f"{what}: {'; '.join(missing + more)}"


def _obligations(wanted: Terms, actual: Terms) -> Iterator[str]:
    said = [
        f"{kind} is {_term(actual, kind)}, expected {_term(wanted, kind)}"
        for kind in sorted(set(wanted) | set(actual))
        if wanted.get(kind) != actual.get(kind)
    ]
    if said:
        yield f"obligations: {'; '.join(said)}"


def _term(terms: Terms, kind: str) -> str:
    return str(term_json(terms[kind])) if kind in terms else "none"
