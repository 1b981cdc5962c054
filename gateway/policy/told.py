"""What a recipient may be told of a decision: available or not, and categories; nothing else, ever.

The answer is made of the outcome and the categories alone, so that whatever leads to the same ones is
told in the same words. A hold looks like a refusal: whether somebody is asked is not the recipient's
to know. A rule about originator control must say a category that rules on other matters also say.
"""

from collections.abc import Iterable

from gateway.kernel.encoding import Json
from gateway.policy.applied import Applied
from gateway.policy.enforce import reasons_of
from gateway.policy.judge import Outcome
from gateway.policy.rules import Reason

PERMITTED, NOT_AVAILABLE = "permit", "not available"


def tell(outcome: Outcome, reasons: Iterable[Reason | str]) -> dict[str, Json]:
    """Return what a recipient may be told. Raises ValueError for what is no category."""
    if outcome is Outcome.PERMIT:
        return {"outcome": PERMITTED, "reasons": []}
    named = set(map(Reason, reasons)) if outcome is Outcome.DENY else set()
    told: list[Json] = [*sorted(reason.value for reason in named)]
    return {"outcome": NOT_AVAILABLE, "reasons": told or [Reason.OTHER.value]}


def explain_to_recipient(applied: Applied) -> dict[str, Json]:
    """Explain a decision, as it stands with clearances and circumstances, to whom it concerns."""
    return tell(applied.outcome, {*applied.decision.reasons, *reasons_of(applied.unmet)})
