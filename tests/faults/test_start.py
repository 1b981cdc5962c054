"""Every SQL statement and COMMIT of a start fails once; the next start ends well and repeats nothing."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from gateway import wiring
from gateway.client import audit
from gateway.kernel.errors import GatewayError, UnavailableError
from gateway.store import shares
from gateway.store.engine import connect
from gateway.workflows import prepare as preparing
from tests.faults.fault import Fault, watch
from tests.faults.scenario import Template, publish, template
from tests.world import (
    POSTGRES,
    Running,
    World,
    database,
    package_of,
    propose,
    release,
    running,
    session,
    source,
)

Check = Callable[[Running], Awaitable[None]]
some_or_all = pytest.mark.parametrize(
    ("kind", "every"),
    [
        ("sqlite", 17),
        pytest.param("sqlite", 1, marks=pytest.mark.slow),
        pytest.param("postgresql", 3, marks=pytest.mark.slow),
    ],
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """An instance that was never started."""
    return template(tmp_path_factory.mktemp("fresh"))


@pytest.fixture
async def cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> AsyncIterator[tuple[Template, str]]:
    """An instance that ended in the middle of a release, with a blob that no row names."""
    with database(kind) as url:
        yield await _cut(template(tmp_path / "cut", url), monkeypatch)


async def _cut(made: Template, monkeypatch: pytest.MonkeyPatch) -> tuple[Template, str]:

    def lost(*_: object) -> None:
        raise UnavailableError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr("gateway.client.session._TRIES", 1)
        patch.setattr(preparing, "_prepare", lost)
        async with running(made.world) as live, session(made.world, "releaser") as releaser:
            package, _ = await package_of(releaser, [source(made.world.root / "order.txt")])
            share = str((await propose(releaser, package, "xa"))["share"])
            with pytest.raises(UnavailableError):
                await release(releaser, share)
            live.gateway.blobs.put(b"an orphan")
            publish(live)
    return made, share


def _start(world: World, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start and stop a gateway, on engines that fail."""

    def watched(url: str, *, writer: bool = False) -> Engine:
        engine = connect(url, writer=writer)
        watch(engine, "writer" if writer else "reader", fault)
        return engine

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr("gateway.wiring.build.connect", watched)
        with wiring.open_gateway(world.instance):
            pass


async def _each_fails(
    made: Template,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    check: Check,
    kind: str,
    every: int,
) -> None:
    if kind == "postgresql" and not POSTGRES:
        pytest.skip("PostgreSQL: set GATEWAY_POSTGRES to a server where tests may make databases")
    counted, wrong = Fault(), []
    with made.copy(folder, kind) as world:
        _start(world, counted, monkeypatch)
    for at in range(0, len(counted.points), every):
        fault = Fault(at)
        with made.copy(folder, kind) as world:
            try:
                _start(world, fault, monkeypatch)
            except (DBAPIError, GatewayError):
                pass  # the operator starts it again
            try:
                with capture_logs():
                    async with running(world) as live:
                        await check(live)
            except Exception as error:
                wrong.append(f"{at} {fault.points[at]}: {type(error).__name__} {error}")
    if wrong:
        pytest.fail("\n".join([f"{len(wrong)} of {len(counted.points)}", *wrong]), pytrace=False)


async def _kinds(live: Running) -> Counter[str]:
    async with session(live.world, "auditor") as auditor:
        await audit.verify(auditor)
        return Counter(row["kind"] for row in await audit.entries(auditor, 0))


@some_or_all
async def test_a_first_start_may_fail_anywhere(
    fresh: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, every: int
) -> None:
    async def check(live: Running) -> None:
        assert live.gateway.quarantine is None
        assert live.gateway.sets.policy is not None
        assert await _kinds(live) == {"directory.accepted": 1, "policy.accepted": 1}

    await _each_fails(fresh, tmp_path, monkeypatch, check, kind, every)


@some_or_all
async def test_a_recovery_may_fail_anywhere(
    cut: tuple[Template, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    every: int,
) -> None:
    made, share = cut

    async def check(live: Running) -> None:
        assert live.gateway.quarantine is None
        with live.gateway.engine.connect() as conn:
            assert shares.get(conn, share).state.value == "available"
            assert len(shares.events(conn, share)) == 4
        kinds = await _kinds(live)
        steps = ("proposed", "released", "prepared", "available")
        assert [kinds[f"share.{step}"] for step in steps] == [1, 1, 1, 1]
        assert len(list(live.gateway.blobs.names())) == 1

    await _each_fails(made, tmp_path, monkeypatch, check, kind, every)
