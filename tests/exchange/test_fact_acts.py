"""Acts that state facts or history: each member's bounds, and what they can be about."""

from typing import Any

import pytest

from gateway.exchange import acts, history_acts
from gateway.exchange.acts import act_of
from gateway.kernel.errors import MalformedError
from tests.exchange.examples import EVIDENCE, GOOD, ROWS, body
from tests.exchange.world import ident

OTHER = ident("clr", 1)


def cited(**changes: Any) -> dict[str, Any]:
    return {"evidence": {**EVIDENCE, **changes}}


def row(kind: str, **changes: Any) -> dict[str, Any]:
    return {"rows": [{**ROWS[kind], **changes}]}


@pytest.mark.parametrize(
    ("kind", "changes", "says", "field"),
    [
        ("fact.attest", {"id": OTHER}, "starting with att", "/act"),
        ("fact.attest", {"fact": ""}, "fact has 1 to 128", "/act"),
        ("fact.attest", {"fact": "recipient." + "x" * 119}, "fact has 1 to 128", "/act"),
        ("fact.attest", {"fact": "item.sgbv"}, "a fact about recipients", "/act"),
        ("fact.attest", {"fact": "context.rfa.admitted"}, "a fact about recipients", "/act"),
        ("fact.attest", {"fact": "recipient.jurisdiction"}, "a fact about recipients", "/act"),
        ("fact.attest", {"value": None}, "states a value", "/act"),
        ("fact.attest", {"jurisdiction": ""}, "jurisdiction has 1 to 16", "/act"),
        ("fact.attest", {"jurisdiction": "X" * 17}, "jurisdiction has 1 to 16", "/act"),
        ("fact.attest", {"valid_from": "today"}, "a date such as", "/act"),
        ("fact.attest", {"valid_to": "2027-02-29"}, "a date such as", "/act"),
        ("fact.attest", {"valid_to": "2026-11-22"}, "ends after it begins", "/act"),
        ("fact.attest", {"authority": OTHER}, "starting with pty", "/act"),
        ("fact.attest", {"case": ""}, "case has 1 to 128", "/act"),
        ("fact.attest", {"case": "x" * 129}, "case has 1 to 128", "/act"),
        ("fact.attest", cited(kind="hearsay"), "invalid enum", "/act/evidence/kind"),
        ("fact.attest", cited(digest="x"), "hex", "/act/evidence"),
        ("fact.attest", cited(label=""), "label has 1 to 255", "/act/evidence"),
        ("fact.attest", cited(label="x" * 256), "label has 1 to 255", "/act/evidence"),
        ("fact.end", {"attestation": OTHER}, "starting with att", "/act"),
        ("fact.end", {"reason": ""}, "reason has 1 to 4000", "/act"),
        ("amend", {"id": OTHER}, "starting with amd", "/act"),
        ("amend", {"item": OTHER}, "starting with itm", "/act"),
        ("amend", {"before": ""}, "hex", "/act"),
        ("amend", {"facts": []}, "expected `object`", "/act/facts"),
        ("amend", cited(digest=""), "hex", "/act/evidence"),
        ("declare", {"id": OTHER}, "starting with dcl", "/act"),
        ("declare", {"file": ""}, "hex", "/act"),
        ("declare", {"rows": []}, "1 to 500 rows", "/act"),
        ("declare", {"rows": [{**ROWS["rfa"], "type": "rumour"}]}, "invalid value", "/act/rows/0"),
        ("declare", row("rfa", number=""), "number has 1 to 64", "/act/rows/0"),
        ("declare", row("rfa", authority=""), "authority has 1 to 64", "/act/rows/0"),
        ("declare", row("rfa", investigation=""), "investigation has", "/act/rows/0"),
        ("declare", row("rfa", received="2019"), "a date such as", "/act/rows/0"),
        ("declare", row("rfa", outcome="lost"), "invalid enum", "/act/rows/0/outcome"),
        ("declare", row("rfa", more=1), "unknown field", "/act/rows/0"),
        ("declare", row("share", number="x" * 65), "number has 1 to 64", "/act/rows/0"),
        ("declare", row("share", authority=""), "authority has 1 to 64", "/act/rows/0"),
        ("declare", row("share", product="x"), "invalid enum", "/act/rows/0/product"),
        ("declare", row("share", purpose=""), "purpose has 1 to 64", "/act/rows/0"),
        ("declare", row("share", shared="x"), "a date such as", "/act/rows/0"),
        ("declare", row("share", rfa="x" * 65), "at most 64", "/act/rows/0"),
        ("declare", row("holder", sha256="x"), "hex", "/act/rows/0"),
        ("declare", row("holder", authority="x" * 65), "authority has", "/act/rows/0"),
        ("declare", row("holder", purpose="x" * 65), "purpose has 1 to 64", "/act/rows/0"),
        ("declare", row("holder", since="x"), "a date such as", "/act/rows/0"),
    ],
)
def test_an_act_on_facts_of_another_form_is_malformed_and_says_where(
    kind: str, changes: dict[str, Any], says: str, field: str
) -> None:
    with pytest.raises(MalformedError, match=says) as caught:
        act_of(body(kind, **changes))
    assert caught.value.field.startswith(field)


def test_an_attestation_may_be_about_a_whole_state_and_end_on_its_first_day() -> None:
    made = act_of(body("fact.attest", authority=None, case=None, valid_to="2026-11-23"))
    assert isinstance(made, acts.Attest)
    assert (made.authority, made.case) == (None, None)
    assert made.valid_from == made.valid_to


def test_a_declaration_holds_rows_of_every_kind_up_to_a_limit() -> None:
    made = act_of(body("declare"))
    assert isinstance(made, acts.Declare)
    assert [type(one) for one in made.rows] == [
        history_acts.DeclaredRfa,
        history_acts.DeclaredShare,
        history_acts.DeclaredHolder,
    ]
    most = act_of(body("declare", rows=[ROWS["holder"]] * history_acts.MAX_ROWS))
    assert isinstance(most, acts.Declare)
    with pytest.raises(MalformedError, match="1 to 500 rows"):
        act_of(body("declare", rows=[ROWS["holder"]] * (history_acts.MAX_ROWS + 1)))


def test_a_share_that_was_declared_without_an_rfa_was_proactive() -> None:
    said = {key: value for key, value in ROWS["share"].items() if key != "rfa"}
    made = act_of(body("declare", rows=[said]))
    assert isinstance(made, acts.Declare)
    assert isinstance(made.rows[0], history_acts.DeclaredShare)
    assert made.rows[0].rfa == ""


def test_what_is_declared_or_attested_takes_a_person() -> None:
    for kind in GOOD:
        _, person = acts.RIGHTS[type(act_of(body(kind)))]
        services = ("upload", "complete", "deposit", "package", "propose", "share.rewrap")
        assert person is (kind not in services)
