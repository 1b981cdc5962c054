"""The answer that explains a decision."""

from typing import Any, Literal

from gateway.policy import Outcome, Reason
from gateway.web.openapi.answers import Answer


class ExplainedLine(Answer, frozen=True):
    """A condition on the recorded facts. *says* is all of it in words; of a comparison, also its parts."""

    state: Literal["met", "not met", "cannot be established"]
    says: str
    fact: str | None
    label: str | None
    operator: str | None
    compared: str | None
    recorded: str | None
    parts: tuple["ExplainedLine", ...]


class ExplainedRule(Answer, frozen=True):
    """A rule. *established* is false of one that spoke as a precaution, or did not speak."""

    rule: str
    effect: Literal["permit", "deny", "require"]
    title: str
    basis: str
    reason: Reason
    established: bool
    in_force: bool
    condition: ExplainedLine


class AskedBy(Answer, frozen=True):
    """A rule that asks for an obligation, with the term that it asks for."""

    rule: str
    term: Any


class ExplainedObligation(Answer, frozen=True):
    """An obligation as merged, and where it came from."""

    kind: str
    label: str
    phase: Literal["before", "with", "after"]
    term: Any
    asked_by: tuple[AskedBy, ...]


class ExplainedItems(Answer, frozen=True):
    """What is to be said of items alike. *silent* are the permits, if no rule spoke."""

    items: tuple[int, ...]
    names: tuple[str, ...]
    outcome: Outcome
    rules: tuple[ExplainedRule, ...]
    silent: tuple[ExplainedRule, ...]
    nothing_left: tuple[str, ...]
    obligations: tuple[ExplainedObligation, ...]


class ExplainedClearance(Answer, frozen=True):
    """A clearance that was given, and why it does not count if it does not."""

    person: str
    obligation: str
    counts: bool
    why_not: str | None


class WhatIsMissing(Answer, frozen=True):
    """Ways to a permit in words, least first. Unless *complete*, there may be others."""

    ways: tuple[tuple[str, ...], ...]
    complete: bool
    tried: int


class Explanation(Answer, frozen=True):
    """A decision explained for the mechanism. *missing* is null for a permit."""

    outcome: Outcome
    rules_say: Outcome
    today: str
    good_until: str | None
    policy: str
    facts: str
    engine: str
    groups: tuple[ExplainedItems, ...]
    obligations: tuple[ExplainedObligation, ...]
    nothing_left: tuple[str, ...]
    unmet: dict[str, tuple[str, ...]]
    lacking: dict[str, int]
    clearances: tuple[ExplainedClearance, ...]
    missing: WhatIsMissing | None


class Told(Answer, frozen=True):
    """What a recipient may be told of a decision: these two members, of these values alone."""

    outcome: Literal["permit", "not available"]
    reasons: tuple[Reason, ...]


class ShareExplained(Answer, frozen=True):
    """A recorded decision on a share, the *n*th from 0, explained, as data and as *text*.

    *recomputed*: deciding again on the recorded facts leads to what is recorded.
    """

    share: str
    recipient: str
    package: str
    items: int
    n: int
    stage: str
    at: str
    decision: str
    recomputed: bool
    explanation: Explanation
    text: str
    told: Told
