"""Facts and rules for z3: every domain exactly as the vocabulary says, each fact known or not.

An enum or text is a bounded integer, a set one bit for each of its values, a date its day in the
calendar. Texts and dates have no bounds in the vocabulary. Of texts there are as many beside those that
rules name as there are facts to hold them, so that all may differ; of days there are enough before,
between and after those that rules name. More could not change any answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from gateway.authoring.extras import library
from gateway.policy.conditions import Compare, Condition, Every, Not, Some
from gateway.policy.vocabulary import TODAY, Attribute, Fact, Type, Vocabulary

Term: TypeAlias = Any
"""An expression of z3, which has no types to import."""

_FIRST, _LAST = date(1900, 1, 1), date(2100, 12, 31)
_LISTED = frozenset({Type.ENUM, Type.SET, Type.TEXT})


@dataclass(frozen=True, slots=True)
class Cell:
    """One fact as variables: *known* and its value. *words*: for each value whether it is (in) it."""

    path: str
    type: Type
    label: str
    known: Term
    value: Term
    words: Mapping[str, Term]
    domain: Term


class Space:
    """All facts of one or more vocabularies, and the axioms that keep them within their domains.

    A fact that two vocabularies give different types has a variable for each, of which one is known
    at most: a fact has one value.
    """

    def __init__(self, vocabularies: Sequence[Vocabulary], conditions: Iterable[Condition]) -> None:
        self.z3 = library("z3")
        attributes = list(_merged(vocabularies))
        literals = [c for condition in conditions for c in comparisons(condition)]
        self._texts = _texts(attributes, literals)
        self._days = _days(attributes, literals)
        self.cells = {(a.path, a.type): self._cell(a) for a in attributes}
        self.axioms = [cell.domain for cell in self.cells.values()]
        self.axioms.append(self.cells[TODAY, Type.DATE].known)
        for path in {path for path, _ in self.cells}:
            known = [cell.known for (where, _), cell in self.cells.items() if where == path]
            if len(known) > 1:
                self.axioms.append(self.z3.AtMost(*known, 1))

    def of(self, attribute: Attribute) -> Cell:
        """Return the cell of an attribute."""
        return self.cells[attribute.path, attribute.type]

    def _cell(self, a: Attribute) -> Cell:
        z3, name = self.z3, f"{a.path}:{a.type.value}"
        known = z3.Bool(f"known {name}")
        listed = self._texts if a.type is Type.TEXT else sorted(a.values)
        value = z3.Bool(name) if a.type is Type.BOOL else z3.Int(name)
        words, domain = {}, z3.BoolVal(True)
        if a.type is Type.SET:
            words = {word: z3.Bool(f"{name} {word}") for word in listed}
        elif a.type in _LISTED:
            words = {word: value == n for n, word in enumerate(listed)}
            domain = z3.And(value >= 0, value < len(listed))
        elif a.type is not Type.BOOL:
            low, high = (a.low, a.high) if a.type is Type.INT else self._days
            domain = z3.And(value >= low, value <= high)
        return Cell(a.path, a.type, a.label, known, value, words, domain)

    def facts(self, model: Any) -> dict[str, Fact]:
        """Return the facts of a model, today among them."""
        known = (cell for cell in self.cells.values() if self._true(model, cell.known))
        return {cell.path: self._fact(model, cell) for cell in known}

    def _true(self, model: Any, term: Term) -> bool:
        return bool(self.z3.is_true(model.eval(term, model_completion=True)))

    def _fact(self, model: Any, cell: Cell) -> Fact:
        if cell.type is Type.BOOL:
            return self._true(model, cell.value)
        if cell.type is Type.SET:
            return frozenset(word for word, bit in cell.words.items() if self._true(model, bit))
        number = int(model.eval(cell.value, model_completion=True).as_long())
        if cell.type is Type.INT:
            return number
        if cell.type is Type.DATE:
            return date.fromordinal(number).isoformat()
        return list(cell.words)[number]


def comparisons(condition: Condition) -> Iterator[Compare]:
    """Yield every comparison in a condition."""
    match condition:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from comparisons(part)
        case Not(part):
            yield from comparisons(part)
        case Compare():
            yield condition
        case _:
            pass


def _merged(vocabularies: Sequence[Vocabulary]) -> Iterator[Attribute]:
    """Yield each attribute once for each of its types, with the values of all vocabularies."""
    found: dict[tuple[str, Type], list[Attribute]] = {}
    for vocabulary in vocabularies:
        for a in vocabulary.attributes.values():
            found.setdefault((a.path, a.type), []).append(a)
    for (path, kind), same in found.items():
        values = frozenset[str]().union(*(a.values for a in same))
        low, high = min(a.low for a in same), max(a.high for a in same)
        yield Attribute(path, kind, same[-1].label, values, low, high)


def _texts(attributes: Sequence[Attribute], literals: Iterable[Compare]) -> list[str]:
    named = {str(c.right) for c in literals if c.left.type is Type.TEXT and c.right is not None}
    count = sum(a.type is Type.TEXT for a in attributes)
    others = (f"other-{n}" for n in range(1, count + len(named) + 1))
    return [*sorted(named), *[word for word in others if word not in named][:count]]


def _days(attributes: Sequence[Attribute], literals: Iterable[Compare]) -> tuple[int, int]:
    named = {str(c.right) for c in literals if c.left.type is Type.DATE and c.right is not None}
    room = sum(a.type is Type.DATE for a in attributes)
    days = [_FIRST, _LAST, *(date.fromisoformat(day) for day in named)]
    low, high = min(days).toordinal() - room, max(days).toordinal() + room
    return max(low, 1), min(high, date.max.toordinal())


def day_number(day: str) -> int:
    """Return the number that stands for a calendar day."""
    return date.fromisoformat(day).toordinal()
