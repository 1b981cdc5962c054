"""Invariants proved for all facts at once, or refuted with a request on which a set breaks them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.authoring.cases import DisagreementError, Ruling, judged, ruling
from gateway.authoring.model import Model
from gateway.authoring.polarity import form
from gateway.authoring.solver import Solver
from gateway.authoring.strictness import demands, numbers_of, terms_of
from gateway.authoring.symbolic import Term
from gateway.kernel.encoding import Json
from gateway.policy.invariants import Invariant
from gateway.policy.vocabulary import Facts, to_json


@dataclass(frozen=True, slots=True)
class Proof:
    """What z3 says of an invariant: proved if there is no *counterexample*.

    The counterexample meets the invariant's condition and the conditions of rules, rather than leaving
    them open, if it can; for that it has the fewest facts that will do, and all others may be unknown.
    """

    invariant: Invariant
    counterexample: Facts | None
    ruling: Ruling | None

    def to_json(self) -> dict[str, Json]:
        """Return the result as JSON."""
        return {
            "invariant": self.invariant.id,
            "place": self.invariant.place,
            "title": self.invariant.title,
            "proved": self.counterexample is None,
            "counterexample": None if self.counterexample is None else to_json(self.counterexample),
            "decision": None if self.ruling is None else self.ruling.to_json(),
        }


def prove(
    model: Model, solver: Solver, invariants: Sequence[Invariant], today: str | None = None
) -> Iterator[Proof]:
    """Prove or refute each invariant. Raises DisagreementError if the evaluator sees no breach."""
    for invariant in invariants:
        met = form(invariant.when, model.view, unknown=False)
        wishes = [met, *model.certainties]
        facts = solver.example(_breach(invariant, model), wishes=wishes, today=today)
        if facts is None:
            yield Proof(invariant, None, None)
            continue
        verdict = judged(model.policy, facts)
        if not (invariant.concerns(facts) and invariant.broken_by(verdict, model.policy.kinds)):
            raise DisagreementError(f"{invariant.id}: the evaluator keeps it on {to_json(facts)}")
        yield Proof(invariant, facts, ruling(verdict))


def _breach(invariant: Invariant, model: Model) -> Term:
    """Return when the set breaks an invariant: what is unknown is no way out of it."""
    concerned = form(invariant.when, model.view, unknown=True)
    never = [model.outcome(outcome) for outcome in sorted(invariant.never)]
    return model.view.every([concerned, model.view.some([*never, *_milder(invariant, model)])])


def _milder(invariant: Invariant, model: Model) -> Iterator[Term]:
    """Yield when something may leave without one of the demands that the invariant makes."""
    numbers = numbers_of([*terms_of(model.policy.rules), invariant.terms])
    for demand in sorted(demands(model.policy.kinds, invariant.terms, numbers)):
        missing = model.view.opposite(model.demanded(demand))
        yield model.view.every([model.allowed, missing])
