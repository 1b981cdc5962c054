"""Quick work: every result and every error reaches whoever waits, and nothing is dropped at the end."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.kernel.errors import UnauthorizedError, UnavailableError
from gateway.web.threads import Threads


@pytest.fixture(params=[1, 4])
async def threads(request: pytest.FixtureRequest) -> AsyncIterator[Threads]:
    made = Threads(request.param)
    yield made
    made.close()


async def test_each_gets_the_result_of_its_own_work(threads: Threads) -> None:
    found = await asyncio.gather(*(threads.run(lambda n=n: n * n) for n in range(200)))  # type: ignore[misc]
    assert found == [n * n for n in range(200)]


async def test_work_is_done_off_the_event_loop(threads: Threads) -> None:
    assert await threads.run(threading.get_ident) != threading.get_ident()


async def test_what_is_raised_reaches_who_waits_and_the_next_is_served(threads: Threads) -> None:
    def refuse() -> None:
        raise UnauthorizedError("token was spent before")

    for _ in range(10):
        with pytest.raises(UnauthorizedError, match="^token was spent before$"):
            await threads.run(refuse)
    assert await threads.run(lambda: "alive") == "alive"


async def test_a_waiter_who_gave_up_harms_nobody(threads: Threads) -> None:
    going_on = threading.Event()

    def fail() -> None:
        going_on.wait(10)
        raise ValueError

    given_up: list[asyncio.Future[object]] = [
        threads.run(lambda: going_on.wait(10)),
        threads.run(fail),
    ]
    for future in given_up:
        future.cancel()
    going_on.set()
    assert await threads.run(lambda: "alive") == "alive"


async def test_what_is_queued_is_finished_before_the_end_and_nothing_is_taken_after() -> None:
    threads, done = Threads(2), list[int]()
    waiting = [threads.run(lambda n=n: done.append(n)) for n in range(100)]  # type: ignore[misc]
    threads.close()
    assert sorted(done) == list(range(100))
    await asyncio.gather(*waiting)
    with pytest.raises(UnavailableError):
        threads.run(int)
