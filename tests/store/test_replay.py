"""Tokens of reads are spent once, and a store that may have forgotten says so."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from gateway.exchange.tokens import LEEWAY
from gateway.kernel.errors import UnavailableError
from gateway.store import replay as module
from gateway.store.replay import FileReplay, PostgresReplay, Replay

NOW = 1_795_000_000
Open = Callable[[int, str], Replay]


def _spend(store: Replay, token: str = "t1", *, issued: int = NOW, actor: str = "psn_a") -> bool:
    return store.spend(actor, token, issued=issued, expires=issued + 60, now=max(issued, NOW))


@pytest.fixture
def reopen(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open the store at a time, on a machine that has started once more if *boot* is another."""
    opened: list[Replay] = []
    engine: Engine | None = None
    if kind == "postgresql":
        request.getfixturevalue("writing")  # its schema has the tables
        engine = request.getfixturevalue("single")

    def start(now: int, boot: str = "boot-1") -> Replay:
        if engine is None:
            store: Replay = FileReplay(tmp_path / "replay.db", now, boot)
        else:
            if boot != "boot-1":
                _crash(engine)
            store = PostgresReplay(engine, now)
        opened.append(store)
        return store

    yield start
    for store in opened:
        store.close()


def _crash(engine: Engine) -> None:
    """Empty the unlogged tables, as PostgreSQL does when it has crashed."""
    with engine.begin() as conn:
        conn.execute(text("TRUNCATE read_boot, read_jti"))


def _first(reopen: Open) -> Replay:
    store = reopen(NOW, "boot-1")
    store.first_start()
    return store


def test_a_token_is_spent_once(reopen: Open) -> None:
    store = _first(reopen)
    assert _spend(store)
    assert not _spend(store)
    assert _spend(store, "t2")
    assert _spend(store, actor="psn_b")


def test_of_many_who_spend_one_token_at_once_exactly_one_does(reopen: Open) -> None:
    stores = [_first(reopen), reopen(NOW, "boot-1")]  # two servers, each with several threads
    with ThreadPoolExecutor(8) as pool:
        for n in range(25):
            ready = threading.Barrier(8)

            def race(store: Replay, token: str = f"t{n}", ready: threading.Barrier = ready) -> bool:
                ready.wait()
                return _spend(store, token)

            assert sum(pool.map(race, stores * 4)) == 1


def test_a_token_refused_after_a_loss_is_not_kept(reopen: Open) -> None:
    store = reopen(NOW, "boot-1")
    for _ in range(2):  # the second time, too, it is told to wait, not that it was spent
        with pytest.raises(UnavailableError):
            _spend(store)


def test_a_spent_token_survives_a_restart_of_the_program(reopen: Open) -> None:
    _spend(_first(reopen))
    store = reopen(NOW + 5, "boot-1")
    assert not _spend(store)
    assert _spend(store, "t2")


def test_after_a_loss_tokens_from_before_are_refused(reopen: Open) -> None:
    _spend(_first(reopen))
    store = reopen(NOW + 10, "boot-2")
    with pytest.raises(UnavailableError, match="recovered") as refused:
        _spend(store)
    assert refused.value.retry_after == 10 + LEEWAY
    with pytest.raises(UnavailableError):
        _spend(store, "t2", issued=NOW + 10 + LEEWAY - 1)
    assert _spend(store, "t3", issued=NOW + 10 + LEEWAY)


def test_a_new_store_beside_a_ledger_with_entries_refuses_early_tokens(reopen: Open) -> None:
    store = reopen(NOW, "boot-1")
    with pytest.raises(UnavailableError):
        _spend(store)
    assert _spend(store, issued=NOW + LEEWAY)


def test_a_lost_file_is_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "replay.db"
    store = FileReplay(path, NOW, "boot-1")
    store.first_start()
    _spend(store)
    store.close()
    for left in tmp_path.glob("replay.db*"):
        left.unlink()
    again = FileReplay(path, NOW + 1, "boot-1")
    with pytest.raises(UnavailableError):
        _spend(again)
    again.close()


def test_postgresql_that_forgets_while_the_gateway_runs_recovers_in_time(
    writing: Engine, single: Engine
) -> None:
    if single.dialect.name == "sqlite":
        return
    store = PostgresReplay(single, NOW)
    store.first_start()
    assert _spend(store)
    _crash(single)
    with pytest.raises(UnavailableError):
        _spend(store, "t1")
    later = NOW + LEEWAY
    assert _spend(store, "t2", issued=later)
    assert not _spend(store, "t2", issued=later)


def test_a_purge_forgets_what_has_expired_and_nothing_else(
    reopen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PURGE_EVERY", 3)
    store = _first(reopen)
    assert _spend(store, "old", issued=NOW)
    assert _spend(store, "young", issued=NOW + 100)
    assert _spend(store, "now", issued=NOW + 60 + LEEWAY + 1)
    assert not _spend(store, "young", issued=NOW + 100)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_set_back_makes_no_forgotten_token_fresh(
    reopen: Open, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    monkeypatch.setattr(module, "_PURGE_EVERY", 2)
    store = _first(reopen)
    assert _spend(store, "old")
    assert _spend(store, "late", issued=NOW + 1000)  # by now "old" is forgotten
    if restarted:
        store = reopen(NOW, "boot-1")
    with pytest.raises(UnavailableError, match="clock was set back") as refused:
        _spend(store, "old")
    assert refused.value.retry_after == 1
    with pytest.raises(UnavailableError):
        _spend(store, "another", issued=NOW - 5)
    assert _spend(store, "new", issued=NOW + 1)
    assert not _spend(store, "late", issued=NOW + 1000)


def test_a_token_is_kept_to_the_last_second_in_which_it_holds(
    reopen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is purged must have been refused by its own end before: here is the second in between."""
    monkeypatch.setattr(module, "_PURGE_EVERY", 1)
    store = _first(reopen)
    token = dict.fromkeys(("issued",), NOW) | {"expires": NOW + 60 + LEEWAY}
    assert store.spend("psn_a", "t", **token, now=NOW)
    last = NOW + 60 + LEEWAY - 1  # of the time in which tokens.verify takes it
    for now in (last, last + 1, last + LEEWAY):
        assert not store.spend("psn_a", "t", **token, now=now)


def test_replicas_on_one_database_race_for_a_token_and_one_gets_it(
    kind: str, writing: Engine, single: Engine, tmp_path: Path
) -> None:
    """Two stores of two servers, eight threads each: SQLite's file and PostgreSQL's table alike."""
    stores: list[Replay] = [
        PostgresReplay(single, NOW)
        if kind == "postgresql"
        else FileReplay(tmp_path / "shared.db", NOW, "boot-1")
        for _ in range(2)
    ]
    stores[0].first_start()
    if isinstance(stores[1], FileReplay):
        stores[1].recovered = 0
    try:
        for round_ in range(20):
            started = threading.Barrier(16)

            def race(
                store: Replay, name: str = f"t{round_}", at: threading.Barrier = started
            ) -> bool:
                at.wait(10)
                return _spend(store, name)

            with ThreadPoolExecutor(16) as pool:
                won = list(pool.map(race, stores * 8))
            assert won.count(True) == 1
    finally:
        for store in stores:
            store.close()


_RACER = """
import sys
from pathlib import Path
from sqlalchemy import make_url
from gateway.store.engine import connect_single
from gateway.store.replay import FileReplay, PostgresReplay
where, now = sys.argv[1], int(sys.argv[2])
store = FileReplay(Path(where), now, "boot-1") if "://" not in where else PostgresReplay(connect_single(make_url(where)), now)
print("ready", flush=True)
sys.stdin.readline()
print(sum(store.spend("psn_a", f"t{n}", issued=now, expires=now + 90, now=now) for n in range(200)))
"""


@pytest.mark.slow
def test_four_processes_race_for_tokens_and_each_token_is_spent_once(
    kind: str, url: str, writing: Engine, single: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "raced.db"
    where = url if kind == "postgresql" else str(path)
    first: Replay = (
        PostgresReplay(single, NOW) if kind == "postgresql" else FileReplay(path, NOW, "boot-1")
    )
    first.first_start()
    command = [sys.executable, "-c", _RACER, where, str(NOW)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    won = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    first.close()
    assert sum(won) == 200, won
