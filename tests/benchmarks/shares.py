"""Proposing and releasing a package to many authorities: each a signed request to a real server."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase

from gateway.client.profile import open_folder
from gateway.exchange.acts import Propose, Release, ReleaseItem
from gateway.exchange.parse import build
from gateway.kernel.encoding import parse_json
from gateway.kernel.ids import new_id
from tests.benchmarks.figures import Absent, Figure, Plan, median, percentile, sync_seconds
from tests.benchmarks.wire import Connection, signed
from tests.world import (
    POLICIES,
    POSTGRES,
    World,
    any_rules,
    build_world,
    database,
    package_of,
    serving,
    session,
    source,
)

MILLI = 1000


def fan_out(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Milliseconds of a request, on each database there is."""
    yield from _on("sqlite", None, plan, folder / "sqlite")
    if not POSTGRES:
        yield Absent("propose and release, postgresql", "GATEWAY_POSTGRES is not set")
        return
    with database("postgresql") as url:
        yield from _on("postgresql", url, plan, folder / "postgresql")


def _on(kind: str, url: str | None, plan: Plan, folder: Path) -> Iterator[Figure]:
    folder.mkdir()
    codes = [f"x{letter}" for letter in ascii_lowercase[: plan.authorities]]
    world = build_world(folder / "world", codes, database=url, policy=_all_alike(folder, codes))
    taken: dict[str, list[list[float]]] = {"propose": [], "release": []}
    synced = []
    with serving(world):
        for n in range(plan.packages):
            package = asyncio.run(_package(world, folder / f"{n}.txt"))
            synced.append(sync_seconds(folder, 20))
            _share(world, codes, package, taken)
    sync = median(synced) * MILLI
    for step, rounds in taken.items():
        yield from _figures(f"{step} to {len(codes)}, {kind}", rounds, sync)


def _figures(name: str, rounds: list[list[float]], sync: float) -> Iterator[Figure]:
    every = [seconds * MILLI for one in rounds for seconds in one]
    together = median([sum(one) for one in rounds]) * MILLI
    for shown, value in (
        ("each, p50", percentile(every, 50)),
        ("each, p99", percentile(every, 99)),
        ("all, p50", together),
    ):
        yield Figure(f"{name}, {shown}", value, "ms", "append 4 KiB + fsync", sync)


def _all_alike(folder: Path, codes: list[str]) -> Path:
    """Copy the shipped policy, with a register that says of each jurisdiction what it says of XA."""
    made = folder / "policies"
    shutil.copytree(POLICIES, made)
    any_rules(made)  # the shipped cases speak of the shipped register
    model = (made / "jurisdictions" / "xa.yaml").read_text()
    for code in codes:
        text = model.replace("XA", code.upper()).replace("Arvenia", f"Land of {code}")
        (made / "jurisdictions" / f"{code}.yaml").write_text(text)
    return made


async def _package(world: World, data: Path) -> str:
    data.write_bytes(b"A statement of a witness.\n" * 40)
    async with session(world, "releaser") as staff:
        return (await package_of(staff, [source(data)]))[0]


def _share(
    world: World, codes: list[str], package: str, taken: dict[str, list[list[float]]]
) -> None:
    """Propose the package to each, then release it to each; note the seconds that each took."""
    keys, gateway = open_folder(world.folder("releaser"), None), Connection(world.config.port)
    acts = [Propose(new_id("shr"), package, world.party(code)) for code in codes]

    def timed(target: str, act: object) -> float:
        request = signed(keys, "POST", target, act)
        begun = time.perf_counter()
        gateway.ask(request)
        return time.perf_counter() - begun

    def shown(share: str) -> Release:
        answer = parse_json(gateway.ask(signed(keys, "GET", f"/v1/shares/{share}")))
        assert isinstance(answer, dict)
        items = build(answer["items"], tuple[ReleaseItem, ...])
        return Release(share, str(answer["recipient"]), items)

    taken["propose"].append([timed("/v1/shares", act) for act in acts])
    orders = [shown(act.share) for act in acts]
    taken["release"].append([timed(f"/v1/shares/{o.share}/release", o) for o in orders])
    gateway.close()
