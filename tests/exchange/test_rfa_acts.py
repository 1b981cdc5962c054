"""Acts on RFAs: each member's bounds, and what only belongs together."""

from typing import Any

import pytest

from gateway.exchange import acts, rfa_acts
from gateway.exchange.acts import act_of
from gateway.exchange.parse import build, plain
from gateway.kernel.encoding import b64url
from gateway.kernel.errors import MalformedError
from tests.exchange.examples import CHECKS, GOOD, SEALED, WANTED, body
from tests.exchange.world import ident

OTHER = ident("clr", 1)
ON_AN_RFA = sorted(kind for kind in GOOD if kind.startswith("rfa.") and kind != "rfa.record")
WITH_TEXT = [kind for kind in ON_AN_RFA if "content" in GOOD[kind]]


def wanted(**changes: Any) -> dict[str, Any]:
    return {"wanted": {**WANTED, **changes}}


def changed(n: int, **changes: Any) -> dict[str, Any]:
    """Return the five checks with one changed."""
    checks = [dict(check) for check in CHECKS]
    checks[n] |= changes
    return {"checks": checks}


@pytest.mark.parametrize(
    ("kind", "changes", "says", "field"),
    [
        *((kind, {"id": OTHER}, "starting with stp", "/act") for kind in ON_AN_RFA),
        *((kind, {"rfa": OTHER}, "starting with rfa", "/act") for kind in ON_AN_RFA),
        *((kind, {"rfa": "rfa_x"}, "not an id", "/act") for kind in ON_AN_RFA),
        *((kind, {"content": "text"}, "age file", "/act") for kind in WITH_TEXT),
        ("rfa.record", {"id": OTHER}, "starting with stp", "/act"),
        ("rfa.record", {"rfa": OTHER}, "starting with rfa", "/act"),
        ("rfa.record", {"authority": OTHER}, "starting with pty", "/act"),
        ("rfa.record", {"scan": OTHER}, "starting with itm", "/act"),
        ("rfa.record", {"number": ""}, "number has 1 to 64", "/act"),
        ("rfa.record", {"received": "yesterday"}, "a date such as", "/act"),
        ("rfa.record", {"due": "2027-02-30"}, "a date such as", "/act"),
        ("rfa.record", wanted(investigation=""), "investigation has 1 to 128", "/act/wanted"),
        ("rfa.record", wanted(investigation="x" * 129), "investigation has", "/act/wanted"),
        ("rfa.record", wanted(purpose=""), "purpose has 1 to 64", "/act/wanted"),
        ("rfa.record", wanted(crimes=[]), "names its crimes", "/act/wanted"),
        ("rfa.record", wanted(crimes=["genocide"] * 2), "names its crimes", "/act/wanted"),
        ("rfa.record", wanted(crimes=["theft"]), "invalid enum", "/act/wanted/crimes/0"),
        ("rfa.record", wanted(products=[]), "names the products", "/act/wanted"),
        ("rfa.record", wanted(products=["evidence"] * 2), "names the products", "/act/wanted"),
        ("rfa.record", wanted(death_penalty="no"), "invalid enum", "/act/wanted/death_penalty"),
        ("rfa.record", wanted(in_absentia=1), "expected `bool`", "/act/wanted/in_absentia"),
        ("rfa.record", wanted(due="soon"), "a date such as", "/act/wanted"),
        ("rfa.record", wanted(parent=OTHER), "starting with rfa", "/act/wanted"),
        ("rfa.record", wanted(text="all of it"), "unknown field", "/act/wanted"),
        ("rfa.confirm", {"record": ""}, "hex", "/act"),
        ("rfa.strike", {"reason": ""}, "reason has 1 to 4000", "/act"),
        ("rfa.register", {"request": ""}, "hex", "/act"),
        ("rfa.register", {"number": "x" * 65}, "number has 1 to 64", "/act"),
        ("rfa.register", {"investigation": ""}, "investigation has 1 to 128", "/act"),
        ("rfa.register", {"purpose": "x" * 65}, "purpose has 1 to 64", "/act"),
        ("rfa.register", {"due": ""}, "a date such as", "/act"),
        ("rfa.assess", {"request": "x"}, "hex", "/act"),
        ("rfa.assess", {"valid_to": "2027"}, "a date such as", "/act"),
        ("rfa.assess", {"checks": CHECKS[:4]}, "each of authority", "/act"),
        ("rfa.assess", {"checks": [*CHECKS, CHECKS[0]]}, "each of authority", "/act"),
        ("rfa.assess", changed(0, name="form"), "each of authority", "/act"),
        ("rfa.assess", changed(1, name="luck"), "invalid enum", "/act/checks/1/name"),
        ("rfa.assess", changed(2, met=None), "expected `bool`", "/act/checks/2/met"),
        ("rfa.assess", changed(3, evidence=""), "evidence has 1 to 1000", "/act/checks/3"),
        ("rfa.assess", changed(4, evidence="x" * 1001), "evidence has", "/act/checks/4"),
        ("rfa.extend", {"due": "2027-13-01"}, "a date such as", "/act"),
        ("rfa.extend", {"reason": "x" * 4001}, "reason has 1 to 4000", "/act"),
        ("rfa.answer", {"outcome": "perhaps"}, "invalid enum", "/act/outcome"),
        ("rfa.answer", {"shares": []}, "with packages names their shares", "/act"),
        ("rfa.answer", {"outcome": "no_material"}, "with packages names", "/act"),
        ("rfa.answer", {"outcome": "service"}, "with packages names", "/act"),
        ("rfa.answer", {"shares": [OTHER]}, "starting with shr", "/act"),
        ("rfa.answer", {"shares": [ident("shr", 1)] * 2}, "each share once", "/act"),
        ("rfa.decline", {"reason": ""}, "reason has 1 to 4000", "/act"),
        ("rfa.reopen", {"due": "x"}, "a date such as", "/act"),
        ("rfa.reopen", {"reason": ""}, "reason has 1 to 4000", "/act"),
        ("rfa.close", {"reason": "done"}, "unknown field", "/act"),
    ],
)
def test_an_act_on_an_rfa_of_another_form_is_malformed_and_says_where(
    kind: str, changes: dict[str, Any], says: str, field: str
) -> None:
    with pytest.raises(MalformedError, match=says) as caught:
        act_of(body(kind, **changes))
    assert caught.value.field.startswith(field)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b64url(b"a letter in clear"), "content is an age file"),
        (b64url(b"age-encryption.org/v2\n"), "content is an age file"),
        (b64url(b"age-encryption.org/v1"), "content is an age file"),
        ("", "content is an age file"),
        (SEALED + "=", "content: "),
        ("not base64url!", "content: "),
        ("A" * ((512 << 10) + 1), "at most 524288 characters"),
    ],
)
def test_a_text_for_the_other_side_is_sealed_or_refused(content: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rfa_acts.must_be_sealed(content, rfa_acts.MAX_LETTER)
    with pytest.raises(MalformedError, match=says):
        act_of(body("rfa.ask", content=content))


def test_a_sealed_text_may_be_as_long_as_fits_a_request() -> None:
    head = SEALED[: len(SEALED) // 4 * 4]
    rfa_acts.must_be_sealed(head + "A" * ((4 << 20) - len(head)), rfa_acts.MAX_CONTENT)


@pytest.mark.parametrize("outcome", ["service", "no_material"])
def test_an_answer_without_packages_names_no_shares(outcome: str) -> None:
    made = act_of(body("rfa.answer", outcome=outcome, shares=[]))
    assert isinstance(made, acts.AnswerRfa)
    assert (made.outcome, made.shares) == (outcome, ())


def test_an_assessment_is_met_when_all_five_checks_are() -> None:
    one_not = act_of(body("rfa.assess"))
    assert isinstance(one_not, acts.AssessRfa)
    assert not one_not.met
    every = act_of(body("rfa.assess", checks=[{**check, "met": True} for check in CHECKS]))
    assert isinstance(every, acts.AssessRfa)
    assert every.met
    assert {check.name for check in every.checks} == set(rfa_acts.CheckName)


def test_a_plain_wish_has_neither_date_nor_parent_nor_trial_in_absentia() -> None:
    least = {
        key: value for key, value in WANTED.items() if key not in ("in_absentia", "due", "parent")
    }
    made = build(least, acts.Wanted)
    assert (made.in_absentia, made.due, made.parent) == (False, None, None)
    assert build(plain(made), acts.Wanted) == made
