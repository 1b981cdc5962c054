"""Recorded facts judged again: by another set, to see what it turns; by the same, to see that it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.kernel.encoding import Json
from gateway.policy.decide import ENGINE, Decision, PolicySet, join
from gateway.policy.judge import Outcome
from gateway.policy.rules import Effect
from gateway.policy.vocabulary import Fact, Facts

_JURISDICTION, _PRODUCT = "recipient.jurisdiction", "item.product"


@dataclass(frozen=True, slots=True)
class Flip:
    """One kind of change: which outcome became which, by which rules, for which product and state."""

    before: str
    after: str
    rules: tuple[str, ...]
    product: str
    jurisdiction: str

    @property
    def opens(self) -> bool:
        """Tell whether something goes out now that did not: that needs a sign-off."""
        return self.after == Outcome.PERMIT.value

    def to_json(self) -> dict[str, Json]:
        """Return the flip as JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "rules": [*self.rules],
            "product": self.product,
            "jurisdiction": self.jurisdiction,
        }


def revive(recorded: Mapping[str, Json]) -> dict[str, Fact]:
    """Return recorded facts as they were judged: a list is a set."""
    found: dict[str, Fact] = {}
    for path, value in recorded.items():
        if isinstance(value, list):
            found[path] = frozenset(str(word) for word in value)
        elif isinstance(value, bool | int | str):
            found[path] = value
    return found


def decide_all(policy: PolicySet, every: Sequence[Facts], today: str) -> Decision:
    """Decide the items of one share, and the share."""
    return join(policy, [policy.decide(facts, today) for facts in every])


def known_to(policy: PolicySet, facts: Facts) -> dict[str, Fact]:
    """Return the facts that a set's vocabulary knows; of the occasion all, as at a decision."""
    attributes = policy.vocabulary.attributes
    return {
        path: value
        for path, value in facts.items()
        if path.startswith("context.")
        or ((known := attributes.get(path)) is not None and known.valid(value))
    }


def moved(facts: Facts, before: Facts, after: Facts) -> dict[str, Fact]:
    """Return recorded facts as if the register had said *after* where it said *before*.

    What somebody attested instead stays: it is not what the register said.
    """
    found = dict(facts)
    for path in {*before, *after}:
        old, new, recorded = before.get(path), after.get(path), facts.get(path)
        if isinstance(recorded, frozenset):
            left = (recorded - _words(old)) | _words(new)
            if left or new is not None:
                found[path] = left
            else:
                del found[path]
        elif recorded == old and new is not None:
            found[path] = new
        elif recorded == old:
            found.pop(path, None)
    return found


def _words(fact: Fact | None) -> frozenset[str]:
    return fact if isinstance(fact, frozenset) else frozenset()


def flip(before: Decision | None, recorded: str, after: Decision, facts: Facts) -> Flip | None:
    """Return how a decision turns, if it does. *recorded* is the outcome if no set was in force."""
    old = before.outcome.value if before is not None else recorded
    if old == after.outcome.value:
        return None
    return Flip(
        before=old,
        after=after.outcome.value,
        rules=_because(before, after),
        product=str(facts.get(_PRODUCT, "")),
        jurisdiction=str(facts.get(_JURISDICTION, "")),
    )


def _because(before: Decision | None, after: Decision) -> tuple[str, ...]:
    """Return the rules that make the difference: what denies or requires on one side alone."""
    old, new = _strict(before), _strict(after)
    only = old ^ new
    every = {f.rule for f in (*(before.fired if before else ()), *after.fired)}
    return tuple(sorted(only or old | new or every))


def _strict(decision: Decision | None) -> set[str]:
    if decision is None:
        return set()
    return {f.rule for f in decision.fired if f.effect is not Effect.PERMIT}


def differences(
    policy: PolicySet,
    recorded: Mapping[str, Json],
    facts: Sequence[Mapping[str, Json]],
    today: str,
) -> list[str]:
    """Return which members of a recorded decision come out otherwise when it is decided again.

    *good_until* may have been recorded earlier than the rules alone say: facts have terms too.
    """
    made = decide_all(policy, [revive(one) for one in facts], today).to_json()
    found = [
        f"{name} was {recorded.get(name)!r}, is {value!r}"
        for name, value in made.items()
        if name not in ("good_until", "engine") and recorded.get(name) != value
    ]
    until, said = made["good_until"], recorded.get("good_until")
    if until is not None and (said is None or str(said) > str(until)):
        found.append(f"good_until was {said!r}, is {until!r}")
    if recorded.get("engine") != ENGINE:
        found.append(f"engine was {recorded.get('engine')!r}, is {ENGINE!r}")
    return found
