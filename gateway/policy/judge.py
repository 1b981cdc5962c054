"""Verdicts: deny overrides, silence denies, unknown facts never open anything, order never matters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.policy.conditions import Truth
from gateway.policy.index import Index, settle
from gateway.policy.obligations import Join, Obligation, Phase, Term, merge
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import TODAY, Facts

_FIRST = {Effect.DENY: 0, Effect.PERMIT: 1, Effect.REQUIRE: 2}
_REMEMBERED = 4096  # verdicts, and days


class Outcome(StrEnum):
    """The three outcomes. There is no fourth, and none of them is falsy."""

    PERMIT = "permit"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one item and recipient, before it is written down."""

    outcome: Outcome
    fired: tuple[tuple[Rule, Truth], ...]
    terms: Mapping[str, Term]


class Judge:
    """The rules of a set, by effect, with what they say of facts."""

    def __init__(self, kinds: Mapping[str, Obligation], rules: Sequence[Rule]) -> None:
        self._kinds = kinds
        self._rules = sorted(rules, key=lambda rule: _FIRST[rule.effect])
        self._deny, self._permit, require = (self._mask(effect) for effect in _FIRST)
        obliging = sum(1 << n for n, rule in enumerate(self._rules) if rule.terms)
        self._attaching = (self._permit & obliging) | require
        self._index = index = Index([rule.when for rule in self._rules])
        self._item, self._rest = index.columns(item=True), index.columns(item=False)
        self._denying = index.several(self._deny)
        self._speaking = index.several(self._permit | require)
        self._verdicts: dict[tuple[int, int], Verdict] = {}
        self._live: dict[str, int] = {}

    def _mask(self, effect: Effect) -> int:
        return sum(1 << n for n, rule in enumerate(self._rules) if rule.effect is effect)

    def one(self, facts: Facts, today: str) -> Verdict:
        """Judge one item for one recipient on a day."""
        seen = {**facts, TODAY: today}
        true, left = self._index.read(seen, self._item)
        also, open_ = self._index.read(seen, self._rest)
        live = self._in_force(today)
        return self._verdict(true & also & live, left & open_ & live, seen, seen)

    def rows(
        self, items: Sequence[Facts], others: Sequence[Facts], today: str
    ) -> Iterator[list[Verdict]]:
        """Judge items for recipients: what reads one side alone is read once for it."""
        read, live = self._index.read, self._in_force(today)
        rests = [(rest, *read(rest, self._rest)) for rest in ({**f, TODAY: today} for f in others)]
        for item in items:
            true, left = read(item, self._item)
            true, left = true & live, left & live
            yield [self._verdict(true & t, left & o, item, rest) for rest, t, o in rests]

    def _in_force(self, today: str) -> int:
        """Return which rules are in force on a day."""
        if today not in self._live:
            if len(self._live) >= _REMEMBERED:
                self._live.clear()
            applying = (n for n, rule in enumerate(self._rules) if rule.applies_on(today))
            self._live[today] = sum(1 << n for n in applying)
        return self._live[today]

    def _verdict(self, true: int, left: int, item: Facts, rest: Facts) -> Verdict:
        """Return the verdict, where single facts leave these conditions true, and these open."""
        if left & self._deny:
            true, left = settle(self._denying, true, left, item, rest)
        spoken = left & self._deny
        if not spoken and true & self._permit:
            true, left = settle(self._speaking, true, left, item, rest)
            if true & self._permit:
                spoken = (true & self._permit) | (left & self._attaching)
        key = (spoken, true & spoken)
        found = self._verdicts.get(key)
        if found is None:
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            found = self._verdicts[key] = self._conclude(*key)
        return found

    def _conclude(self, spoken: int, true: int) -> Verdict:
        """Return the verdict of the rules that speak.

        A permit that cannot be established permits nothing; where another one permits, its
        obligations are attached as a precaution, so that learning the fact makes nothing stricter.
        """
        fired: list[tuple[Rule, Truth]] = [
            (rule, True if true >> n & 1 else None)
            for n, rule in enumerate(self._rules)
            if spoken >> n & 1
        ]
        if not spoken or spoken & self._deny:
            return Verdict(Outcome.DENY, tuple(fired), {})
        terms = merge(self._kinds, (rule.terms for rule, _ in fired))
        return Verdict(self._outcome(terms), tuple(fired), terms)

    def _outcome(self, terms: Mapping[str, Term]) -> Outcome:
        if nothing_left(self._kinds, terms):
            return Outcome.DENY
        before = any(self._kinds[kind].phase is Phase.BEFORE for kind in terms)
        return Outcome.HOLD if before else Outcome.PERMIT


def nothing_left(kinds: Mapping[str, Obligation], terms: Mapping[str, Term]) -> bool:
    """Tell whether an intersection, such as the purposes, came out empty: no use would be lawful."""
    return any(terms[kind] == () for kind in terms if kinds[kind].join is Join.INTERSECTION)
