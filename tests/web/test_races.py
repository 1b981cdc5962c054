"""Requests at the same instant: a token is spent once, an act done once, whoever comes first."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import func, select

from gateway.exchange.acts import Propose
from gateway.kernel.encoding import canonical_json
from gateway.kernel.ids import new_id
from gateway.store import tables
from tests.web.conftest import Scene
from tests.web.harness import JSON, exchange, order


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """These run on both databases."""
    return str(request.param)


AT_ONCE = 8


async def test_a_read_token_sent_many_times_at_once_reads_once(scene: Scene) -> None:
    raw = scene.be("xa").raw("GET", "/v1/inbox")
    found = await asyncio.gather(*(exchange(scene.port, raw) for _ in range(AT_ONCE)))
    assert Counter(answer.status for answer in found) == {200: 1, 401: AT_ONCE - 1}


async def test_a_write_token_sent_many_times_at_once_writes_once(scene: Scene) -> None:
    act = Propose(new_id("shr"), scene.shares.package, scene.world.party("xb"))
    raw = scene.be("sharer").raw("POST", "/v1/shares", order(act), JSON)
    found = await asyncio.gather(*(exchange(scene.port, raw) for _ in range(AT_ONCE)))
    assert Counter(answer.status for answer in found) == {201: 1, 401: AT_ONCE - 1}


async def test_one_act_under_many_tokens_at_once_is_done_once_and_answered_alike(
    scene: Scene,
) -> None:
    act = Propose(new_id("shr"), scene.shares.package, scene.world.party("xb"))
    sharer = scene.be("sharer")
    raws = [sharer.raw("POST", "/v1/shares", order(act), JSON) for _ in range(AT_ONCE)]
    found = await asyncio.gather(*(exchange(scene.port, raw) for raw in raws))
    assert {answer.status for answer in found} == {201}
    assert len({canonical_json(answer.json()) for answer in found}) == 1
    with scene.live.gateway.engine.connect() as conn:
        query = select(func.count()).select_from(tables.share_events)
        assert conn.execute(query.where(tables.share_events.c.share == act.share)).scalar() == 1
