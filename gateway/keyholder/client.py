"""Asking the keyholder over its socket."""

import socket
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

from gateway.kernel.errors import LockedError
from gateway.keyholder.judge import WrapRequest
from gateway.keyholder.moving import Moved
from gateway.keyholder.protocol import (
    Answer,
    AskState,
    Failed,
    Headers,
    MoveItem,
    MoveRequest,
    Moves,
    Request,
    RewrapRequest,
    ShowDirectory,
    ShowRecalls,
    State,
    encode,
    parse_answer,
    raised,
    receive,
    send,
)
from gateway.keyholder.server import address

PATIENCE = 10.0  # seconds for a keyholder that starts; one that was away is asked once
_TIMEOUT = 60.0  # seconds for an answer
T = TypeVar("T")


class Keyholder:
    """The keyholder behind a socket. May be asked from any thread."""

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        self._path, self._patience = path, patience
        self._away = False
        self.turn = threading.RLock()
        """Who shows the ledger holds this, lest another shows a longer one meanwhile."""

    def state(self, work: Collection[str] = ()) -> State:
        """Return how it stands, and tell it which vault epochs there is *work* for. Raises LockedError."""
        return _expect(self._ask(AskState(tuple(sorted(work)))), State)

    def show_directory(self, request: ShowDirectory) -> State:
        """Show a directory set. Raises what it answers."""
        return _expect(self._ask(request), State)

    def show_recalls(self, request: ShowRecalls) -> State:
        """Show recalls. Raises what it answers."""
        return _expect(self._ask(request), State)

    def wrap(self, request: WrapRequest) -> Headers:
        """Have items of a release wrapped. Raises what it answers, LockedError and LockedError too."""
        return _expect(self._ask(request), Headers)

    def rewrap(self, request: RewrapRequest) -> Headers:
        """Have items of a share wrapped anew. Raises what it answers."""
        return _expect(self._ask(request), Headers)

    def move(self, items: Sequence[MoveItem]) -> tuple[Moved, ...]:
        """Have items wrapped to the vault's active epoch. Raises what it answers."""
        return _expect(self._ask(MoveRequest(tuple(items))), Moves).moved

    def _ask(self, request: Request) -> Answer:
        with self._connect() as conn:
            try:
                send(conn, encode(request))
                data = receive(conn)
            except (OSError, EOFError):
                data = None
        if data is None:
            raise LockedError("the keyholder went away; it may have done what it was asked")
        answer = parse_answer(data)
        if isinstance(answer, Failed):
            raise raised(answer)
        return answer

    def _connect(self) -> socket.socket:
        """Connect; wait a little for one that is being started, but not again and again."""
        until = time.monotonic() + self._patience
        while True:
            conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            conn.settimeout(_TIMEOUT)
            try:
                with address(self._path) as name:
                    conn.connect(name)
                self._away = False
                return conn
            except OSError:
                conn.close()
            if self._away or time.monotonic() > until:
                self._away = True
                raise LockedError("the keyholder is away: start it, and this goes on by itself")
            time.sleep(0.02)


def _expect(answer: Answer, kind: type[T]) -> T:
    if not isinstance(answer, kind):
        raise LockedError("the keyholder answered something else")
    return answer
