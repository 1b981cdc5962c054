"""Entries: every step of an RFA makes one, and an entry fills just the slots of what it states."""

import pytest

from gateway.exchange.entries import OF_STEP, RECIPIENT_SLOTS, Entry, Kind
from gateway.exchange.rfas import Step
from gateway.kernel.encoding import digest_of
from gateway.ledger import Slot
from tests.exchange.world import NOW, ident

ASSESSED = {Step.ADMIT, Step.REFUSE}
REGISTERED = {Step.REGISTER, Step.CONFIRM}


@pytest.mark.parametrize("step", list(Step))
def test_every_step_of_an_rfa_makes_an_entry(step: Step) -> None:
    assert OF_STEP[step].value.startswith("rfa.")


def test_two_steps_share_a_kind_only_where_they_come_to_the_same() -> None:
    by_kind: dict[Kind, set[Step]] = {}
    for step, kind in OF_STEP.items():
        by_kind.setdefault(kind, set()).add(step)
    assert [steps for steps in by_kind.values() if len(steps) > 1] == [REGISTERED, ASSESSED]
    assert set(by_kind) == {kind for kind in Kind if kind.value.startswith("rfa.")}
    with pytest.raises(TypeError):
        OF_STEP[Step.ASK] = Kind.RFA_TOLD  # type: ignore[index]


def test_an_entry_fills_the_slots_of_what_it_states_and_no_others() -> None:
    least = Entry(kind=Kind.SHARE_EXPIRED, at=NOW)
    assert set(least.values()) == {Slot.KIND, Slot.TIME}
    items = (ident("itm", 2), ident("itm", 1))
    full = Entry(
        kind=Kind.SHARE_PROPOSED,
        at=NOW,
        actor=ident("psn", 1),
        order="0" * 64,
        subject=ident("shr", 1),
        recipient=ident("pty", 2),
        items=items,
        decision="1" * 64,
        outcome="permit",
        cause=ident("ent", 1),
        content={"n": 0},
    ).values()
    assert set(full) == set(Slot) - {Slot.SPARE}
    assert full[Slot.ITEMS] == digest_of([*sorted(items)]), "whatever the order they are named in"
    assert full[Slot.TIME] == "2026-11-23T16:18:00.000000Z"


def test_a_recipient_opens_neither_who_acted_nor_on_which_order_or_decision() -> None:
    assert not RECIPIENT_SLOTS & {Slot.ACTOR, Slot.ORDER, Slot.DECISION, Slot.CAUSE, Slot.ITEMS}
