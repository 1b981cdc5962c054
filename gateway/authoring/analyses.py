"""What can be seen of a set of rules without a single case: rules that do nothing, or nothing more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.authoring.model import Model, conditions
from gateway.authoring.solver import Solver
from gateway.authoring.strictness import numbers_of, terms_of
from gateway.authoring.symbolic import Space, Term
from gateway.kernel.encoding import Json
from gateway.policy.conditions import Always
from gateway.policy.decide import PolicySet
from gateway.policy.invariants import Invariant
from gateway.policy.rules import Effect, Rule
from gateway.policy.text import nearest, read

EXPLAINED = "analysis.yaml"


class Kind(StrEnum):
    """What is wrong with a rule."""

    NEVER = "never-applies"
    ALWAYS = "always-applies"
    SHADOWED = "shadowed"
    DEAD = "dead-permit"
    MOOT = "moot-obligation"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, in words. *why* is what its author says of it, if she means it so."""

    kind: Kind
    rule: str
    place: str
    words: str
    why: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the finding as JSON."""
        return {
            "finding": self.kind.value,
            "rule": self.rule,
            "place": self.place,
            "words": self.words,
            "explained": self.why,
        }


def prepare(policy: PolicySet, invariants: Sequence[Invariant]) -> tuple[Model, Solver]:
    """Return a set as z3 sees it. Raises UnavailableError without z3."""
    space = Space([policy.vocabulary], conditions(policy, invariants))
    numbers = numbers_of([*terms_of(policy.rules), *(i.terms for i in invariants)])
    return Model(space, policy, policy.kinds, numbers), Solver(space)


def findings(model: Model, solver: Solver) -> Iterator[Finding]:
    """Yield what is wrong, rule by rule. A rule that never applies is told that alone."""
    for rule in model.policy.rules:
        if not solver.possible(model.met(rule)):
            yield _found(Kind.NEVER, rule, "no facts meet its condition while it is in force")
            continue
        yield from _of_rule(rule, model, solver)


def _of_rule(rule: Rule, model: Model, solver: Solver) -> Iterator[Finding]:
    if _always(rule, model, solver):
        yield _found(Kind.ALWAYS, rule, "it speaks whatever the facts are")
    fires = model.fires[rule.id]
    if rule.effect is Effect.DENY:
        if not solver.possible(fires, model.opposite(model.others(rule))):
            yield _found(Kind.SHADOWED, rule, "whenever it denies, another rule denies as well")
        return
    if rule.effect is Effect.PERMIT and not solver.possible(fires, model.undenied):
        yield _found(Kind.DEAD, rule, "everything it permits is denied by another rule")
        return
    if not solver.possible(model.met(rule), model.allowed):
        yield _found(Kind.MOOT, rule, "whenever its condition is met, nothing may leave anyway")
        return
    yield from _added(rule, model, solver)


def _always(rule: Rule, model: Model, solver: Solver) -> bool:
    """Tell whether a rule always speaks; a requirement that is written `when: true` says so itself."""
    if rule.effect is Effect.REQUIRE and isinstance(rule.when, Always):
        return False
    return not solver.possible(model.silent(rule))


def _added(rule: Rule, model: Model, solver: Solver) -> Iterator[Finding]:
    """Yield what a permit or requirement adds nothing by, where something may leave."""
    speaks: list[Term] = [model.fires[rule.id], model.allowed]
    idle = [kind for kind in rule.terms if not _adds(rule, kind, speaks, model, solver)]
    alone = rule.effect is Effect.PERMIT and solver.possible(
        *speaks, model.opposite(model.others(rule))
    )
    if len(idle) == len(rule.terms) and not alone:
        words = "whenever it speaks, others of its kind speak and oblige to as much or more"
        yield _found(Kind.SHADOWED, rule, words)
        return
    for kind in idle:
        words = f"its obligation {kind} adds nothing: other rules always ask for as much or more"
        yield _found(Kind.MOOT, rule, words)


def _adds(rule: Rule, kind: str, speaks: Sequence[Term], model: Model, solver: Solver) -> bool:
    demands = [demand for demand in model.asks(rule) if demand[0] == kind]
    return any(
        solver.possible(*speaks, model.opposite(model.demanded(demand, without=rule)))
        for demand in demands
    )


def _found(kind: Kind, rule: Rule, words: str) -> Finding:
    return Finding(kind, rule.id, rule.place, f"{rule.effect.value} rule {rule.id}: {words}")


def explained(found: Sequence[Finding], files: Mapping[str, bytes]) -> list[Finding]:
    """Return the findings with what analysis.yaml says of them.

    Raises MalformedError with file and line, also for an explanation of what is not found any more.
    """
    if EXPLAINED not in files:
        return [*found]
    listed = read(EXPLAINED, files[EXPLAINED]).mapping({"explained"})["explained"].sequence()
    why: dict[tuple[str, str], str] = {}
    for spec in listed:
        parts = spec.mapping({"finding", "rule", "why"})
        kind, rule = parts["finding"].text(), parts["rule"].text()
        if kind not in set(Kind):
            raise parts["finding"].fail(f"unknown finding {kind!r}{nearest(kind, set(Kind))}")
        if (kind, rule) not in {(f.kind.value, f.rule) for f in found}:
            raise spec.fail(f"{kind} is not found of rule {rule}: take the explanation out")
        why[kind, rule] = parts["why"].text()
    return [replace(f, why=why.get((f.kind.value, f.rule))) for f in found]
