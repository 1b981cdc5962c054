"""Obligations that bite: what the circumstances of a share leave unmet turns its permit into a deny.

The rules say what must be so; whether a derivative was attested, how a copy is marked, how much a
recipient has already and what his system honours are no facts that a rule reads. They are checked here,
after evaluation, against the obligations of the decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.kernel.encoding import Json
from gateway.policy.decide import Decision, PolicySet
from gateway.policy.judge import Outcome
from gateway.policy.obligations import Phase, words

REDACT, WATERMARK, MAX_ITEMS = "redact", "watermark", "max_items"
SUPPORT = "support"
FOREIGN = "marked for another recipient"
UNREADABLE = (
    "unnamed"  # the term says nothing that could be met: a set joins this kind in another way
)
_MET_HERE = frozenset({REDACT, WATERMARK, MAX_ITEMS})
"""Obligations that the mechanism itself meets: a recipient is bound by none of them."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of one share beside its facts; *removed*, *marked* and *foreign* by item, in order.

    *supports*: the kinds of obligation that the recipient's endpoint has announced to honour.
    *removed*: what the item's attested derivation took out. *marked*: how it is marked for this very
    recipient. *foreign*: it is marked for another one. *given*: how many items he has for this case,
    those of this share included.
    """

    supports: frozenset[str]
    removed: Sequence[frozenset[str]]
    marked: Sequence[str]
    foreign: Sequence[bool]
    given: int


def unmet(
    policy: PolicySet,
    single: Sequence[Decision],
    decision: Decision,
    circumstances: Circumstances,
) -> dict[str, tuple[str, ...]]:
    """Return what is unmet, by obligation, for people to read; nothing for a decision that denies.

    *single* are the decisions on the items, *decision* theirs joined.
    """
    if decision.outcome is Outcome.DENY:
        return {}
    found = {
        REDACT: _not_removed(single, circumstances.removed),
        WATERMARK: _not_marked(policy, single, circumstances),
        MAX_ITEMS: _too_many(decision, circumstances.given),
        SUPPORT: _not_honoured(policy, decision, circumstances.supports),
    }
    return {kind: what for kind, what in found.items() if what}


def _not_removed(single: Sequence[Decision], removed: Sequence[frozenset[str]]) -> tuple[str, ...]:
    """Return what some item has to lose and still has. A term that names nothing asks for something."""
    missing: set[str] = set()
    for one, gone in zip(single, removed, strict=True):
        if REDACT in one.terms:
            asked = set(words(one.terms[REDACT]))
            missing |= (asked - gone) if asked else {UNREADABLE}
    return tuple(sorted(missing))


def _not_marked(
    policy: PolicySet, single: Sequence[Decision], circumstances: Circumstances
) -> tuple[str, ...]:
    """Return which marks are missing; and whatever the rules ask, another recipient's copy is not his."""
    missing = {FOREIGN} if any(circumstances.foreign) else set()
    for one, mark in zip(single, circumstances.marked, strict=True):
        if WATERMARK in one.terms:
            asked, order = one.terms[WATERMARK], policy.kinds[WATERMARK].values
            if not isinstance(asked, str):
                missing.add(UNREADABLE)
            elif mark not in order or order.index(mark) < order.index(asked):
                missing.add(asked)
    return tuple(sorted(missing))


def _too_many(decision: Decision, given: int) -> tuple[str, ...]:
    if MAX_ITEMS not in decision.terms:
        return ()
    limit = decision.terms[MAX_ITEMS]
    if not isinstance(limit, int):
        return (UNREADABLE,)
    return (f"{given} of {limit}",) if given > limit else ()


def _not_honoured(
    policy: PolicySet, decision: Decision, supports: frozenset[str]
) -> tuple[str, ...]:
    asked = {kind for kind in decision.terms if policy.kinds[kind].by_recipient}
    return tuple(sorted(asked - supports))


def explain_unmet(unmet_: Mapping[str, Sequence[str]]) -> str:
    """Say to the mechanism's own people what is unmet and what to do about it, a line for each kind."""
    return "\n".join(f"- {kind}: {_TO_DO[kind](what)}" for kind, what in unmet_.items())


def _redact(what: Sequence[str]) -> str:
    return f"{_list(what)} not removed: deposit a redacted derivative and attest it: gateway redact"


def _mark(what: Sequence[str]) -> str:
    if FOREIGN in what:
        return f"an item is {FOREIGN}: share what is not marked, or this recipient's own copy"
    return f"no {_list(what)} mark for this recipient: deposit his own copy and attest it: gateway mark"


def _fewer(what: Sequence[str]) -> str:
    return f"more items than the rules allow ({_list(what)}): propose fewer"


def _announce(what: Sequence[str]) -> str:
    return f"the recipient's endpoint has not announced to honour {_list(what)}: ask for it"


def _list(what: Sequence[str]) -> str:
    return ", ".join(what)


_TO_DO = {REDACT: _redact, WATERMARK: _mark, MAX_ITEMS: _fewer, SUPPORT: _announce}


def stricter(policy: PolicySet, given: Mapping[str, Json], decision: Decision) -> tuple[str, ...]:
    """Return the kinds of obligation of which *decision* asks a recipient for more than was *given*.

    *given* are terms as they were recorded and told to him. What is met before a release, or by the
    mechanism itself, is none of his terms. A term that was not given, or that cannot be read any more,
    counts as less than whatever is asked now.
    """
    found = []
    for kind, term in decision.terms.items():
        obligation = policy.kinds[kind]
        if obligation.phase is Phase.BEFORE or kind in _MET_HERE:
            continue
        told = obligation.recall(given[kind]) if kind in given else None
        if told is None or obligation.join_terms(told, term) != told:
            found.append(kind)
    return tuple(found)


def reasons_of(unmet_: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the categories that a recipient may be told of what is unmet."""
    told = {REDACT: "protection", WATERMARK: "protection", MAX_ITEMS: "quantity", SUPPORT: "terms"}
    return tuple(sorted({told[kind] for kind in unmet_}))
