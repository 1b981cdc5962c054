"""A few threads for quick work: the event loop's own executor without what quick work does not need."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from gateway.kernel.errors import UnavailableError

T = TypeVar("T")
_Job: TypeAlias = tuple["asyncio.Future[Any]", Callable[[], Any]]


class Threads:
    """Runs work in the order it comes; its result, or what it raised, arrives in the event loop.

    A `ThreadPoolExecutor` makes a second future with a lock for each job and chains it to the loop's.
    """

    def __init__(self, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"read_{n}", daemon=True) for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Return what *work* will have returned. Raises UnavailableError after `close`."""
        if self._closed:
            raise UnavailableError("the gateway is stopping")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((future, work))
        return future

    def close(self) -> None:
        """Finish what is queued, then end."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            try:
                result = work()
            except BaseException as error:  # whoever waits must hear of it
                self._loop.call_soon_threadsafe(_fail, future, error)
            else:
                self._loop.call_soon_threadsafe(_answer, future, result)


def _answer(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
