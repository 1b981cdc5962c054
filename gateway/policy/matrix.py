"""Many items for many recipients at once: the same verdicts as one by one, several times faster.

What a rule says of the item alone, or of recipient and occasion alone, is evaluated once for each of
them and kept as bits, one for each rule; only a condition that reads both sides is evaluated for each
pair. An `all` is taken apart for this: Kleene's conjunction may be read in any order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.policy.compiled import Known, Test, compiled
from gateway.policy.conditions import Always, Condition, Every, Truth, attributes
from gateway.policy.decide import PolicySet, Verdict
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import TODAY, Facts

_ITEM = "item."


@dataclass(frozen=True, slots=True)
class _Bits:
    """Of which rules a side's part is *true*, and of which it is true or unknown (*open*)."""

    true: int
    open: int


@dataclass(frozen=True, slots=True)
class _Parts:
    """One rule taken apart: what reads the item alone, the rest alone, and both."""

    rule: Rule
    bit: int
    item: Test
    rest: Test
    both: Test | None


def matrix(
    policy: PolicySet, items: Sequence[Facts], others: Sequence[Facts], today: str
) -> Iterator[list[Verdict]]:
    """Yield for each item the verdicts for all *others*, in order.

    *items* are facts `item.…`; each of *others* the facts of one recipient and occasion.
    """
    return _Matrix(policy, today).rows(items, others)


class _Matrix:
    """The rules in force on a day, taken apart."""

    def __init__(self, policy: PolicySet, today: str) -> None:
        self.policy, self.today = policy, today
        live = [rule for rule in policy.ordered if rule.applies_on(today)]
        self.parts = [_taken_apart(rule, 1 << n) for n, rule in enumerate(live)]
        self.pairs = [(part.bit, part.both) for part in self.parts if part.both is not None]
        self.pair_bits = sum(bit for bit, _ in self.pairs)
        self.masks = {e: sum(p.bit for p in self.parts if p.rule.effect is e) for e in Effect}
        speaking = (p for p in self.parts if p.rule.effect is not Effect.DENY and p.rule.terms)
        self.attaching = sum(part.bit for part in speaking)
        self.verdicts: dict[tuple[int, int], Verdict] = {}

    def rows(self, items: Sequence[Facts], others: Sequence[Facts]) -> Iterator[list[Verdict]]:
        """Yield the verdicts item by item."""
        known = self.policy.vocabulary.known
        sides = [known({**facts, TODAY: self.today}) for facts in others]
        rests = [(facts, self._bits([p.rest for p in self.parts], facts)) for facts in sides]
        for item in items:
            facts = known(item)
            bits = self._bits([part.item for part in self.parts], facts)
            yield [self._verdict(facts, bits, rest, about) for rest, about in rests]

    def _bits(self, tests: Sequence[Test], facts: Known) -> _Bits:
        values = [test(facts) for test in tests]
        true = sum(p.bit for p, value in zip(self.parts, values, strict=True) if value is True)
        unknown = sum(p.bit for p, value in zip(self.parts, values, strict=True) if value is None)
        return _Bits(true, true | unknown)

    def _verdict(self, item: Known, one: _Bits, rest: Known, two: _Bits) -> Verdict:
        true, unsettled = one.true & two.true, one.open & two.open
        if unsettled & self.pair_bits:
            true, unsettled = self._settle(true, unsettled, {**item, **rest})
        spoken = self._spoken(true, unsettled)
        key = (spoken, true & spoken)
        if key not in self.verdicts:
            self.verdicts[key] = self._conclude(*key)
        return self.verdicts[key]

    def _settle(self, true: int, unsettled: int, facts: Known) -> tuple[int, int]:
        """Take what reads both sides into account, for rules that are not false already."""
        for bit, test in self.pairs:
            if unsettled & bit:
                value = test(facts)
                true &= ~bit if value is not True else -1
                unsettled &= ~bit if value is False else -1
        return true, unsettled

    def _spoken(self, true: int, unsettled: int) -> int:
        """Return the rules that make the verdict, by effect."""
        denying = unsettled & self.masks[Effect.DENY]
        permitting = true & self.masks[Effect.PERMIT]
        if denying or not permitting:
            return denying
        return permitting | (unsettled & self.attaching)

    def _conclude(self, spoken: int, true: int) -> Verdict:
        said: list[tuple[Rule, Truth]] = [
            (part.rule, True if part.bit & true else None)
            for part in self.parts
            if part.bit & spoken
        ]
        denies = spoken & self.masks[Effect.DENY]
        return self.policy.conclude(said if denies else [], [] if denies else said)


def _taken_apart(rule: Rule, bit: int) -> _Parts:
    conjuncts = rule.when.parts if isinstance(rule.when, Every) else (rule.when,)
    sides: Mapping[str, list[Condition]] = {"item": [], "rest": [], "both": []}
    for conjunct in conjuncts:
        sides[_side(conjunct)].append(conjunct)
    item, rest = (compiled(_all_of(sides[side])) for side in ("item", "rest"))
    both = compiled(_all_of(sides["both"])) if sides["both"] else None
    return _Parts(rule, bit, item, rest, both)


def _all_of(conditions: Sequence[Condition]) -> Condition:
    return Every(tuple(conditions)) if conditions else Always()


def _side(condition: Condition) -> str:
    """Return which side a condition reads."""
    read = {attribute.path.startswith(_ITEM) for attribute in attributes(condition)}
    return "both" if len(read) == 2 else "item" if True in read else "rest"
