"""Our decisions set beside those that Cedar makes of the same rules on the same requests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.authoring import cedar
from gateway.authoring.extras import library
from gateway.authoring.strictness import demands, numbers_of, terms_of
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Outcome
from gateway.policy.obligations import Join, Obligation, Phase
from gateway.policy.rules import Rule
from gateway.policy.vocabulary import TODAY, Facts

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What one engine says: the outcome, and exactly the rules that speak."""

    outcome: Outcome
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Facts, today among them, on which the two engines differ."""

    facts: Facts
    ours: Answer
    cedar: Answer | None
    """None if Cedar met an error."""


class Oracle:
    """Cedar with a set loaded. Raises UnavailableError without cedarpy."""

    def __init__(self, policy: PolicySet) -> None:
        self._cedar = library("cedarpy")
        self._policy = policy
        self._rules = self._cedar.PolicySet.from_str(cedar.policies(policy))
        self._nobody = self._cedar.Entities.from_json_str("[]")
        self._by_id = {rule.id: rule for rule in policy.rules}

    def answers(self, requests: Iterable[Facts]) -> Iterator[tuple[Facts, Answer | None]]:
        """Yield each request with what Cedar says of it, None for an error."""
        source = iter(requests)
        while batch := [*islice(source, _BATCH)]:
            yield from zip(batch, self._of(batch), strict=True)

    def _of(self, batch: Sequence[Facts]) -> Iterator[Answer | None]:
        """Yield Cedar's answers; obligations are asked of what it would release alone."""
        released = self._asked(batch, cedar.RELEASE)
        leaving = [facts for facts, reply in zip(batch, released, strict=True) if reply.allowed]
        required = iter(self._asked(leaving, cedar.OBLIGATE))
        for reply in released:
            second = next(required) if reply.allowed else reply
            if reply.diagnostics.errors or second.diagnostics.errors:
                yield None
            elif reply.allowed:
                yield self._allowed(_ids(reply) | _ids(second))
            else:
                yield Answer(Outcome.DENY, _ids(reply))

    def _asked(self, batch: Sequence[Facts], action: str) -> Any:
        requests = [cedar.request(self._policy.vocabulary, facts, action) for facts in batch]
        return self._cedar.is_authorized_batch(requests, self._rules, self._nobody)

    def _allowed(self, ids: frozenset[str]) -> Answer:
        """Return the answer where these rules permit and require, their demands put together."""
        return Answer(_outcome([self._by_id[one] for one in ids], self._policy.kinds), ids)


def disagreements(
    policy: PolicySet, answers: Iterable[tuple[Facts, Answer | None]]
) -> Iterator[Disagreement]:
    """Yield every request on which we and Cedar differ, in the outcome or in a rule that speaks."""
    for facts, theirs in answers:
        ours = _ours(policy, facts)
        if ours != theirs:
            yield Disagreement(facts, ours, theirs)


def _outcome(rules: Sequence[Rule], kinds: Mapping[str, Obligation]) -> Outcome:
    numbers = numbers_of(terms_of(rules))
    asked = frozenset(d for rule in rules for d in demands(kinds, rule.terms, numbers))
    for name in {kind for kind, _ in asked}:
        kind = kinds[name]
        if kind.join is Join.INTERSECTION and all((name, v) in asked for v in kind.values):
            return Outcome.DENY
    waits = any(kinds[name].phase is Phase.BEFORE for name, _ in asked)
    return Outcome.HOLD if waits else Outcome.PERMIT


def _ours(policy: PolicySet, facts: Facts) -> Answer:
    stated = dict(facts)
    verdict = policy.judge(stated, str(stated.pop(TODAY)))
    return Answer(verdict.outcome, frozenset(rule.id for rule, _ in verdict.fired))


def _ids(reply: Any) -> frozenset[str]:
    """Return the rules that Cedar gives as its reasons."""
    named = reply.diagnostics.id_annotations_by_reason
    return frozenset(named[reason] for reason in reply.diagnostics.reasons)
