"""What one actor may ask for, and that nobody else pays for it."""

import asyncio
import contextlib
import random
import time
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from gateway import settings
from gateway.client import pull
from gateway.exchange.acts import OpenUpload
from gateway.exchange.directory import Actor
from gateway.kernel.errors import RateLimitedError
from gateway.kernel.ids import new_id
from gateway.web import limits
from gateway.web.limits import Allowance
from gateway.workflows import deposit, upkeep
from tests.web.conftest import BIG, Scene
from tests.web.harness import JSON, TUS, Answer, caller, exchange, order, read_answer, socket_to
from tests.web.test_others import same
from tests.web.test_uploads import CHUNK, DATA, begin, uploaded
from tests.world import World, running, session

INBOX = "/v1/inbox"


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def allowance(per_minute: int) -> tuple[Allowance, Clock]:
    clock = Clock()
    return Allowance(per_minute, clock), clock


def count(made: Allowance, key: str = "k", most: int = 100_000) -> int:
    return next(n for n in range(most + 1) if n == most or not made.allow(key))


@pytest.mark.parametrize("per_minute", [1, 7, 60, 300, 6000])
def test_a_minutes_worth_goes_at_once_and_then_evenly(per_minute: int) -> None:
    made, clock = allowance(per_minute)
    assert count(made) == per_minute
    clock.now += 60 / per_minute
    assert (made.allow("k"), made.allow("k")) == (True, False)
    clock.now += 30
    assert abs(count(made) - per_minute / 2) <= 1
    clock.now += 10_000
    assert count(made) == per_minute


@pytest.mark.parametrize("offset", [0.0, 19.99, 59.0, 59.9])
def test_the_turn_of_a_minute_brings_no_second_minutes_worth(offset: float) -> None:
    """Whatever second one begins in: a fixed window let twice as many through around its turn."""
    made, clock = allowance(60)
    clock.now = 6000 + offset
    first = count(made)
    clock.now += 1.5
    assert first + count(made) <= 61


def test_what_is_refused_is_not_counted_and_what_is_asked_neither() -> None:
    made, clock = allowance(60)
    assert not made.used_up("k") and made.wait("k") == 0
    count(made)
    for _ in range(500):
        assert not made.allow("k")
        assert made.used_up("k")
    assert 0 < made.wait("k") <= 1
    clock.now += made.wait("k")
    assert made.allow("k")


def test_keys_have_nothing_to_do_with_each_other() -> None:
    made, _ = allowance(3)
    assert [count(made, key) for key in "abc"] == [3, 3, 3]


def test_an_allowance_of_none_is_no_limit() -> None:
    made, _ = allowance(0)
    assert count(made, most=10_000) == 10_000
    assert made.wait("k") == 0


def test_a_million_keys_fill_no_memory_and_the_busiest_are_remembered() -> None:
    made, clock = allowance(60)
    assert count(made, "busy") == 60
    for n in range(200_000):
        assert made.allow(f"key-{n}")
        clock.now += 0.0001
    assert len(made._full) <= limits._KEYS
    assert not all(made.allow("busy") for _ in range(40))


def test_counting_takes_less_than_ten_microseconds() -> None:
    """Best of several rounds, so that only a cost of its own is seen."""
    made = Allowance(10**9)
    keys = [f"psn_{n}" for n in range(50)]

    def round_() -> float:
        begun = time.perf_counter()
        for _ in range(20):
            for key in keys:
                made.allow(key)
        return (time.perf_counter() - begun) / 1000

    assert min(round_() for _ in range(20)) < 10e-6


@contextlib.asynccontextmanager
async def modest(world: World, per_minute: int):  # type: ignore[no-untyped-def]
    changed = msgspec.structs.replace(settings.read(world.instance), requests_per_minute=per_minute)
    settings.write(world.instance, changed)
    async with running(World(world.root, changed)) as live:
        yield live


async def test_requests_beyond_the_rate_are_refused_and_told_when_to_come_again(
    world: World,
) -> None:
    async with modest(world, 12):
        endpoint = caller(world, "xa")
        found = [await endpoint.get(INBOX) for _ in range(13)]
        assert [answer.status for answer in found] == [200] * 12 + [429]
        said = found[-1].problem(429)
        assert 1 <= int(found[-1].headers["retry-after"]) <= 5
        assert "ask again in" in said["detail"]
        assert (await caller(world, "xb").get(INBOX)).status == 200


async def test_writes_beyond_the_rate_are_refused_before_their_body_is_read(world: World) -> None:
    async with modest(world, 3):
        sharer = caller(world, "sharer")
        for _ in range(3):
            (await sharer.post("/v1/shares", {})).problem(400)
        raw = sharer.raw("POST", "/v1/shares", bytes(5_000_000), JSON)
        async with socket_to(world.config.port) as (reader, writer):
            writer.write(raw[: raw.index(b"\r\n\r\n") + 4])
            (await read_answer(reader)).problem(429)


async def test_nobody_uses_up_what_is_anothers(world: World) -> None:
    """Without the key of an actor nothing counts for him; another of his authority counts as him."""
    async with modest(world, 5):
        endpoint, officer = caller(world, "xa"), caller(world, "xa-officer")
        token = endpoint.token("GET", INBOX)
        for _ in range(20):
            forged = token[:-8] + "AAAAAAAA"
            (await endpoint.call("GET", INBOX, token=forged)).problem(401)
        assert [(await endpoint.get(INBOX)).status for _ in range(5)] == [200] * 5
        (await officer.get("/v1/directory")).problem(429)
        (await caller(world, "sharer").get("/v1/directory")).json()


def polls(scene: Scene, who: str, number: int) -> "list[asyncio.Task[Answer]]":
    me = scene.be(who)
    after = 2**40
    return [
        asyncio.create_task(exchange(scene.port, me.raw("GET", f"{INBOX}?after={after}&wait=30")))
        for _ in range(number)
    ]


async def answered(tasks: "list[asyncio.Task[Answer]]", number: int) -> list[Answer]:
    async with asyncio.timeout(10):
        while sum(task.done() for task in tasks) < number:
            await asyncio.sleep(0.02)
    return [task.result() for task in tasks if task.done()]


async def test_long_polls_have_a_number_and_free_their_place_when_they_end(scene: Scene) -> None:
    held = polls(scene, "xa", limits.POLLS + 1)
    try:
        (one_too_many,) = await answered(held, 1)
        said = one_too_many.problem(429)
        assert "long polls" in said["detail"] and one_too_many.headers["retry-after"].isdigit()
        assert (await scene.be("xa").get(INBOX)).status == 200  # without waiting
        (other,) = polls(scene, "xb", 1)
        held.append(other)
        await asyncio.sleep(0.1)
        assert not other.done()
    finally:
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
    await asyncio.sleep(0.2)  # the connections are gone, long before the polls would have ended
    again = polls(scene, "xa", limits.POLLS)
    await asyncio.sleep(0.2)
    assert not any(task.done() for task in again)
    for task in again:
        task.cancel()
    await asyncio.gather(*again, return_exceptions=True)


async def test_requests_at_once_have_a_number(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AT_ONCE", 3)
    held = polls(scene, "xa", 3)
    await asyncio.sleep(0.2)
    said = (await scene.be("xa").get("/v1/directory")).problem(429)
    assert "at once" in said["detail"]
    assert (await scene.be("xb").get("/v1/directory")).status == 200
    held.pop().cancel()
    await asyncio.sleep(0.2)
    assert (await scene.be("xa").get("/v1/directory")).status == 200
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)


async def test_a_request_that_fails_anywhere_frees_its_place(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AT_ONCE", 1)
    sharer = scene.be("sharer")
    for status, answer in (
        (404, await sharer.get("/v1/shares/x")),
        (403, await sharer.get(INBOX)),
        (400, await sharer.post("/v1/shares", {})),
        (413, await sharer.call("GET", INBOX, b"x")),
        (404, await sharer.call("DELETE", f"/v1/uploads/{new_id('upl')}", headers=TUS)),
        (200, await sharer.get("/v1/directory")),
    ):
        assert answer.status == status


async def open_one(scene: Scene, size: int, who: str = "sharer") -> Answer:
    body = order(OpenUpload(new_id("upl"), size, "pq"))
    headers = {**TUS, **JSON, "Upload-Length": str(size)}
    return await scene.be(who).call("POST", "/v1/uploads", body, headers)


async def test_open_uploads_have_a_number(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deposit, "MAX_OPEN", 2)
    first, second = await uploaded(scene), await begin(scene)
    refused = await open_one(scene, 9)
    assert "complete some or delete them" in refused.problem(429)["detail"]
    assert refused.headers["retry-after"].isdigit()
    assert (await open_one(scene, 9, "releaser")).status == 201
    assert (await first.complete(first.statement())).status == 201
    assert (await open_one(scene, 9)).status == 201
    (await open_one(scene, 9)).problem(429)
    deleted = await second.sharer.call("DELETE", second.target, headers=TUS)
    assert (deleted.status, deleted.headers["tus-resumable"]) == (204, "1.0.0")
    assert (await open_one(scene, 9)).status == 201


async def test_open_uploads_have_a_quota_of_bytes(scene: Scene) -> None:
    scene.live.gateway.upload_quota = 100
    assert (await open_one(scene, 60)).status == 201
    assert "100 bytes" in (await open_one(scene, 41)).problem(429)["detail"]
    (await open_one(scene, 101, "releaser")).problem(429)
    assert (await open_one(scene, 40)).status == 201
    assert (await open_one(scene, 100, "releaser")).status == 201


async def test_the_creation_of_an_upload_repeated_counts_once(scene: Scene) -> None:
    scene.live.gateway.upload_quota = 9
    body = order(OpenUpload(new_id("upl"), 9, "pq"))
    headers = {**TUS, **JSON, "Upload-Length": "9"}
    for _ in range(3):
        answer = await scene.be("sharer").call("POST", "/v1/uploads", body, headers)
        assert answer.status == 201


def blobs(scene: Scene) -> set[str]:
    return set(scene.live.gateway.blobs.names())


async def test_a_deleted_upload_leaves_nothing_and_goes_on_for_nobody(scene: Scene) -> None:
    before = blobs(scene)
    made = await begin(scene)
    assert (await made.put(0, DATA[:CHUNK])).status == 204
    assert len(blobs(scene)) == len(before) + 1
    assert (await made.sharer.call("DELETE", made.target, headers=TUS)).status == 204
    assert blobs(scene) == before
    (await made.put(CHUNK, DATA[CHUNK:])).problem(409)
    (await made.complete(made.statement())).problem(409)
    with scene.live.gateway.engine.connect() as conn:
        query = f"SELECT secrets FROM uploads WHERE id = '{made.id}'"
        assert conn.exec_driver_sql(query).scalar() is None
    assert (await made.sharer.call("DELETE", made.target, headers=TUS)).status == 204  # again


async def test_the_upload_of_another_is_not_there_to_be_deleted(scene: Scene) -> None:
    made, other = await uploaded(scene), scene.be("releaser")
    theirs = await other.call("DELETE", made.target, headers=TUS)
    nothing = await other.call("DELETE", f"/v1/uploads/{new_id('upl')}", headers=TUS)
    theirs.problem(404)
    same(theirs, nothing)
    (await scene.be("xa").call("DELETE", made.target, headers=TUS)).problem(403)
    assert (await made.sharer.call("DELETE", made.target)).problem(400)["field"] == "Tus-Resumable"
    assert await made.offset() == len(DATA)


async def test_what_is_complete_is_not_deleted(scene: Scene) -> None:
    made = await uploaded(scene)
    assert (await made.complete(made.statement())).status == 201
    kept = blobs(scene)
    (await made.sharer.call("DELETE", made.target, headers=TUS)).problem(409)
    assert blobs(scene) == kept


async def test_an_upload_that_nobody_completes_is_dropped_after_a_week(scene: Scene) -> None:
    before = blobs(scene)
    stale, done = await uploaded(scene), await uploaded(scene)
    assert (await done.complete(done.statement())).status == 201
    scene.live.skew = timedelta(days=6, hours=23)
    fresh = await uploaded(scene)
    kept = blobs(scene)
    await asyncio.to_thread(upkeep.every_minute, scene.live.gateway)
    assert blobs(scene) == kept and len(kept) == len(before) + 3
    scene.live.skew = timedelta(days=7, seconds=5)
    await asyncio.to_thread(upkeep.every_minute, scene.live.gateway)
    assert len(blobs(scene)) == len(before) + 2
    stale.sharer, fresh.sharer = scene.be("sharer"), scene.be("sharer")
    (await stale.put(0, DATA)).problem(409)
    assert (await fresh.complete(fresh.statement())).status == 201


async def test_refused_requests_have_a_number_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each makes an entry; beyond it they make none."""
    monkeypatch.setattr(Allowance, "used_up", _after(3))
    sharer = scene.be("sharer")
    found = [await sharer.post("/v1/shares", {}) for _ in range(5)]
    assert [answer.status for answer in found] == [400, 400, 400, 429, 429]
    assert "find out why" in found[-1].json()["detail"]
    with scene.live.gateway.engine.connect() as conn:
        query = "SELECT count(*) FROM orders WHERE target = '/v1/shares' AND length(body) = 2"
        assert conn.exec_driver_sql(query).scalar() == 3


def _after(number: int):  # type: ignore[no-untyped-def]
    asked = iter(range(1000))
    return lambda *_: next(asked) >= number


def test_a_mixture_of_keys_and_times_never_exceeds_the_rate() -> None:
    """In any span of s seconds at most a bucket and what fills it meanwhile."""
    draw = random.Random(3)
    made, clock = allowance(30)
    passed: list[float] = []
    for _ in range(3000):
        clock.now += draw.choice((0.0, 0.0, 0.01, 0.5, 3.0))
        if made.allow("k"):
            passed.append(clock.now)
    for first in range(0, len(passed), 50):
        for last in range(first, len(passed), 37):
            span = passed[last] - passed[first]
            assert last - first + 1 <= 30 + span / 2 + 1


async def test_a_pull_that_meets_a_limit_waits_and_goes_on(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the manifest and at an item: as long as it is told to."""
    admit, refused = limits.Limits.admit, list[str]()

    def strict(self: limits.Limits, request: web.Request, actor: Actor) -> None:
        if request.path.endswith(("/manifest", "/items/0")) and request.path not in refused:
            refused.append(request.path)
            raise RateLimitedError("too many requests", retry_after=1)
        admit(self, request, actor)

    monkeypatch.setattr(limits.Limits, "admit", strict)
    begun = time.monotonic()
    async with session(scene.world, "xa") as endpoint:
        done = await pull.pull(endpoint, scene.shares.ours, tmp_path / "out", lambda _: None)
    assert (done.folder / "big.bin").read_bytes() == BIG
    assert len(refused) == 2 and time.monotonic() - begun >= 2
