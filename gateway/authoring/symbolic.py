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


class View:
    """The space as one set of rules sees it: a backend for `polarity`.

    A fact that its vocabulary does not know, or whose value lies outside its domain, is not there.
    """

    def __init__(self, space: Space, vocabulary: Vocabulary) -> None:
        self._space, self._z3 = space, space.z3
        self._known = {a.path: self._there(a) for a in vocabulary.attributes.values()}

    def _there(self, a: Attribute) -> Term:
        z3, cell = self._z3, self._space.of(a)
        if a.type is Type.INT:
            return z3.And(cell.known, cell.value >= a.low, cell.value <= a.high)
        beyond = [term for word, term in cell.words.items() if word not in a.values]
        if a.type is Type.TEXT or not beyond:
            return cell.known
        return z3.And(cell.known, z3.Not(z3.Or(*beyond)))

    def always(self) -> Term:
        """Return what is true."""
        return self._z3.BoolVal(True)

    def every(self, parts: Sequence[Term]) -> Term:
        """Return what is true if all of *parts* are."""
        return self._z3.And(*parts)

    def some(self, parts: Sequence[Term]) -> Term:
        """Return what is true if one of *parts* is."""
        return self._z3.Or(*parts)

    def opposite(self, part: Term) -> Term:
        """Return what is true if *part* is not."""
        return self._z3.Not(part)

    def recorded(self, attribute: Attribute) -> Term:
        """Return what is true if the fact is there."""
        return self._known[attribute.path]

    def compare(self, compare: Compare, *, unknown: bool) -> Term:
        """Return the comparison if the facts it reads are there, else *unknown*."""
        sides = [compare.left] if compare.other is None else [compare.left, compare.other]
        known = self._z3.And(*(self._known[side.path] for side in sides))
        value = self._compared(compare)
        if unknown:
            return self._z3.Or(self._z3.Not(known), value)
        return self._z3.And(known, value)

    def _compared(self, compare: Compare) -> Term:
        if compare.op == "ne":
            return self._z3.Not(self._equal(compare))
        if compare.op == "eq":
            return self._equal(compare)
        if compare.op in ("in", "contains", "intersects"):
            return self._shared(compare)
        if compare.op == "subset":
            return self._within(compare)
        a, b = self._numbers(compare)
        ordered = {"before": a < b, "lt": a < b, "after": a > b, "gt": a > b}
        return (ordered | {"le": a <= b, "ge": a >= b})[compare.op]

    def _equal(self, compare: Compare) -> Term:
        if compare.left.type in (Type.ENUM, Type.TEXT):
            return self._shared(compare)
        if compare.left.type is Type.SET:
            left, right = self._words(compare)
            return self._z3.And(*(left[w] == right[w] for w in left))
        a, b = self._numbers(compare)
        return a == b

    def _shared(self, compare: Compare) -> Term:
        """Return whether some word is (in) both sides: equality, membership and overlap alike."""
        left, right = self._words(compare)
        return self._z3.Or(*(self._z3.And(left[w], right[w]) for w in left))

    def _within(self, compare: Compare) -> Term:
        left, right = self._words(compare)
        return self._z3.And(*(self._z3.Implies(left[w], right[w]) for w in left))

    def _words(self, compare: Compare) -> tuple[dict[str, Term], dict[str, Term]]:
        """Return for all words of both sides whether they are (in) the one and the other."""
        sides = [dict(self._space.of(compare.left).words)]
        if compare.other is not None:
            sides.append(dict(self._space.of(compare.other).words))
        else:
            right = compare.right
            named = right if isinstance(right, frozenset) else {str(right)}
            sides.append({word: self._z3.BoolVal(True) for word in named})
        no = self._z3.BoolVal(False)
        every = dict.fromkeys((*sides[0], *sides[1]))
        left, right_ = ({word: side.get(word, no) for word in every} for side in sides)
        return left, right_

    def _numbers(self, compare: Compare) -> tuple[Term, Term]:
        left = self._space.of(compare.left).value
        if compare.other is not None:
            return left, self._space.of(compare.other).value
        right = compare.right
        if isinstance(right, str):
            return left, self._z3.IntVal(day_number(right))
        return left, self._z3.BoolVal(right) if isinstance(right, bool) else self._z3.IntVal(right)


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
