"""Two sets of rules compared by what they decide, for all facts at once, and by what is written.

Every difference comes with one request on which it shows, checked by the evaluator.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.authoring.cases import DisagreementError, Ruling, judged, ruling, seen_by
from gateway.authoring.model import Model, conditions
from gateway.authoring.solver import Solver
from gateway.authoring.strictness import comparable, demands, numbers_of, terms_of
from gateway.authoring.symbolic import Space, Term
from gateway.authoring.written import Written, written_changes
from gateway.kernel.encoding import Json
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Outcome
from gateway.policy.obligations import Obligation
from gateway.policy.vocabulary import TODAY, Facts, to_json


class Direction(StrEnum):
    """Which way a set moved."""

    LOOSER = "newly permitted"
    STRICTER = "newly denied"
    WEAKER = "weaker obligations"
    STRONGER = "stronger obligations"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference and a request with as few facts as will show it, today among them.

    *kind* is the kind of obligation that is weaker or stronger, or empty.
    """

    direction: Direction
    kind: str
    old: Ruling
    new: Ruling
    facts: Facts

    def to_json(self) -> dict[str, Json]:
        """Return the difference as JSON."""
        return {
            "direction": self.direction.value,
            "obligation": self.kind or None,
            "old": self.old.to_json(),
            "new": self.new.to_json(),
            "facts": to_json(self.facts),
        }


@dataclass(frozen=True, slots=True)
class Diff:
    """All differences between two sets; *alike* if they decide alike, whatever is written."""

    old: PolicySet
    new: PolicySet
    differences: tuple[Difference, ...]
    written: Written

    @property
    def alike(self) -> bool:
        """Tell whether the two sets decide alike on all facts."""
        return not self.differences

    def to_json(self) -> dict[str, Json]:
        """Return all of it as JSON."""
        return {
            "old": self.old.digest,
            "new": self.new.digest,
            "alike": self.alike,
            "differences": [d.to_json() for d in self.differences],
            "written": self.written.to_json(),
        }


@dataclass(frozen=True, slots=True)
class _Question:
    """When a difference would show."""

    direction: Direction
    kind: str
    outcomes: tuple[Outcome, Outcome] | None
    term: Term


_MOVES = (
    (Direction.LOOSER, Outcome.DENY, Outcome.PERMIT),
    (Direction.LOOSER, Outcome.DENY, Outcome.HOLD),
    (Direction.LOOSER, Outcome.HOLD, Outcome.PERMIT),
    (Direction.STRICTER, Outcome.PERMIT, Outcome.DENY),
    (Direction.STRICTER, Outcome.HOLD, Outcome.DENY),
    (Direction.STRICTER, Outcome.PERMIT, Outcome.HOLD),
)


def compare(old: PolicySet, new: PolicySet, today: str | None = None) -> Diff:
    """Compare two sets. A fact that a vocabulary does not know is unknown to its set.

    Raises UnavailableError without z3, DisagreementError if the evaluator denies a difference.
    """
    space = Space([old.vocabulary, new.vocabulary], [*conditions(old), *conditions(new)])
    numbers = numbers_of([*terms_of(old.rules), *terms_of(new.rules)])
    shared = _shared(old, new)
    one, two = (Model(space, p, {**p.kinds, **shared}, numbers) for p in (old, new))
    solver = Solver(space)
    wishes = [*_known_to_both(one, two, space), *one.certainties, *two.certainties]
    found = []
    for question in (*_outcomes(one, two), *_obligations(one, two, shared)):
        facts = solver.example(question.term, wishes=wishes, today=today)
        if facts is not None:
            found.append(_difference(question, old, new, facts, shared))
    return Diff(old, new, tuple(found), written_changes(old, new))


def _shared(old: PolicySet, new: PolicySet) -> dict[str, Obligation]:
    """Return the kinds whose terms can be compared, with the values of both sets."""
    kinds: dict[str, Obligation] = {}
    for kind in sorted(set(old.kinds) | set(new.kinds)):
        one = old.kinds.get(kind, new.kinds.get(kind))
        two = new.kinds.get(kind, one)
        both = comparable(one, two) if one is not None and two is not None else None
        if both is not None:
            kinds[kind] = both
    return kinds


def _known_to_both(one: Model, two: Model, space: Space) -> Iterator[Term]:
    """Yield, fact by fact, that its value is within the domains of both sets if it is known."""
    for path, a in one.policy.vocabulary.attributes.items():
        other = two.policy.vocabulary.attributes.get(path)
        if other is not None and other.type is a.type:
            both = one.view.every([one.view.recorded(a), two.view.recorded(other)])
            yield one.view.some([one.opposite(space.of(a).known), both])


def _outcomes(one: Model, two: Model) -> Iterator[_Question]:
    for direction, before, after in _MOVES:
        term = one.view.every([one.outcome(before), two.outcome(after)])
        yield _Question(direction, "", (before, after), term)


def _obligations(one: Model, two: Model, shared: Mapping[str, Obligation]) -> Iterator[_Question]:
    """Yield, kind by kind, when both sets let an item leave alike, and one demands what the other does not."""
    alike = one.view.some(
        [one.view.every([m.outcome(o) for m in (one, two)]) for o in (Outcome.PERMIT, Outcome.HOLD)]
    )
    for kind in shared:
        asked = {
            demand
            for model in (one, two)
            for rule in model.policy.rules
            for demand in model.asks(rule)
            if demand[0] == kind
        }
        for direction, strict, mild in (
            (Direction.WEAKER, one, two),
            (Direction.STRONGER, two, one),
        ):
            lost = [
                one.view.every([strict.demanded(d), one.opposite(mild.demanded(d))])
                for d in sorted(asked)
            ]
            yield _Question(direction, kind, None, one.view.every([alike, one.view.some(lost)]))


def _difference(
    question: _Question,
    old: PolicySet,
    new: PolicySet,
    facts: Facts,
    shared: Mapping[str, Obligation],
) -> Difference:
    verdicts = judged(old, facts), judged(new, facts)
    if question.outcomes is not None:
        shows = tuple(v.outcome for v in verdicts) == question.outcomes
    else:
        every = numbers_of([*terms_of(old.rules), *terms_of(new.rules)])
        kinds, kind = dict(shared), question.kind
        parts = ({k: t for k, t in v.terms.items() if k == kind} for v in verdicts)
        before, after = (demands(kinds, part, every) for part in parts)
        lost = before - after if question.direction is Direction.WEAKER else after - before
        shows = bool(lost) and verdicts[0].outcome is verdicts[1].outcome
    if not shows:
        raise DisagreementError(f"{question.direction}: the evaluator differs on {to_json(facts)}")
    was, now = (ruling(verdict) for verdict in verdicts)
    return Difference(question.direction, question.kind, was, now, facts)


def unknown_to(policy: PolicySet, facts: Facts) -> list[str]:
    """Return the paths of facts that the vocabulary of a set does not know, so that it cannot see them."""
    return sorted(set(facts) - set(seen_by(policy.vocabulary, facts)) - {TODAY})
