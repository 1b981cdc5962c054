"""Which items of a denied share would be denied alone, and why: the others are not kept back by it."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import (
    Applied,
    Circumstances,
    Denial,
    Fact,
    Outcome,
    apply,
    denied_alone,
    denied_together,
)
from tests.policy.test_enforce import FLAGS, POLICY, WORDS, policy_with

DAY = "2026-05-01"
HONOURED = frozenset({"training"})


def applied(flags: Sequence[set[str]], to: str = "XA", **over: Any) -> Applied:
    """Decide items of which these flags are true; nothing was done to any of them."""
    every: list[dict[str, Fact]] = [
        {"recipient.id": to, **{f"item.{flag}": flag in on for flag in FLAGS}} for on in flags
    ]
    known = {
        "supports": HONOURED,
        "removed": [frozenset[str]()] * len(flags),
        "marked": ["none"] * len(flags),
        "foreign": [False] * len(flags),
        "given": len(flags),
    }
    return apply(POLICY, every, DAY, circumstances=Circumstances(**{**known, **over}))


def test_a_permit_keeps_nothing_back() -> None:
    assert denied_alone(applied([set(), set()])) == {}


def test_what_is_unmet_of_one_item_is_that_items_alone() -> None:
    said = applied([set(), {"t"}, {"u"}, set()])
    assert said.outcome is Outcome.DENY
    assert denied_alone(said) == {
        1: Denial(("face",), ("protection",), {"redact": ("face",)}),
        2: Denial(("mark",), ("protection",), {"watermark": ("visible",)}),
    }
    assert denied_alone(applied([set(), {"t"}], removed=[frozenset(), frozenset(WORDS)])) == {}


def test_a_foreign_mark_and_what_is_not_honoured_are_of_the_item() -> None:
    foreign = denied_alone(applied([set(), set()], foreign=[False, True]))
    assert foreign == {
        1: Denial((), ("protection",), {"watermark": ("marked for another recipient",)})
    }
    found = denied_alone(applied([set(), {"orcon"}], supports=frozenset()))[1]
    assert (found.rules, found.reasons) == (("few",), ("terms",))


def test_too_many_together_are_none_alone_but_one_too_many_is() -> None:
    three = [{"orcon"}, set(), {"orcon"}]
    assert applied(three).outcome is Outcome.DENY
    assert denied_alone(applied(three)) == {}, "each alone would be permitted"
    assert denied_together(applied(three)) == Denial(
        ("few",), ("quantity",), {"max_items": ("3 of 2",)}
    )
    found = denied_alone(applied(three, given=5))
    assert set(found) == {0, 2}, "two others were given before"
    assert found[0] == Denial(("few",), ("quantity",), {"max_items": ("3 of 2",)})


def test_what_no_rule_permits_names_none() -> None:
    found = denied_alone(applied([set(), {"t"}], to="XB"))
    assert {n: (one.rules, one.unmet) for n, one in found.items()} == {0: ((), {}), 1: ((), {})}


def test_a_deny_rule_is_named_and_not_what_is_asked_beside_it() -> None:
    rules = (
        b"rules:\n"
        b"- {id: all, effect: permit, title: t, basis: b, when: {eq: [recipient.id, XA]}}\n"
        b"- {id: no, effect: deny, title: t, basis: b, reason: consent, when: {eq: [item.t, true]}}\n"
        b"- {id: face, effect: require, title: t, basis: b, when: {eq: [item.t, true]},"
        b" obligations: {redact: [face]}}\n"
    )
    every: list[dict[str, Fact]] = [
        {"recipient.id": "XA", "item.t": True},
        {"recipient.id": "XA", "item.t": False},
    ]
    found = denied_alone(apply(policy_with(rules=rules), every, DAY))
    assert set(found) == {0}
    assert found[0].rules == ("no",)
    assert "consent" in found[0].reasons


@given(st.lists(st.sets(st.sampled_from(FLAGS)), min_size=1, max_size=4))
def test_an_item_is_kept_back_just_when_a_share_of_it_alone_is_denied(
    flags: list[set[str]],
) -> None:
    """The definition, said the other way round."""
    alone = {n for n, on in enumerate(flags) if applied([on]).outcome is Outcome.DENY}
    assert set(denied_alone(applied(flags))) == alone
    if applied(flags).outcome is not Outcome.DENY:
        assert not alone, "what is permitted keeps nothing back"
