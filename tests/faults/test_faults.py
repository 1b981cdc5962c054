"""Every SQL statement and COMMIT of a share's and an RFA's whole life fails once, and nothing comes of it.

Nothing acknowledged is lost, nothing is duplicated, nothing is half visible, the ledger verifies.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.faults.fault import Fault
from tests.faults.requests import Request
from tests.faults.requests import play as request
from tests.faults.scenario import Story, Template, quick_clients, template
from tests.faults.scenario import play as share
from tests.world import POSTGRES, Running, World

_EVERY = 29  # points, of which the fast subset takes one


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return template(tmp_path_factory.mktemp("faults"))


Play = Callable[[World, Callable[[Running], None]], Awaitable[Story | Request]]


async def _count(made: Template, folder: Path, kind: str, play: Play) -> int:
    counted = Fault()
    with made.copy(folder, kind) as world:
        told = await play(world, counted.arm)
    assert told.surfaced == []
    return len(counted.points)


async def _all_fail(
    made: Template, folder: Path, kind: str, *, first: int, every: int, play: Play = share
) -> None:
    count = await _count(made, folder, kind, play)
    wrong = []  # all of them, so that one run tells the whole truth
    for at in range(first, count, every):
        fault = Fault(at)
        try:
            with capture_logs(), made.copy(folder, kind) as world:
                told = await play(world, fault.arm)
            if told.surfaced:
                wrong.append(f"{at} {fault.points[at]}: {told.surfaced}")
        except Exception as error:
            wrong.append(f"{at} {fault.points[at]}: {type(error).__name__} {error}")
    if wrong:
        pytest.fail("\n".join([f"{len(wrong)} of {count} points:", *wrong]), pytrace=False)


async def test_a_failing_statement_or_commit_leaves_no_trace(
    made: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_clients(monkeypatch)
    await _all_fail(made, tmp_path, "sqlite", first=0, every=_EVERY)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("first", range(4))
async def test_every_statement_and_commit_may_fail(
    made: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, first: int
) -> None:
    if kind == "postgresql" and not POSTGRES:
        pytest.skip("PostgreSQL: set GATEWAY_POSTGRES to a server where tests may make databases")
    quick_clients(monkeypatch)
    await _all_fail(made, tmp_path, kind, first=first, every=4)


_FEW = 97  # points of an RFA's life, of which the fast subset takes one


async def test_an_rfas_life_survives_a_failing_statement_or_commit(
    made: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_clients(monkeypatch)
    await _all_fail(made, tmp_path, "sqlite", first=3, every=_FEW, play=request)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "every"), [("sqlite", 5), ("postgresql", 9)])
@pytest.mark.parametrize("part", range(2))
async def test_every_statement_and_commit_of_an_rfas_life_may_fail(
    made: Template,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    every: int,
    part: int,
) -> None:
    """Every fifth one on SQLite and every ninth on PostgreSQL: what they share is tested above."""
    if kind == "postgresql" and not POSTGRES:
        pytest.skip("PostgreSQL: set GATEWAY_POSTGRES to a server where tests may make databases")
    quick_clients(monkeypatch)
    first, step = part * every, 2 * every
    await _all_fail(made, tmp_path, kind, first=first, every=step, play=request)
