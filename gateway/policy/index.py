"""The conditions of many rules, evaluated at once: one bit for each rule.

An `all` is taken apart into its conjuncts, which Kleene's conjunction may read in any order. What a
conjunct says depends, for nearly all of them, on a single fact of a small domain; so for each fact and
value it is worked out once which rules that makes false and which unknown, and then remembered. So are
the values of conjuncts that read several facts, which are asked only for rules not false already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.policy.compiled import Known, Test, compiled
from gateway.policy.conditions import Condition, Every, Truth, attributes
from gateway.policy.vocabulary import Attribute, Fact, Facts

ITEM = "item."
_REMEMBERED = 4096  # values, or combinations of them
_HASHED = (bool, int, str, frozenset, type(None))
_Memo = dict[tuple[type, Fact | None], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Column:
    """Every conjunct that reads just this attribute, with the bit of its rule."""

    attribute: Attribute
    tests: list[tuple[int, Test]] = field(default_factory=list)
    memo: _Memo = field(default_factory=dict)

    def learn(self, value: Fact | None) -> tuple[int, int]:
        """Return which rules a value makes false and which unknown; None: the fact is absent."""
        known: Known = {}
        if value is not None:
            right = self.attribute.valid(value)
            known = {self.attribute.path: value if right else None}
        false = unknown = 0
        for bit, test in self.tests:
            said = test(known)
            false |= bit if said is False else 0
            unknown |= bit if said is None else 0
        if isinstance(value, _HASHED):
            if len(self.memo) >= _REMEMBERED:  # texts may be any
                self.memo.clear()
            self.memo[value.__class__, value] = false, unknown
        return false, unknown


@dataclass(frozen=True, slots=True)
class Several:
    """A conjunct that reads several facts, with the bit of its rule and what it said before."""

    bit: int
    attributes: tuple[Attribute, ...]
    test: Test
    memo: dict[tuple[object, ...], Truth] = field(default_factory=dict)

    def say(self, item: Facts, rest: Facts) -> Truth:
        """Return its value, from the facts about the item and the others."""
        values = [(item if a.path.startswith(ITEM) else rest).get(a.path) for a in self.attributes]
        key = tuple((value.__class__, value) for value in values)
        try:
            return self.memo[key]
        except (KeyError, TypeError):  # a value of the wrong type may have no hash
            return self._learn(key, values)

    def _learn(self, key: tuple[object, ...], values: Sequence[Fact | None]) -> Truth:
        pairs = [(a, v) for a, v in zip(self.attributes, values, strict=True) if v is not None]
        found = self.test({a.path: v if a.valid(v) else None for a, v in pairs})
        if all(isinstance(value, _HASHED) for value in values):
            if len(self.memo) >= _REMEMBERED:
                self.memo.clear()
            self.memo[key] = found
        return found


class Index:
    """Conditions by bit: the first one has bit 1, the next 2, then 4."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._possible = (1 << len(conditions)) - 1
        self._columns: dict[str, Column] = {}
        self._several: list[Several] = []
        for n, condition in enumerate(conditions):
            for conjunct in condition.parts if isinstance(condition, Every) else (condition,):
                self._enter(1 << n, conjunct)

    def _enter(self, bit: int, conjunct: Condition) -> None:
        read = {attribute.path: attribute for attribute in attributes(conjunct)}
        if not read and compiled(conjunct)({}) is False:
            self._possible &= ~bit
        if len(read) > 1:
            self._several.append(Several(bit, tuple(read.values()), compiled(conjunct)))
        for attribute in read.values() if len(read) == 1 else ():
            column = self._columns.setdefault(attribute.path, Column(attribute))
            column.tests.append((bit, compiled(conjunct)))

    def columns(self, *, item: bool) -> list[Column]:
        """Return the columns of the attributes of items, or of all others."""
        return [c for path, c in self._columns.items() if path.startswith(ITEM) is item]

    def several(self, bits: int) -> list[Several]:
        """Return the conjuncts of these rules that read several facts."""
        return [one for one in self._several if one.bit & bits]

    def read(self, facts: Facts, columns: Sequence[Column]) -> tuple[int, int]:
        """Return of which rules these single facts leave the condition true, and of which open.

        Open is what is true or unknown.
        """
        false = unknown = 0
        for column in columns:
            value = facts.get(column.attribute.path)
            try:
                no, perhaps = column.memo[value.__class__, value]
            except (KeyError, TypeError):  # a value of the wrong type may have no hash
                no, perhaps = column.learn(value)
            false |= no
            unknown |= perhaps
        left = self._possible & ~false
        return left & ~unknown, left


def settle(
    several: Sequence[Several], true: int, left: int, item: Facts, rest: Facts
) -> tuple[int, int]:
    """Take conjuncts into account that read several facts, for rules that are not false yet."""
    for one in several:
        if left & one.bit:
            value = one.say(item, rest)
            if value is not True:
                true &= ~one.bit
                left &= left if value is None else ~one.bit
    return true, left
