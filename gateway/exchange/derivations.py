"""What a chain of derivations is worth for one recipient: what it took out, and for whom it is marked."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.exchange.derivation_acts import Derive


@dataclass(frozen=True, slots=True)
class Worth:
    """What was done to an item on its way from the first original.

    *removed*: everything that was taken out. *mark*: the strictest that is for this recipient.
    *foreign*: some mark is for another one, and stays in whatever is made from such a copy.
    """

    removed: frozenset[str]
    mark: str
    foreign: bool


def worth(chain: Sequence[Derive], recipient: str, marks: Sequence[str]) -> Worth:
    """Return what a chain is worth for *recipient*; *marks* are those known, from mild to strict."""
    his = [one.mark for one in chain if one.recipient == recipient and one.mark in marks]
    return Worth(
        removed=frozenset(word for one in chain for word in one.removed),
        mark=max(his, key=marks.index, default="none"),
        foreign=any(one.recipient not in (None, recipient) for one in chain),
    )
