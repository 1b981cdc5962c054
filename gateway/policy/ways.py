"""What is missing: the smallest changes the mechanism could bring about that end in a permit.

Only facts with `obtain` in the vocabulary are ever changed, and never one about people's safety: the rest
is as it is. Clearances and what circumstances leave unmet are added as they are then asked for.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.policy.applied import Applied, apply
from gateway.policy.clearances import APPROVAL, CONSULTATION
from gateway.policy.decide import PolicySet
from gateway.policy.enforce import FOREIGN, REDACT, SUPPORT, UNREADABLE, WATERMARK
from gateway.policy.judge import Outcome, Verdict
from gateway.policy.obtainable import obtainable
from gateway.policy.vocabulary import TODAY, Fact, Facts

MOST = 5  # ways told
BOUND = 2000  # decisions on items tried
_DONE_WITH = frozenset({APPROVAL, CONSULTATION})


@dataclass(frozen=True, slots=True)
class Change:
    """A fact brought about: another value, or one word more of a set.

    *items* are the positions of those that it is about; none if it is about recipient or occasion.
    """

    path: str
    value: Fact
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """Changes, with the clearances and measures that are asked for once they have come about."""

    changes: tuple[Change, ...]
    clearances: tuple[tuple[str, int], ...]
    measures: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """How much there is to do: a person's clearance counts as one."""
        persons = sum(count for _, count in self.clearances)
        return len(self.changes) + persons + len(self.measures)

    def within(self, other: "Way") -> bool:
        """Tell whether all of this is also to be done for *other*, to whatever values."""
        have, persons = set(map(_what, other.changes)), dict(other.clearances)
        return (
            have.issuperset(map(_what, self.changes))
            and all(count <= persons.get(what, 0) for what, count in self.clearances)
            and set(self.measures) <= set(other.measures)
        )


@dataclass(frozen=True, slots=True)
class Missing:
    """The ways to a permit, least first, none of which holds another. *complete*: there are no more.

    Otherwise the search ended after *tried* decisions, or there are more than are told.
    """

    ways: tuple[Way, ...]
    complete: bool
    tried: int


Made: TypeAlias = frozenset[Change]


@dataclass(frozen=True, slots=True)
class _Alike:
    """A share with its items put together that are alike: one stands for all, *at* these positions.

    *whole* decides every item, for a clearance is bound to all of them.
    """

    whole: Applied
    policy: PolicySet
    every: tuple[Facts, ...]
    at: tuple[tuple[int, ...], ...]

    def apply(self, every: Sequence[Facts]) -> Applied:
        """Apply what is known of the share to other facts of it."""
        whole, known = self.whole, self.whole.circumstances
        if whole.clearances:
            of = {position: n for n, positions in enumerate(self.at) for position in positions}
            facts = [every[of[position]] for position in range(len(whole.every))]
            return apply(self.policy, facts, whole.today, whole.clearances, whole.requester, known)
        if known is not None:
            removed = [known.removed[positions[0]] for positions in self.at]
            marked = [known.marked[positions[0]] for positions in self.at]
            foreign = [known.foreign[positions[0]] for positions in self.at]
            known = replace(known, removed=removed, marked=marked, foreign=foreign)
        return apply(self.policy, every, whole.today, (), whole.requester, known)


def _alike(applied: Applied) -> _Alike:
    known, kinds = applied.circumstances, dict[object, list[int]]()
    for position, facts in enumerate(applied.every):
        so: tuple[object, ...] = ()
        if known is not None:
            so = (known.removed[position], known.marked[position], known.foreign[position])
        kinds.setdefault((frozenset(facts.items()), so), []).append(position)
    at = tuple(map(tuple, kinds.values()))
    every = tuple(applied.every[positions[0]] for positions in at)
    return _Alike(applied, applied.policy, every, at)


def what_is_missing(applied: Applied, *, most: int = MOST, bound: int = BOUND) -> Missing:
    """Search, fewest changes first, what turns a deny or hold into a permit. Pure.

    It tries about *bound* decisions on items at most, and says so if it did not come to an end.
    """
    share, start = _alike(applied), Made()
    queue, seen, found, tried = deque([start]), {start}, list[Way](), 0
    while queue and tried < bound:
        made = queue.popleft()
        every = _with(share, made)
        verdicts = [share.policy.judge(facts, applied.today) for facts in every]
        tried += len(every)
        way = None
        if all(verdict.outcome is not Outcome.DENY for verdict in verdicts):
            way = _way(made, now := share.apply(every))
            tried += len(now.every)
        if way is not None:
            found.append(way)
        if way is None or way.clearances or way.measures:  # else nothing can be gained
            for change in _candidates(share, made, every, verdicts):
                if (more := made | {change}) not in seen:
                    seen.add(more)
                    queue.append(more)
    ways = _least(found)
    return Missing(tuple(ways[:most]), not queue and len(ways) <= most, tried)


def _least(found: Sequence[Way]) -> list[Way]:
    """Return the ways within which there is no other; of those to the same, the first."""
    kept: list[Way] = []
    for way in sorted(found, key=lambda one: (one.size, repr(one))):
        if not any(less.within(way) for less in kept):
            kept.append(way)
    return kept


def _what(change: Change) -> tuple[str, str, tuple[int, ...]]:
    """Return what is brought about: a fact, whatever its value, but a set word by word."""
    word = str(sorted(change.value)) if isinstance(change.value, frozenset) else ""
    return change.path, word, change.items


def _with(share: _Alike, made: Made) -> list[Facts]:
    return [
        changed(facts, [c for c in made if not c.items or positions[0] in c.items])
        for facts, positions in zip(share.every, share.at, strict=True)
    ]


def changed(facts: Facts, changes: Sequence[Change]) -> Facts:
    """Return facts once *changes* have come about."""
    after = dict(facts)
    for change in changes:
        before = after.get(change.path)
        both = isinstance(before, frozenset) and isinstance(change.value, frozenset)
        # mypy does not carry `both` over to the two it speaks of.
        after[change.path] = before | change.value if both else change.value  # type: ignore[operator]
    return after


def _way(made: Made, now: Applied) -> Way | None:
    """Return what else is asked for once these changes have come about; None if nobody could meet it."""
    able = all(":" in what and what.partition(":")[0] in _DONE_WITH for what in now.lacking)
    measures = tuple((kind, word) for kind in sorted(now.unmet) for word in now.unmet[kind])
    if now.decision.outcome is Outcome.DENY or not able or not all(map(_doable, measures)):
        return None
    changes = tuple(sorted(made, key=repr))
    return Way(changes, tuple(sorted(now.lacking.items())), measures)


def _doable(measure: tuple[str, str]) -> bool:
    """Tell whether a measure can be taken: a derivative, a mark, an announcement; not fewer items."""
    return measure[0] in (REDACT, WATERMARK, SUPPORT) and measure[1] not in (FOREIGN, UNREADABLE)


def _candidates(
    share: _Alike, made: Made, every: Sequence[Facts], verdicts: Sequence[Verdict]
) -> list[Change]:
    """Return the changes of what those rules read that stand in the way, of what is denied first."""
    denied = [n for n, verdict in enumerate(verdicts) if verdict.outcome is Outcome.DENY]
    found: dict[tuple[str, Fact | None, Fact], list[int]] = {}
    for n in denied or range(len(every)):
        seen = {**every[n], TODAY: share.whole.today}
        for path, value in obtainable(share.policy, seen, verdicts[n]):
            found.setdefault((path, every[n].get(path), value), []).extend(share.at[n])
    return [
        change
        for (path, _, value), items in found.items()
        if not _done(
            change := Change(path, value, tuple(sorted(items)) if _of_items(path) else ()), made
        )
    ]


def _of_items(path: str) -> bool:
    return path.startswith("item.")


def _done(change: Change, made: Made) -> bool:
    """Tell whether the fact has another value already of *made*; a set may have many words."""
    if isinstance(change.value, frozenset):
        return False
    same = (other for other in made if other.path == change.path)
    return any(not other.items or set(other.items) & set(change.items) for other in same)
