"""The real size: 500 RFAs of 338 investigations in 17 jurisdictions, and 2,000 shares, over five years.

Everything is signed and goes through the workflows, nothing is written into tables beside them; the public
figures then come out of the ledger alone, over HTTP, as the auditor reads them.
"""

import resource
import time
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.client import audit
from tests import reconcile
from tests.history.play import History, Size, begin, world_of_the_past
from tests.stateful.driver import driving
from tests.world import World, running, session

REAL = Size(rfas=500, investigations=338, shares=2000, items=600)
SMALL = Size(rfas=24, investigations=20, shares=30, items=35)


def played(world: World, size: Size, seed: int) -> History:
    """Play a history, balance the books, say how long it took."""
    assert world.begins is not None
    began, busy = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with driving(world, world.begins + timedelta(hours=1)) as driver:
        history = begin(driver, size, seed)
        history.play()
        took = time.monotonic() - began
        busy = resource.getrusage(resource.RUSAGE_SELF).ru_utime - busy
        kinds = reconcile.check(driver.gateway)
        history.done.update({f"entries {kind}": count for kind, count in kinds.items()})
        history.done["released, by table"] = len(reconcile.released(driver.gateway))
    each = 1000 * took / size.shares
    print(f"{size}: {took:.0f} s, of which {busy:.0f} s busy; {each:.0f} ms a share")
    print(f"{sum(kinds.values())} entries: {dict(sorted(kinds.items()))}")
    print(dict(history.done))
    return history


async def check_figures(world: World, history: History) -> None:
    """Compare the figures that an auditor takes from the ledger with what was played."""
    size, done = history.size, history.done
    began = time.monotonic()
    async with running(world), session(world, "auditor") as auditor:
        told = await audit.figures(auditor)
    print(f"figures in {time.monotonic() - began:.1f} s: {told}")
    assert told["rfas"] == size.rfas == done["rfas"]
    assert told["investigations"] == size.investigations
    assert told["jurisdictions"] == 17
    assert told["shares"] == size.shares == done["shares"] == done["released, by table"]
    assert told["declared"] == {"rfa": 0, "share": 0, "holder": 0}


def check_variety(history: History) -> None:
    """A history in which nothing went otherwise would prove little."""
    done = history.done
    for what in ("declined", "withdrawn", "denied", "held", "recalled", "paper", "supplementary"):
        assert done[what] >= 5, what
    for kind in ("suspended", "resumed", "approved", "consulted", "expired"):
        assert done[f"entries share.{kind}"] >= 5, kind
    assert done["entries receipt"] == done["receipts"] > history.size.shares
    assert done["entries refused"] == done["refused"] >= 10
    assert done["entries share.recalled"] == done["recalled"]
    assert done["entries share.proposed"] == done["proposed"]


@pytest.mark.slow
async def test_the_public_figures_come_out_of_the_ledger_at_the_real_size(tmp_path: Path) -> None:
    world = world_of_the_past(tmp_path)
    history = played(world, REAL, seed=7)
    check_variety(history)
    await check_figures(world, history)


async def test_the_public_figures_come_out_of_the_ledger_in_small(tmp_path: Path) -> None:
    world = world_of_the_past(tmp_path)
    await check_figures(world, played(world, SMALL, seed=3))


def test_the_books_that_do_not_balance_are_noticed(tmp_path: Path) -> None:
    """The check itself can fail: a row without its entry, and an entry without its row."""
    world = world_of_the_past(tmp_path)
    assert world.begins is not None
    with driving(world, world.begins + timedelta(hours=1)) as driver:
        history = begin(driver, Size(2, 2, 2, 3), seed=1)
        history.play()
        reconcile.check(driver.gateway)
        for statement, complaint in SPOILT:
            with driver.gateway.engine.connect() as conn:
                assert conn.exec_driver_sql(statement).rowcount >= 1
                with pytest.raises((AssertionError, KeyError), match=complaint or None):
                    reconcile.check_on(driver.gateway, conn)
                conn.rollback()
        reconcile.check(driver.gateway)


SPOILT = (
    ("UPDATE shares SET state = 'recalled'", "its life says"),
    ("UPDATE rfas SET state = 'recorded'", ""),
    ("UPDATE rfas SET investigation = NULL", ""),
    ("UPDATE servings SET state = 'interrupted'", "range.finished, not"),
    ("UPDATE servings SET state = 'open'", "ended 1 times"),
    ('UPDATE servings SET "end" = "end" + 1', ""),
    ("DELETE FROM servings", "was never authorised"),
    ("DELETE FROM opening_keys WHERE eid = (SELECT min(eid) FROM entries)", ""),
    ("UPDATE heads SET size = size - 1", "the head is not"),
)
"""What no workflow does, and the database does not refuse; and what the check says of it, where it speaks."""
