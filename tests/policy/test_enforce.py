"""Obligations that bite after evaluation: what circumstances leave unmet, and that more never leaves more."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.acts import DerivationCheck, Derive
from gateway.exchange.derivations import worth
from gateway.policy import (
    Circumstances,
    Decision,
    Outcome,
    PolicySet,
    explain_unmet,
    join,
    load,
    reasons_of,
    unmet,
)
from tests.exchange.world import ident
from tests.policy.test_policy import VOCABULARY

WORDS, MARKS = ("face", "place", "voice"), ("none", "visible", "forensic")
OBLIGATIONS = b"""
obligations:
  redact: {join: union, phase: with, values: [face, place, voice], label: r}
  watermark: {join: order, phase: with, values: [none, visible, forensic], label: w}
  max_items: {join: min, phase: with, label: m}
  training: {join: union, phase: after, values: [done], label: t, by_recipient: true}
  approval: {join: roles, phase: before, values: [a], label: a}
"""
RULES = b"""
rules:
- {id: all, effect: permit, title: t, basis: b, when: {ne: [recipient.id, XB]}}
- {id: face, effect: require, title: t, basis: b, when: {eq: [item.t, true]}, obligations: {redact: [face]}}
- {id: place, effect: require, title: t, basis: b, when: {eq: [item.f, true]}, obligations: {redact: [place, voice]}}
- {id: mark, effect: require, title: t, basis: b, when: {eq: [item.u, true]}, obligations: {watermark: visible}}
- {id: hidden, effect: require, title: t, basis: b, when: {eq: [item.sgbv, true]}, obligations: {watermark: forensic, approval: {a: 1}}}
- {id: few, effect: require, title: t, basis: b, when: {eq: [item.orcon, true]}, obligations: {max_items: 2, training: [done]}}
"""
FLAGS = ("t", "f", "u", "sgbv", "orcon")


def policy_with(obligations: bytes = OBLIGATIONS, rules: bytes = RULES) -> PolicySet:
    files = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": obligations, "rules/r.yaml": rules}
    return load(files)


POLICY = policy_with()


def decided(flags: Sequence[frozenset[str]], to: str = "XA") -> list[Decision]:
    """Decide items of which these flags are true, each for the same recipient."""
    return [
        POLICY.decide(
            {"recipient.id": to, **{f"item.{flag}": flag in on for flag in FLAGS}}, "2026-05-01"
        )
        for on in flags
    ]


def left(
    flags: Sequence[frozenset[str]], known: Circumstances, to: str = "XA"
) -> dict[str, tuple[str, ...]]:
    single = decided(flags, to)
    return unmet(POLICY, single, join(POLICY, single), known)


def plain(count: int) -> Circumstances:
    """Return circumstances in which nothing was done, and no limit is near."""
    nothing: frozenset[str] = frozenset()
    return Circumstances(
        frozenset({"training"}), [nothing] * count, ["none"] * count, [False] * count, 1
    )


def test_each_obligation_is_unmet_until_it_is_met_on_the_very_item() -> None:
    nothing, face = frozenset[str](), frozenset({"face"})
    flags = [frozenset({"t"}), frozenset({"f", "u"})]
    assert left(flags, plain(2)) == {
        "redact": ("face", "place", "voice"),
        "watermark": ("visible",),
    }
    other = replace(plain(2), removed=[nothing, face], marked=["visible", "none"])
    assert left(flags, other) == left(flags, plain(2)), "what is done to another item helps nobody"
    some = replace(plain(2), removed=[face, face | {"place"}], marked=["none", "forensic"])
    assert left(flags, some) == {"redact": ("voice",)}
    every = replace(some, removed=[face, face | {"place", "voice"}])
    assert left(flags, every) == {}


def test_a_limit_and_what_the_recipient_must_honour() -> None:
    flags = [frozenset({"orcon"})]
    assert left(flags, replace(plain(1), given=2)) == {}
    assert left(flags, replace(plain(1), given=3)) == {"max_items": ("3 of 2",)}
    assert left(flags, replace(plain(1), supports=frozenset())) == {"support": ("training",)}


def test_a_copy_that_is_marked_for_another_goes_to_nobody_else_whatever_the_rules_ask() -> None:
    bare = [frozenset[str]()]
    assert left(bare, replace(plain(1), foreign=[True])) == {
        "watermark": ("marked for another recipient",)
    }


@pytest.mark.parametrize(
    ("kind", "swapped", "obligations"),
    [
        ("redact", "{join: order, phase: with, values: [face], label: r}", "redact: face"),
        ("redact", "{join: union, phase: with, values: [face], label: r}", "redact: []"),
        ("watermark", "{join: union, phase: with, values: [visible], label: w}", "watermark: [visible]"),
        ("max_items", "{join: order, phase: with, values: [low], label: m}", "max_items: low"),
    ],
)  # fmt: skip
def test_a_known_kind_whose_term_cannot_be_read_is_never_met(
    kind: str, swapped: str, obligations: str
) -> None:
    kinds = f"obligations:\n  {kind}: {swapped}\n".encode()
    rule = f"rules:\n- {{id: r, effect: permit, title: t, basis: b, when: true, obligations: {{{obligations}}}}}\n"
    policy = policy_with(kinds, rule.encode())
    one = policy.decide({}, "2026-05-01")
    done = Circumstances(frozenset(), [frozenset(WORDS)], ["forensic"], [False], 1)
    assert unmet(policy, [one], one, done) == {kind: ("unnamed",)}


REMOVED = st.frozensets(st.sampled_from(WORDS))
ITEM = st.tuples(
    st.frozensets(st.sampled_from(FLAGS)), REMOVED, st.sampled_from(MARKS), st.booleans()
)
ITEMS = st.lists(ITEM, min_size=1, max_size=4)
Item = tuple[frozenset[str], frozenset[str], str, bool]


def known_of(items: Sequence[Item], given_: int, supports: frozenset[str]) -> Circumstances:
    return Circumstances(
        supports, [i[1] for i in items], [i[2] for i in items], [i[3] for i in items], given_
    )


def count(found: dict[str, tuple[str, ...]]) -> set[tuple[str, str]]:
    """Return what is unmet, a limit by its kind alone."""
    return {
        (kind, "" if kind == "max_items" else word) for kind, said in found.items() for word in said
    }


@given(ITEMS, st.data())
def test_doing_more_to_the_items_never_leaves_more_unmet(
    items: list[Item], data: st.DataObject
) -> None:
    """More removed, a stricter mark, fewer items given, more supported, a foreign mark taken away."""
    flags = [i[0] for i in items]
    supports = data.draw(st.sampled_from([frozenset[str](), frozenset({"training"})]))
    before = known_of(items, data.draw(st.integers(1, 4)), supports)
    stricter = [data.draw(st.sampled_from(MARKS[MARKS.index(mark) :])) for mark in before.marked]
    after = Circumstances(
        supports=supports | data.draw(st.sampled_from([frozenset[str](), frozenset({"training"})])),
        removed=[gone | data.draw(REMOVED) for gone in before.removed],
        marked=stricter,
        foreign=[other and data.draw(st.booleans()) for other in before.foreign],
        given=data.draw(st.integers(1, before.given)),
    )
    remaining = count(left(flags, after))
    # A mark that is still too mild is asked for by the same word as before.
    assert remaining <= count(left(flags, before))


@given(ITEMS)
def test_what_is_denied_leaves_nothing_unmet(items: list[Item]) -> None:
    assert left([i[0] for i in items], known_of(items, 9, frozenset()), "XB") == {}


@given(ITEMS)
def test_every_item_with_everything_done_to_it_leaves_nothing_unmet(items: list[Item]) -> None:
    done: list[Item] = [(i[0], frozenset(WORDS), "forensic", False) for i in items]
    flags = [i[0] for i in items]
    assert left(flags, known_of(done, 1, frozenset({"training"}))) == {}
    held = any("sgbv" in on for on in flags)
    single = decided(flags)
    assert (join(POLICY, single).outcome is Outcome.HOLD) is held


@given(ITEMS, st.data())
def test_the_order_of_items_makes_no_difference(items: list[Item], data: st.DataObject) -> None:
    other = data.draw(st.permutations(items))
    one = left([i[0] for i in items], known_of(items, 3, frozenset()))
    assert left([i[0] for i in other], known_of(other, 3, frozenset())) == one


def test_the_mechanism_reads_what_to_do_and_the_recipient_a_category() -> None:
    found = {
        "redact": ("face", "voice"),
        "watermark": ("forensic",),
        "max_items": ("3 of 2",),
        "support": ("training",),
    }
    assert explain_unmet(found).splitlines() == [
        "- redact: face, voice not removed: deposit a redacted derivative and attest it: gateway redact",
        "- watermark: no forensic mark for this recipient: deposit his own copy and attest it: gateway mark",
        "- max_items: more items than the rules allow (3 of 2): propose fewer",
        "- support: the recipient's endpoint has not announced to honour training: ask for it",
    ]
    foreign = explain_unmet({"watermark": ("marked for another recipient", "visible")})
    assert "this recipient's own copy" in foreign
    assert reasons_of(found) == ("protection", "quantity", "terms")
    assert reasons_of({}) == ()


# What a chain of derivations is worth

XA, XB = ident("pty", 1), ident("pty", 2)


def derived(removed: Sequence[str], mark: str = "none", recipient: str | None = None) -> Derive:
    digests = ("2" * 64, "1" * 64)
    return Derive(
        ident("drv", 1), ident("itm", 2), digests[0], ident("itm", 1), digests[1], "m",
        tuple(removed), mark, recipient,  # type: ignore[arg-type]
        (DerivationCheck("c", True, "d"),),
    )  # fmt: skip


LINK = st.one_of(
    st.builds(derived, st.lists(st.sampled_from(WORDS), min_size=1, unique=True)),
    st.builds(
        derived,
        st.lists(st.sampled_from(WORDS), unique=True),
        st.sampled_from(MARKS[1:]),
        st.sampled_from([XA, XB]),
    ),
)


def test_a_chain_hands_down_what_was_removed_and_a_mark_to_its_recipient_alone() -> None:
    chain = [derived(["voice"]), derived(["face"], "visible", XA), derived(["place"])]
    assert worth(chain, XA, MARKS).removed == frozenset(WORDS)
    assert (worth(chain, XA, MARKS).mark, worth(chain, XA, MARKS).foreign) == ("visible", False)
    assert (worth(chain, XB, MARKS).mark, worth(chain, XB, MARKS).foreign) == ("none", True)
    assert worth([], XA, MARKS) == worth([], XB, MARKS)
    assert worth([], XA, MARKS).mark == "none"


def test_a_mark_that_the_set_in_force_does_not_know_counts_for_nothing() -> None:
    chain = [derived([], "forensic", XA), derived([], "visible", XA)]
    assert worth(chain, XA, ("none", "visible")).mark == "visible"
    assert worth(chain, XA, ()).mark == "none"
    assert worth(chain, XB, ()).foreign, "and still it is another's copy"


@given(st.lists(LINK, max_size=4), LINK)
def test_one_more_link_takes_nothing_back(chain: list[Derive], link: Derive) -> None:
    for party in (XA, XB):
        before, after = worth(chain, party, MARKS), worth([link, *chain], party, MARKS)
        assert after.removed >= before.removed
        assert MARKS.index(after.mark) >= MARKS.index(before.mark)
        assert after.foreign or not before.foreign
