"""Tests as data: cases beside the rules state facts and the decision they must lead to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError
from gateway.policy.decide import Decision, PolicySet
from gateway.policy.obligations import terms_json
from gateway.policy.rules import Effect
from gateway.policy.text import Value, read
from gateway.policy.vocabulary import TODAY, Fact, Vocabulary, is_date

FOLDER = "tests/"
SHARED = "tests/cases.yaml"
"""Its base is that of every file that has none of its own."""


@dataclass(frozen=True, slots=True)
class Result:
    """A case and what differs from it; nothing when it passes."""

    id: str
    place: str
    differences: tuple[str, ...]


def run(policy: PolicySet, files: Mapping[str, bytes]) -> Iterator[Result]:
    """Run every case of tests/*.yaml. Raises MalformedError for a case that cannot be read."""
    for name in sorted(n for n in files if n.startswith(FOLDER) and n.endswith(".yaml")):
        parts = read(name, files[name]).mapping({"cases"}, frozenset({"base"}))
        base = _facts(parts["base"] if "base" in parts else _shared(files), policy.vocabulary)
        for case in parts["cases"].sequence():
            yield _run(policy, base, case)


def _shared(files: Mapping[str, bytes]) -> Value:
    """Return the base that files share. Raises MalformedError if there is none."""
    if SHARED not in files:
        raise MalformedError(
            f"{SHARED} is missing, and with it the base of the cases", field=SHARED
        )
    return read(SHARED, files[SHARED]).mapping({"base", "cases"})["base"]


def _run(policy: PolicySet, base: Mapping[str, Fact | None], case: Value) -> Result:
    parts = case.mapping({"id", "expect"}, frozenset({"set"}))
    changes = _facts(parts["set"], policy.vocabulary) if "set" in parts else {}
    facts = {k: v for k, v in {**base, **changes}.items() if v is not None}
    today = facts.pop(TODAY, None)
    if not isinstance(today, str) or not is_date(today):
        raise case.fail(f"a case needs {TODAY}")
    decision = policy.decide(facts, today)
    expect = parts["expect"].mapping({"outcome"}, frozenset({"rules", "obligations"}))
    return Result(parts["id"].text(), case.place, tuple(_differences(expect, decision)))


def _differences(expect: Mapping[str, Value], decision: Decision) -> Iterator[str]:
    if expect["outcome"].raw != decision.outcome.value:
        yield f"outcome is {decision.outcome.value}, expected {expect['outcome'].raw}"
    if "rules" in expect:
        named = {f.rule for f in decision.fired if f.effect is Effect.DENY}
        wanted = {rule.text() for rule in expect["rules"].sequence()}
        if named != wanted:
            yield f"denied by {sorted(named)}, expected {sorted(wanted)}"
    if "obligations" in expect:
        actual: Json = terms_json(decision.terms)
        if actual != expect["obligations"].json():
            yield f"obligations are {actual}, expected {expect['obligations'].json()}"


def _facts(value: Value, vocabulary: Vocabulary) -> dict[str, Fact | None]:
    found: dict[str, Fact | None] = {}
    for path, fact in value.members().items():
        attribute = vocabulary.get(Value(path, fact.place))
        found[path] = None if fact.raw is None else attribute.literal(fact)
    return found
