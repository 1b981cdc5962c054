"""Faults: the statement or COMMIT with a given number fails once, before its work or after it.

The error is of the driver's own type, raised where the driver raises it, so that all above it is real.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

from tests.world import Running


@dataclass
class Fault:
    """Counts every point that can fail on a gateway's engines; fails at point *at*, once."""

    at: int | None = None
    points: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, live: Running) -> None:
        """Watch every engine, and the file of spent tokens, which has no engine."""
        gateway = live.gateway
        engines = {
            "writer": gateway.writer._engine,
            "reader": gateway.engine,
            "single": gateway.single,
        }
        for name, engine in engines.items():
            watch(engine, name, self)
        if gateway.engine.dialect.name == "sqlite":
            replay, failing = gateway.replay, gateway.engine.dialect.loaded_dbapi.OperationalError
            spend: Callable[..., bool] = replay.spend

            def spend_or_fail(*args: Any, **kw: Any) -> bool:
                self.pass_by("replay before", failing)
                spent = spend(*args, **kw)
                self.pass_by("replay after", failing)
                return spent

            setattr(replay, "spend", spend_or_fail)

    def pass_by(self, what: str, failing: type[Exception]) -> None:
        """Pass one point, unless it is the one that fails."""
        with self._lock:
            self.points.append(what)
            hit = len(self.points) - 1 == self.at
        if hit:
            raise failing("the disk or the connection failed")


def watch(engine: Engine, name: str, fault: Fault) -> None:
    """Let every statement and COMMIT of an engine pass by *fault*."""
    failing = engine.dialect.loaded_dbapi.OperationalError

    def execute(_cursor: Any, statement: str, *_: Any) -> None:
        fault.pass_by(f"{name} {' '.join(statement.split())[:60]}", failing)

    def execute_bare(_cursor: Any, statement: str, *_: Any) -> None:
        execute(_cursor, statement)

    event.listen(engine, "do_execute", execute)
    event.listen(engine, "do_executemany", execute)
    event.listen(engine, "do_execute_no_params", execute_bare)
    commit = engine.dialect.do_commit

    def commit_or_fail(connection: Any) -> None:
        fault.pass_by(f"{name} COMMIT fails", failing)
        commit(connection)
        fault.pass_by(f"{name} COMMIT is not acknowledged", failing)

    setattr(engine.dialect, "do_commit", commit_or_fail)
