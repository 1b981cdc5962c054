"""What an attestation of a derivation cannot say."""

from typing import Any

import pytest

from gateway.exchange.acts import Derive, Relation, RelationKind, relation_to
from gateway.exchange.parse import build
from gateway.kernel.errors import MalformedError
from tests.exchange.examples import GOOD
from tests.exchange.world import ident

MADE: dict[str, Any] = {"type": "item.derive", **GOOD["item.derive"]}
CHECK = MADE["checks"][0]


def test_what_is_removed_and_marked_for_one_is_attested() -> None:
    act = build(MADE, Derive)
    assert (act.removed, act.mark, act.recipient) == (("witness_identity",), "none", None)
    marked = {"removed": [], "mark": "forensic", "recipient": ident("pty", 1)}
    assert build({**MADE, **marked}, Derive).mark == "forensic"
    both = build({**MADE, **marked, "removed": ["location"]}, Derive)
    assert both.removed == ("location",)


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"original": MADE["item"]}, "another file than its original"),
        ({"original_sha256": MADE["item_sha256"]}, "another file than its original"),
        ({"removed": ["location", "location"]}, "named once each"),
        ({"removed": [f"w{n}" for n in range(65)]}, "named once each"),
        ({"removed": []}, "something removed, or a mark"),
        ({"mark": "visible"}, "a mark is for one recipient"),
        ({"recipient": ident("pty", 1)}, "a mark is for one recipient"),
        ({"mark": "visible", "recipient": ident("psn", 1)}, "pty"),
        ({"mark": "loud", "recipient": ident("pty", 1)}, "loud"),
        ({"checks": []}, "1 to 64 checks"),
        ({"checks": [CHECK] * 65}, "1 to 64 checks"),
        ({"checks": [CHECK, {**CHECK, "passed": False}]}, "a check of the derivative failed"),
        ({"checks": [{**CHECK, "name": ""}]}, "name"),
        ({"checks": [{**CHECK, "detail": ""}]}, "detail"),
        ({"method": ""}, "method"),
        ({"item_sha256": "A" * 64}, "digest|hex"),
        ({"item": ident("shr", 1)}, "itm"),
        ({"more": 1}, "more"),
    ],
)
def test_what_it_cannot_say(over: dict[str, Any], says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        build({**MADE, **over}, Derive)


def test_what_lost_something_is_a_redaction_and_what_is_only_marked_a_copy() -> None:
    original = ident("itm", 1)
    assert relation_to(original, ["location"]) == Relation(RelationKind.REDACTION, original)
    assert relation_to(original, ()) == Relation(RelationKind.COPY, original)
