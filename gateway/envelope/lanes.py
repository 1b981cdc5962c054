"""Work beside work: steps of a pipeline on an executor that the caller passes in, in bounded memory.

Ciphers and hashes let other threads run while they work, so steps on threads use as many cores as there
are. With no executor every step is done at once by the caller, in the same order and with the same
result. Whoever waits here must not itself run on that executor: it would wait for its own place.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
DEPTH = 4  # pieces underway at once


def in_order(
    executor: Executor | None, work: Callable[[T], R], pieces: Iterable[T], depth: int = DEPTH
) -> Iterator[R]:
    """Yield the result of *work* on each piece, in the order of the pieces.

    At most *depth* + 1 pieces are underway: when a result is asked for, the one before is done with.
    """
    if executor is None:
        yield from map(work, pieces)
        return
    underway: deque[Future[R]] = deque()
    try:
        for piece in pieces:
            underway.append(executor.submit(work, piece))
            if len(underway) > depth:
                yield underway.popleft().result()
        while underway:
            yield underway.popleft().result()
    finally:
        for future in underway:
            future.cancel()


class Lane(Generic[T]):
    """One step of a pipeline, such as a hash: it does the pieces one after another, beside other steps."""

    def __init__(
        self, executor: Executor | None, work: Callable[[T], object], depth: int = DEPTH
    ) -> None:
        self._executor = executor
        self._work = work
        self._room = threading.Semaphore(depth)
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._running = False
        self._error: BaseException | None = None

    def put(self, piece: T) -> None:
        """Hand over a piece; wait while *depth* pieces are not done yet. It must not change meanwhile."""
        if self._executor is None:
            self._work(piece)
            return
        self._room.acquire()
        with self._changed:
            self._waiting.append(piece)
            if self._running:
                return
            self._running = True
        self._executor.submit(self._run)

    def join(self) -> None:
        """Wait until every piece is done. Raises what the first that failed raised; later ones were left."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._running = False
                    self._changed.notify_all()
                    return
                piece = self._waiting.popleft()
            self._do(piece)
            self._room.release()

    def _do(self, piece: T) -> None:
        if self._error is not None:
            return
        try:
            self._work(piece)
        except BaseException as error:
            self._error = error
