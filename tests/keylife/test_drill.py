"""A rotation and a revocation while others pull: nobody who is not concerned has a pull fail."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest

from gateway.client import pull as client
from gateway.exchange.key_life import Step
from gateway.exchange.parties import Status
from gateway.kernel.errors import GatewayError
from tests import reconcile
from tests.keylife.steps import introduce, name_of, offer_key, put_into_force, rewrap, step
from tests.sharing.steps import pull_status, released, suspended
from tests.world import Running, World, session

OTHERS = ("xb", "xc")


class Traffic:
    """Endpoints that pull the same share again and again, each time as if for the first."""

    def __init__(self, world: World, out: Path) -> None:
        self.world, self.out = world, out
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self.over = asyncio.Event()

    async def pull(self, who: str, share: str) -> None:
        """Pull until it is over."""
        out = self.out / who
        async with session(self.world, who) as endpoint:
            while not self.over.is_set():
                try:
                    got = await client.pull(endpoint, share, out, lambda _: None)
                    self.done[who] += 1
                    await asyncio.to_thread(shutil.rmtree, got.folder)
                except GatewayError as error:
                    self.failed.append(f"{who}: {error}")

    async def more(self) -> None:
        """Wait until each of them has pulled once more from here on."""
        before = dict(self.done)
        async with asyncio.timeout(60):
            while any(self.done[who] <= before.get(who, 0) + 1 for who in OTHERS):
                await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_a_rotation_and_a_revocation_fail_no_pull_of_those_not_concerned(
    live: Running, tmp_path: Path
) -> None:
    """One authority's key is rotated, its old one revoked; two others pull all the while."""
    world = live.world
    mine, kept = await released(world), await released(world)
    theirs = [(await released(world, who)).share for who in OTHERS]
    traffic = Traffic(world, tmp_path)
    async with asyncio.TaskGroup() as group:
        for who, share in zip(OTHERS, theirs, strict=True):
            group.create_task(traffic.pull(who, share))
        try:
            await traffic.more()
            old = name_of(world, "xa", Status.ACTIVE)
            new = offer_key(world, "xa")
            await put_into_force(live)
            await introduce(world, "xa", new)
            await traffic.more()
            await rewrap(world, "xa", mine.share)
            assert await pull_status(world, mine.share) == "served"
            await step(live, new, Step.ACTIVATE)
            await traffic.more()
            await step(live, old, Step.REVOKE)
            # Who was wrapped to both keys, or to the old one alone, is stopped at once.
            assert set(await suspended(world)) == {mine.share, kept.share}
            assert await pull_status(world, kept.share) == "no"
            await traffic.more()
            for one in (mine, kept):
                await rewrap(world, "sharer", one.share)
                assert await pull_status(world, one.share) == "served"
            assert await suspended(world) == {}
            await traffic.more()
        finally:
            traffic.over.set()
    print(f"drill on {live.gateway.engine.dialect.name}: {dict(traffic.done)} pulls, 0 failed")
    assert traffic.failed == []
    found = reconcile.check(live.gateway)
    assert (found["share.rewrapped"], found["header.deleted"]) == (3, 2)
