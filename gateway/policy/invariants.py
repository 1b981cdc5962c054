"""Invariants: what no set of rules may ever do, said in the language of the rules, beside them.

A rule says what is decided; an invariant says what must hold of every decision, whatever the rules
become. It is proved for all facts by the authors' tools, and checked on one decision's facts here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.kernel.errors import MalformedError
from gateway.policy.conditions import Condition, read_condition
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Outcome, Verdict
from gateway.policy.obligations import Obligation, Terms
from gateway.policy.rules import ID, read_terms
from gateway.policy.text import Value, nearest, read
from gateway.policy.vocabulary import TODAY, Facts

FILE = "invariants.yaml"
_NEVER = {
    "permit": frozenset({Outcome.PERMIT}),
    "permit_or_hold": frozenset({Outcome.PERMIT, Outcome.HOLD}),
}


@dataclass(frozen=True, slots=True)
class Invariant:
    """One invariant. Where *when* is true or cannot be established, no outcome is among *never*,
    and an outcome other than deny carries obligations at least as strict as *terms*.
    """

    id: str
    title: str
    basis: str
    when: Condition
    never: frozenset[Outcome]
    terms: Terms
    place: str

    def concerns(self, facts: Facts) -> bool:
        """Tell whether it speaks of these facts, today among them: a missing one is no way out."""
        return self.when.eval(facts) is not False

    def broken_by(self, verdict: Verdict, kinds: Mapping[str, Obligation]) -> bool:
        """Tell whether a verdict on facts that it concerns is one that may not be."""
        if verdict.outcome is Outcome.DENY:
            return False
        return verdict.outcome in self.never or not _at_least(kinds, verdict.terms, self.terms)


def load_invariants(files: Mapping[str, bytes], policy: PolicySet) -> tuple[Invariant, ...]:
    """Read invariants.yaml; none if there is no such file. Raises MalformedError with file and line."""
    if FILE not in files:
        return ()
    listed = read(FILE, files[FILE]).mapping({"invariants"})["invariants"].sequence()
    found = tuple(_invariant(spec, policy) for spec in listed)
    seen: dict[str, str] = {}
    for one in found:
        if one.id in seen:
            message = f"{one.place}: invariant {one.id} stands already at {seen[one.id]}"
            raise MalformedError(message, field=one.place)
        seen[one.id] = one.place
    return found


def violated(
    policy: PolicySet, invariants: Sequence[Invariant], facts: Facts, today: str
) -> list[str]:
    """Return the ids of the invariants that the set breaks on these facts, in their order."""
    verdict = policy.judge(facts, today)
    seen = {**facts, TODAY: today}
    return [i.id for i in invariants if i.concerns(seen) and i.broken_by(verdict, policy.kinds)]


def _at_least(kinds: Mapping[str, Obligation], actual: Terms, asked: Terms) -> bool:
    """Tell whether *actual* terms are as strict as those *asked*: to join these adds nothing."""
    return all(
        kind in actual and kinds[kind].join_terms(actual[kind], term) == actual[kind]
        for kind, term in asked.items()
    )


def _invariant(spec: Value, policy: PolicySet) -> Invariant:
    ours = {"id", "title", "basis"}
    forbids = "never" in spec.members()
    parts = spec.mapping(ours | ({"never", "when"} if forbids else {"whenever", "obligations"}))
    if not ID.fullmatch(parts["id"].text()):
        raise parts["id"].fail("an id is lower-case words joined by dots")
    terms = {} if forbids else read_terms(parts["obligations"], policy.kinds)
    if not forbids and not terms:
        raise parts["obligations"].fail("an invariant that asks for obligations names at least one")
    return Invariant(
        id=parts["id"].text(),
        title=parts["title"].text(),
        basis=parts["basis"].text(),
        when=read_condition(parts["when" if forbids else "whenever"], policy.vocabulary),
        never=_outcomes(parts["never"]) if forbids else frozenset(),
        terms=terms,
        place=spec.place,
    )


def _outcomes(value: Value) -> frozenset[Outcome]:
    if value.text() not in _NEVER:
        raise value.fail(f"never is permit or permit_or_hold{nearest(value.text(), set(_NEVER))}")
    return _NEVER[value.text()]
