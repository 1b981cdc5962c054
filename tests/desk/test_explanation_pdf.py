"""The page for the file: always one, with what matters on it, and honest about what it leaves out."""

import re
from typing import Any

import pypdfium2
import pytest

from gateway.desk.explanation_pdf import page, told_page
from gateway.desk.fonts import fonts_for, written
from gateway.policy import apply, explain, explain_to_recipient, render_json
from tests.policy.test_explain import CASES
from tests.policy.test_policy import POLICY, small
from tests.policy.test_ways import policy_of

DAY = "2026-05-01"


def text_of(pdf: bytes) -> str:
    """Return the text of a PDF that has one page, with lines joined."""
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    found = str(document[0].get_textpage().get_text_range())
    document.close()
    return re.sub(r"\s+", " ", found)


def asked(policy: Any, every: list[Any], names: tuple[str, ...] = (), **more: Any) -> Any:
    applied = apply(policy, every, DAY)
    found = render_json(explain(applied, names, look=500))
    told = explain_to_recipient(applied)
    return {"explanation": found, "told": told, "items": len(every), "title": "facts.yaml", **more}


SHARE = {
    "share": "shr_1",
    "recipient_short": "xa-prosecutor",
    "n": 2,
    "stage": "release",
    "at": "2026-05-01T10:00:00Z",
    "decision": "d" * 64,
    "recomputed": True,
}


def test_the_page_of_a_share_holds_rules_facts_and_digests() -> None:
    known = {**CASES[0][1], "item.consent.status": "refused", "recipient.competent": False}
    facts = {path: fact for path, fact in known.items() if path != "item.consent.purposes"}
    text = text_of(page(asked(POLICY, [facts], ("note.pdf",), **SHARE)))
    for part in (
        "DENY",
        "xa-prosecutor",
        "1: note.pdf",
        "consent.refused",
        "Consent form, clause 3",
        "as a precaution",
        "recorded: refused",
        "nothing the mechanism could bring about would change this",
        POLICY.digest,
        "d" * 64,
        "engine 2",
        f"can be recomputed with: gateway policy recompute {'d' * 64}",
    ):
        assert part in text, part
    assert "Warning" not in text
    warned = page(asked(POLICY, [facts], ("note.pdf",), **{**SHARE, "recomputed": False}))
    assert "deciding again on the recorded facts does not lead" in text_of(warned)


def test_the_page_of_facts_given_by_hand_claims_no_record() -> None:
    text = text_of(page(asked(small({"effect": "permit", "when": True}), [{}])))
    assert "nothing is recorded of it" in text
    assert "recompute " not in text
    silent = text_of(
        page(asked(small({"effect": "permit", "when": {"eq": ["item.t", True]}}), [{}]))
    )
    assert "No rule permits it" in silent
    assert "precaution" not in silent


def test_obligations_ways_and_what_is_lacking_stand_on_the_page() -> None:
    asks = {"approval": {"legal_adviser": 1}, "purposes": ["p"], "expiry": 5}
    policy = policy_of(
        {"effect": "permit", "when": True, "obligations": asks},
        {"effect": "require", "when": {"not": {"eq": ["item.a", True]}}, "obligations": {"approval": {"head": 1}}},
    )  # fmt: skip
    text = text_of(page(asked(policy, [{"item.a": False}, {"item.a": True}])))
    for part in (
        "HOLD",
        "before release",
        "r0: p",
        "lacking approval:head (1)",
        "either",
        " or ",
        "and",
    ):
        assert part in text, part
    cut = asked(policy, [{"item.a": False}])
    cut["explanation"]["missing"] = {"ways": [["one"]], "complete": False, "tried": 3}
    assert "there may be other ways" in text_of(page(cut))
    cut["explanation"]["missing"] = {"ways": [], "complete": False, "tried": 3}
    cut["explanation"]["unmet"] = {"redact": ["names"]}
    cut["explanation"]["nothing_left"] = ["purposes"]
    cut["explanation"]["rules_say"] = "permit"
    cut["explanation"]["clearances"] = [
        {"person": "psn_1", "obligation": "approval:head", "counts": True, "why_not": None},
        {"person": "psn_2", "obligation": "approval:head", "counts": False, "why_not": "late"},
    ]
    text = text_of(page(cut))
    for part in ("within 3 decisions", "unmet: redact names", "leave no purposes",
                 "the rules alone say permit", "psn_1; counts", "does not count: late"):  # fmt: skip
        assert part in text, part


def long_one(rules: int, letters: int, items: int) -> Any:
    """Return an explanation of many rules with long titles, of many items with long names."""
    said: list[dict[str, object]] = [
        {"effect": "deny", "title": f"{n} {'long ' * letters}", "basis": "law " * letters,
         "when": {"not": {"eq": ["item.a", n % 2 == 0]}}}
        for n in range(rules)
    ]  # fmt: skip
    policy = policy_of(*said)
    every = [{"item.n": n % 4} for n in range(items)]
    return asked(policy, every, tuple(f"{'name' * 30}-{n}.pdf" for n in range(items)), **SHARE)


@pytest.mark.parametrize(
    ("rules", "letters", "items"), [(30, 5, 5), (120, 10, 40), (8, 400, 1), (60, 200, 100)]
)
def test_a_long_explanation_is_abridged_to_one_page_and_says_so(
    rules: int, letters: int, items: int
) -> None:
    text = text_of(page(long_one(rules, letters, items)))
    assert "see the full text" in text or rules == 30
    counted = re.search(r"and ([0-9]+) more, see the full text", text)
    assert counted or rules < 60
    assert "can be recomputed with" in text
    assert "d" * 64 in text


def test_what_a_recipient_may_be_told_is_all_that_stands_on_his_page() -> None:
    facts = {"item.consent.status": "refused", "recipient.competent": False}
    data = asked(POLICY, [facts], ("note.pdf",), **SHARE)
    text = text_of(told_page(data))
    assert text.strip().startswith("Answer NOT AVAILABLE Outcome not available Reason")
    told = set(text.replace(",", "").split())
    assert told <= {
        *("Answer", "NOT", "AVAILABLE", "Outcome", "not", "available", "Reason"),
        *data["told"]["reasons"],
    }
    permitted = {**data, "told": {"outcome": "permit", "reasons": []}}
    assert "Reason none" in text_of(told_page(permitted))


def test_names_in_other_alphabets_are_embedded_or_written_by_number() -> None:
    names = ("Łódź ß œ é.pdf", "Ярослав.pdf", "漢字.pdf")
    policy = small({"effect": "permit", "when": {"eq": ["item.t", True]}})
    text = text_of(page(asked(policy, [{}] * 3, names)))
    assert "Łódź ß œ é.pdf" in text
    regular, _ = fonts_for("".join(names))
    if regular != "Vera":  # a font of this machine has Cyrillic
        assert "Ярослав.pdf" in text
    assert "[U+6F22][U+5B57].pdf" in text
    vera, bold = fonts_for("plain")
    assert (vera, bold) == ("Vera", "VeraBd")
    assert written("Я\x07\u2003x", vera) == "[U+042F]  x"


def test_the_same_explanation_makes_the_same_bytes() -> None:
    data = asked(POLICY, [{}], ("note.pdf",), **SHARE)
    assert page(data) == page(data)
