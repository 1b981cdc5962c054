"""Signed inbox reads over a kept connection, beside a bare hello server, and where their time goes.

The parts are timed in this process, on the same database and in the same rounds. What they leave of
the whole is the rest: routing, middlewares, the answer, and the processor turning from one thread to
another.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, make_url

from gateway import settings, wiring
from gateway.client.profile import KeyFolder, open_folder
from gateway.exchange import tokens
from gateway.exchange.directory import Directory
from gateway.kernel.encoding import sha256
from gateway.kernel.time import unix
from gateway.store import inbox as store
from gateway.store.engine import connect_single
from gateway.store.replay import FileReplay, PostgresReplay, Replay
from gateway.web.threads import Threads
from tests.benchmarks.figures import Absent, Figure, Plan, median, wall
from tests.benchmarks.wire import Connection, hello, make_token, signed, spelt
from tests.world import POSTGRES, World, build_world, database, serving, share_with, source

INBOX = "/v1/inbox?after=0"
MICRO = 1_000_000
Work = Callable[[], object]
Part = Callable[[int], Work]
"""Makes ready to do a part so many times."""


def inbox(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Requests per second on each database there is, the servers taking turns."""
    yield from _on("sqlite", None, plan, folder / "sqlite")
    if not POSTGRES:
        yield Absent("signed inbox reads, postgresql", "GATEWAY_POSTGRES is not set")
        return
    with database("postgresql") as url:
        yield from _on("postgresql", url, plan, folder / "postgresql")


def _on(kind: str, url: str | None, plan: Plan, folder: Path) -> Iterator[Figure]:
    folder.mkdir()
    world = build_world(folder / "world", ("xa",), database=url)
    data = folder / "note.txt"
    data.write_bytes(b"A message to read.\n")
    keys = open_folder(world.folder("xa"), None)
    with serving(world), hello() as bare, _parts(world, keys) as parts:
        asyncio.run(share_with(world, "xa", [source(data)]))
        gateway = Connection(world.config.port)
        done: dict[str, Part] = {
            "read": lambda n: _asking(gateway, [signed(keys, "GET", INBOX) for _ in range(n)]),
            "hello": lambda n: _asking(bare, [spelt("GET", "/")] * n),
            **parts,
        }
        taken = _in_turn(done, plan)
        gateway.close()
    yield from _figures(kind, taken)


def _asking(connection: Connection, requests: list[bytes]) -> Work:
    return lambda: [connection.ask(request) for request in requests]


def _in_turn(done: Mapping[str, Part], plan: Plan) -> dict[str, float]:
    """Return the median microseconds of each, all of them taking turns."""
    found: dict[str, list[float]] = {name: [] for name in done}
    for part in done.values():
        part(20)()
    for _ in range(plan.rounds):
        for name, part in done.items():
            work = part(plan.requests)
            found[name].append(wall(work) / plan.requests * MICRO)
    return {name: median(values) for name, values in found.items()}


def _figures(kind: str, taken: dict[str, float]) -> Iterator[Figure]:
    whole, bare = taken.pop("read"), taken.pop("hello")
    name = f"signed inbox reads, {kind}, one connection"
    yield Figure(name, MICRO / whole, "req/s", "bare aiohttp", MICRO / bare)
    parts = {**taken, "aiohttp, sockets and client": bare}
    for part, micros in {**parts, "the rest": whole - sum(parts.values())}.items():
        yield Figure(f"  {part}", micros, "µs", "the whole read", whole)


@contextmanager
def _parts(world: World, keys: KeyFolder) -> Iterator[dict[str, Part]]:
    """Yield the parts of a read, each as the server does it."""
    directory = wiring.load_directory(world.directory)[0]
    url = settings.database_url(world.config, world.instance)
    single, loop = connect_single(make_url(url)), asyncio.new_event_loop()
    replay, party = _replay(single, world), world.party("xa")
    threads = loop.run_until_complete(_threads())
    yield {
        "token verified": lambda n: _verifying(keys, directory, n),
        "token spent": lambda n: _spending(replay, n),
        "messages read": lambda n: lambda: [_look(single, party) for _ in range(n)],
        "to a thread and back": lambda n: lambda: loop.run_until_complete(_hops(threads, n)),
    }
    threads.close()
    loop.close()
    replay.close()
    single.dispose()


def _verifying(keys: KeyFolder, directory: Directory, count: int) -> Work:
    request = tokens.Request("GET", INBOX, sha256(b""))
    made = [make_token(keys, request) for _ in range(count)]
    audience, now = keys.profile.audience, datetime.now(UTC)
    return lambda: [
        tokens.verify(token, request, audience=audience, directory=directory, now=now)
        for token in made
    ]


def _replay(single: Engine, world: World) -> Replay:
    now = unix(datetime.now(UTC))
    if single.dialect.name == "sqlite":
        return FileReplay(world.root / "replay.db", now)
    return PostgresReplay(single, now)


def _spending(replay: Replay, count: int) -> Work:
    now = unix(datetime.now(UTC)) + tokens.LEEWAY + 1
    made = [secrets.token_urlsafe(24) for _ in range(count)]
    return lambda: [
        replay.spend("svc_bench", token, issued=now, expires=now + 90, now=now) for token in made
    ]


def _look(single: Engine, party: str) -> list[store.Kept]:
    with single.connect() as conn:
        return store.after(conn, party, 0, 100)


async def _threads() -> Threads:
    return Threads(1)


async def _hops(threads: Threads, count: int) -> None:
    for _ in range(count):
        await threads.run(int)
