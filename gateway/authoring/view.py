"""Conditions for z3, as one set of rules sees the facts of a space."""

from collections.abc import Sequence

from gateway.authoring.symbolic import Space, Term, day_number
from gateway.policy.conditions import Compare
from gateway.policy.vocabulary import Attribute, Type, Vocabulary


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
