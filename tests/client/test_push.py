"""The sharing team's tool: cut off anywhere, the same command finds the same items again."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.client import push
from gateway.client.session import Reply, Session
from gateway.kernel.encoding import digest_of
from gateway.kernel.errors import ConflictError, UnavailableError
from gateway.store import tables
from tests.world import PLAIN, Running, World, build_world, package_of, running, session, source


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path, ("xa",))


def items(live: Running) -> int:
    with live.gateway.engine.connect() as conn:
        return int(conn.execute(select(func.count()).select_from(tables.items)).scalar() or 0)


async def test_a_push_cut_off_after_some_files_goes_on_with_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = []
    for n in range(3):
        path = world.root / f"{n}.txt"
        path.write_text(f"file {n}")
        sources.append(source(path))
    whole, count = Session.request, 0

    async def cut(self: Session, method: str, target: str, *args: object, **kw: object) -> Reply:
        nonlocal count
        count += target == "/v1/items"
        if count > 2:
            raise UnavailableError("cut off")
        return await whole(self, method, target, *args, **kw)  # type: ignore[arg-type]

    async with running(world) as live, session(world, "sharer") as sharer:
        with monkeypatch.context() as patch:
            patch.setattr(Session, "request", cut)
            with pytest.raises(UnavailableError):
                async with push.deposited(sharer, sources, lambda _: None):
                    raise AssertionError("not reached")
        assert items(live) == 2
        async with push.deposited(sharer, sources, lambda _: None) as records:
            assert len({record.item for record in records}) == 3
        assert items(live) == 3
        assert not list((sharer.folder.path / "state").glob("upload-*"))


async def test_a_file_pushed_again_on_purpose_is_another_item(world: World) -> None:
    path = world.root / "a.txt"
    path.write_text("one file")
    async with running(world) as live, session(world, "sharer") as sharer:
        one = await push.deposit(sharer, source(path), lambda _: None)
        two = await push.deposit(sharer, source(path), lambda _: None)
        assert one.item != two.item
        assert items(live) == 2


async def test_facts_changed_between_two_tries_make_another_item(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.root / "a.txt"
    path.write_text("one file")
    async with running(world) as live, session(world, "sharer") as sharer:
        with pytest.raises(ZeroDivisionError):
            async with push.deposited(sharer, [source(path)], lambda _: None):
                raise ZeroDivisionError
        assert items(live) == 1
        async with push.deposited(sharer, [source(path, sgbv=True)], lambda _: None) as (record,):
            assert record.facts != digest_of(dict(PLAIN))
        assert items(live) == 2


async def test_a_file_that_changes_while_it_is_sent_is_not_deposited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.root / "a.bin"
    path.write_bytes(b"a" * 100_000)
    whole = push.digest_file

    def changed(found: Path) -> push.Digests:
        digests = whole(found)
        found.write_bytes(b"b" * 100_000)
        return digests

    async with running(world) as live, session(world, "sharer") as sharer:
        monkeypatch.setattr(push, "digest_file", changed)
        with pytest.raises(Exception, match="not the ones stated"):
            await push.deposit(sharer, source(path), lambda _: None)
        assert items(live) == 0


@pytest.mark.parametrize("names", [("a", "a/b"), ("é.txt", "e\u0301.txt"), ("x", "X")])
async def test_files_whose_names_collide_make_no_package(
    world: World, names: tuple[str, str]
) -> None:
    path = world.root / "file"
    path.write_text("one file")
    async with running(world), session(world, "sharer") as sharer:
        with pytest.raises(ConflictError, match="same name"):
            await package_of(sharer, [source(path, name) for name in names])
