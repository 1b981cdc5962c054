"""Reading the inbox: the token is spent before anything is looked up, and a waiting reader misses nothing."""

import asyncio

from sqlalchemy import event

from gateway.client.session import Session
from gateway.exchange.acts import Release, ReleaseItem
from gateway.exchange.parse import build
from tests.web.conftest import Scene
from tests.web.harness import Answer, exchange
from tests.world import Running, session

WAIT = 20  # seconds, of which no test takes more than a moment


def statements(live: Running) -> list[str]:
    """Note what is asked of the messages from now on."""
    seen: list[str] = []

    @event.listens_for(live.gateway.single, "before_cursor_execute")
    def _note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM messages" in statement:
            seen.append(statement)

    return seen


async def newest(scene: Scene, who: str = "xa") -> int:
    return int((await scene.be(who).get("/v1/inbox")).json()["next"])


async def release_of(staff: Session, share: str) -> Release:
    shown = (await staff.get(f"/v1/shares/{share}")).json()
    items = build(shown["items"], tuple[ReleaseItem, ...])
    return Release(share, str(shown["recipient"]), items)


def waiting(scene: Scene, after: int, who: str = "xa") -> "asyncio.Task[Answer]":
    raw = scene.be(who).raw("GET", f"/v1/inbox?after={after}&wait={WAIT}")
    return asyncio.create_task(exchange(scene.port, raw))


async def test_a_spent_token_is_refused_before_any_message_is_looked_up(scene: Scene) -> None:
    raw = scene.be("xa").raw("GET", "/v1/inbox")
    seen = statements(scene.live)
    assert (await exchange(scene.port, raw)).status == 200
    assert len(seen) == 1
    assert (await exchange(scene.port, raw)).status == 401
    assert len(seen) == 1


async def test_messages_come_in_order_after_the_cursor_and_to_their_own_party(
    scene: Scene,
) -> None:
    everything = (await scene.be("xa").get("/v1/inbox")).json()
    assert everything["next"] == len(everything["messages"]) == 2
    rest = (await scene.be("xa").get("/v1/inbox?after=1")).json()
    assert rest == {"messages": everything["messages"][1:], "next": 2}
    nothing = (await scene.be("xa").get("/v1/inbox?after=2")).json()
    assert nothing == {"messages": [], "next": 2}
    others = (await scene.be("xb").get("/v1/inbox")).json()["messages"]
    assert not set(others) & set(everything["messages"])


async def test_a_reader_who_waits_hears_of_the_next_message(scene: Scene) -> None:
    after = await newest(scene)
    asked = waiting(scene, after)
    async with session(scene.world, "releaser") as staff:
        act = await release_of(staff, scene.shares.waiting)
        await staff.act(f"/v1/shares/{act.share}/release", act)
    found = (await asked).json()
    assert (len(found["messages"]), found["next"]) == (1, after + 1)


async def test_a_message_that_comes_between_look_and_sleep_is_not_missed(scene: Scene) -> None:
    after, loop = await newest(scene), asyncio.get_running_loop()
    looked, committed = asyncio.Event(), asyncio.Event()

    @event.listens_for(scene.live.gateway.single, "after_cursor_execute")
    def _stall(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM messages" in statement and not looked.is_set():
            loop.call_soon_threadsafe(looked.set)
            asyncio.run_coroutine_threadsafe(committed.wait(), loop).result(WAIT)

    async with session(scene.world, "releaser") as staff:
        act = await release_of(staff, scene.shares.waiting)
        asked = waiting(scene, after)
        await looked.wait()
        await staff.act(f"/v1/shares/{act.share}/release", act)
        committed.set()
    assert (await asked).json()["next"] == after + 1


async def test_a_reader_who_is_refused_is_not_kept_as_one_who_waits(scene: Scene) -> None:
    (bell,) = (hook.__self__ for hook in scene.live.gateway.writer._hooks)  # type: ignore[attr-defined]
    (await scene.be("sharer").get(f"/v1/inbox?wait={WAIT}")).problem(403)
    assert not bell._waiters


async def test_every_kind_of_read_spends_its_token(scene: Scene) -> None:
    ours = f"/v1/shares/{scene.shares.ours}"
    for who, target in (
        ("xa", f"{ours}/manifest"),
        ("xa", f"{ours}/manifest/inner"),
        ("xa", f"{ours}/evidence"),
        ("xa", "/v1/directory"),
        ("xa", "/v1/ledger/entries"),
        ("xa", "/v1/ledger/checkpoint"),
        ("releaser", ours),
        ("releaser", "/v1/shares"),
    ):
        raw = scene.be(who).raw("GET", target)
        found = [(await exchange(scene.port, raw)).status for _ in range(2)]
        assert found == [200, 401], target
