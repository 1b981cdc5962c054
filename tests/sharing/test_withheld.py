"""What is kept back where nobody asked for it, and at each moment at which a share can be denied."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange.parties import Role
from gateway.kernel.errors import ForbiddenError
from gateway.policy import load
from tests import reconcile
from tests.rfa.test_withheld import person, rows
from tests.sharing.rules import ask_for
from tests.sharing.steps import approve, deposited, derived, offered, outcome, proposed
from tests.world import Running, release, session


async def kept_back(live: Running) -> list[dict[str, Any]]:
    async with session(live.world, "auditor") as auditor:
        return await rows(auditor, "/v1/withheld", "withheld")


def put_in_force(live: Running) -> None:
    """Put the changed policy folder in force, as if a share were touched before any sweep."""
    folder = Path(live.world.instance / live.world.config.policy)
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.yaml")}
    live.gateway.sets = replace(live.gateway.sets, policy=load(files))


async def test_what_is_left_out_of_a_case_unasked_is_on_record_for_that_recipient(
    live: Running,
) -> None:
    world = live.world
    good, bad = await deposited(world, b"one"), await deposited(world, b"two", exculpatory=True)
    refused = await deposited(world, b"three", exculpatory=True, consent__status="refused")
    assert (await offered(world, good, bad, refused))["state"] == "denied"
    (one,) = await kept_back(live)
    assert (one["item"], one["cause"], one["rfa"]) == (refused.item, "denied", None)
    assert (one["recipient"], one["case"]) == (world.party("xa"), "case-1")
    assert one["reviewer"] == person(live, "reviewer")
    share = str((await offered(world, good))["share"])
    found = {(row["item"], row["cause"]) for row in await kept_back(live)}
    assert found == {
        (refused.item, "denied"), (refused.item, "omitted"), (bad.item, "omitted"),
    }  # fmt: skip
    await offered(world, good, to="xb")
    await offered(world, good)
    assert len(await kept_back(live)) == 3, "another recipient's case is another one"
    async with session(world, "releaser") as releaser:
        assert len((await release(releaser, share))["withheld_unreviewed"]) == 3
        made = await derived(world, bad, ("location",))
        later = str((await offered(world, good, made))["share"])
        assert len((await release(releaser, later))["withheld_unreviewed"]) == 2
    assert reconcile.check(live.gateway)["item.withheld"] == 3


async def test_a_share_denied_when_it_is_released_or_cleared_keeps_its_items_back(
    live: Running,
) -> None:
    waiting = await proposed(live.world, exculpatory=True)
    held = await proposed(live.world, "xb", sgbv=True, exculpatory=True)
    assert (await outcome(live.world, held.share))[0] == "held"
    ask_for(live.world, "{watermark: visible}")
    put_in_force(live)
    async with session(live.world, "releaser") as releaser:
        with pytest.raises(ForbiddenError, match="not permitted any more; it is denied"):
            await release(releaser, waiting.share)
    await approve(live.world, "legal", held.share, Role.LEGAL_ADVISER)
    assert (await outcome(live.world, held.share))[0] == "denied"
    found = {row["share"]: row for row in await kept_back(live)}
    assert set(found) == {waiting.share, held.share}
    for row in found.values():
        assert row["why"]["unmet"] == {"watermark": ["visible"]}
        assert row["why"]["rules"] == ["test.terms"]
        assert (row["proposer"], row["due"]) == (person(live, "sharer"), True)
    reconcile.check(live.gateway)
