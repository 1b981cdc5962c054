"""A clock that goes wrong is named, with the number of seconds by which it does."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from gateway.kernel.errors import UnauthorizedError
from tests.web.harness import caller
from tests.world import World, build_world, running, session


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("clock"), ("xa",))


async def refused(world: World, patch: pytest.MonkeyPatch, off: timedelta) -> str:
    """Return what a client is told whose clock is wrong by *off*."""
    patch.setattr("gateway.client.session._now", lambda: datetime.now(UTC) + off)
    async with running(world), session(world, "xa") as endpoint:
        with pytest.raises(UnauthorizedError) as caught:
            await endpoint.get("/v1/inbox")
    return str(caught.value)


@pytest.mark.parametrize(("hours", "how"), [(1, "ahead of"), (-1, "behind")])
async def test_a_client_whose_clock_is_wrong_is_told_by_how_much(
    world: World, monkeypatch: pytest.MonkeyPatch, hours: int, how: str
) -> None:
    said = await refused(world, monkeypatch, timedelta(hours=hours))
    measured = re.search(rf"this machine's clock is (\d+) s {how} the gateway's", said)
    assert measured is not None, said
    assert abs(int(measured[1]) - 3600) <= 3
    told = re.search(r"your clock is (\d+) s (ahead|behind)", said)
    assert told is not None
    assert abs(int(told[1]) - 3600) <= 3
    assert "set it" in said


async def test_a_refusal_by_a_good_clock_speaks_of_no_clock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gateway.exchange.tokens.MAX_LIFE", 10
    )  # the gateway takes no token of 60 s
    assert "this machine" not in await refused(world, monkeypatch, timedelta(0))


async def test_an_answer_says_what_time_it_is(world: World) -> None:
    async with running(world):
        for token in (None, "a.b.c"):
            answer = await caller(world, "xa").call("GET", "/v1/inbox", token=token)
            said = parsedate_to_datetime(answer.headers["date"])
            assert abs((datetime.now(UTC) - said).total_seconds()) <= 3


async def test_a_machine_without_a_date_gets_no_hint(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiohttp.web_response.rfc822_formatted_time", lambda: "yesterday")
    said = await refused(world, monkeypatch, timedelta(hours=1))
    assert "3600 s" in said or "your clock" in said
    assert "this machine" not in said
