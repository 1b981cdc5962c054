"""What is kept back from an authority: why it came to that, and the act by which a named person reviews it."""

from enum import StrEnum

import msgspec

from gateway.exchange.bounds import MAX_TEXT, must_be_id, must_have_text


class Cause(StrEnum):
    """How it came about that an item was kept back."""

    DENIED = "denied"  # it was proposed, and itself denied
    OMITTED = "omitted"  # a later package left out what an earlier one had
    NOT_OFFERED = "not_offered"  # the RFA was answered or declined before it had been offered


class Finding(StrEnum):
    """What a reviewer found of an item that is kept back."""

    UPHELD = "upheld"  # it may stay so
    DISCLOSE = "disclose"  # it must be offered, in some form


class ReviewWithheld(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="withheld.review"
):
    """Review that an item is kept back. *reason* stays with the mechanism."""

    id: str
    withheld: str
    finding: Finding
    reason: str

    def __post_init__(self) -> None:
        must_be_id(self.id, "rvw")
        must_be_id(self.withheld, "wth")
        must_have_text(self.reason, MAX_TEXT, "reason")
