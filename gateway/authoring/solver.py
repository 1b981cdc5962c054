"""Questions to z3 about the facts of a space, answered by the plainest facts there are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.authoring.symbolic import Cell, Space, Term, day_number
from gateway.policy.vocabulary import TODAY, Facts, Type


class Solver:
    """Questions to z3 about a space. Everything in it is decidable, so every question is answered."""

    def __init__(self, space: Space) -> None:
        self.space, self._z3 = space, space.z3
        self._solver = space.z3.Solver()
        self._solver.add(*space.axioms)

    def possible(self, *terms: Term) -> bool:
        """Tell whether some facts make all of *terms* true."""
        with self._within(terms):
            return self._satisfiable()

    def example(
        self, *terms: Term, wishes: Sequence[Term] = (), today: str | None = None
    ) -> Facts | None:
        """Return facts that make all of *terms* true, or None if none do.

        They meet *wishes*, each if those before allow it, and are the fewest that do: no fact can be
        taken away from them, nor a value from their sets. Today is *today* if it can be.
        """
        with self._within(terms):
            if not self._satisfiable():
                return None
            for wish in self._wishes(wishes, today):
                self._grant(wish)
            assert self._satisfiable()
            return self.space.facts(self._solver.model())

    def _wishes(self, wishes: Sequence[Term], today: str | None) -> Iterator[Term]:
        """Yield wishes, the dearest first: what is not said by a plain no is said by as little as will do."""
        if today is not None:
            yield self.space.cells[TODAY, Type.DATE].value == day_number(today)
        yield from wishes
        cells = sorted(self.space.cells.values(), key=_plainness)
        for cell in cells:
            if cell.type is Type.BOOL:
                yield self._z3.Not(self._z3.And(cell.known, cell.value))
        for cell in cells:
            yield self._z3.Not(cell.known)
        for cell in cells:
            if cell.type is Type.SET:
                for bit in cell.words.values():
                    yield self._z3.Not(bit)

    def _grant(self, wish: Term) -> None:
        """Add a wish that leaves the rest possible; the model at hand grants many without a question."""
        granted = self._z3.is_true(self._solver.model().eval(wish, model_completion=True))
        if granted:
            self._solver.add(wish)
            self._solver.check()
            return
        self._solver.push()
        self._solver.add(wish)
        if not self._satisfiable():
            self._solver.pop()
            self._solver.check()

    @contextmanager
    def _within(self, terms: Sequence[Term]) -> Iterator[None]:
        depth = self._solver.num_scopes()
        self._solver.push()
        self._solver.add(*terms)
        try:
            yield
        finally:
            self._solver.pop(self._solver.num_scopes() - depth)

    def _satisfiable(self) -> bool:
        answer = self._solver.check()
        assert answer != self._z3.unknown, "z3 gave up on a question that is decidable"
        return bool(answer == self._z3.sat)


_PLAIN = (Type.DATE, Type.SET, Type.TEXT, Type.INT, Type.ENUM, Type.BOOL)


def _plainness(cell: Cell) -> int:
    """Order facts so that those which are hardest to picture are dropped first."""
    return _PLAIN.index(cell.type)
