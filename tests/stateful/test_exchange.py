"""Random lives of the whole exchange, on both databases: short in `make test`, longer in `make check`."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.desk import Stopwatch
from tests.stateful.machine import lives
from tests.stateful.template import template
from tests.world import POSTGRES

_ALWAYS = {"item.deposited", "rfa.received", "rfa.assessed", "share.released", "refused"}
_NEEDED = _ALWAYS | {
    "package.made", "share.proposed", "share.available", "range.authorised", "item.amended",
    "share.suspended", "share.resumed", "receipt",
}  # fmt: skip
"""Without these a run has shown little; the rarer kinds are left to the long one."""


def play(folder: Path, kind: str, examples: int, steps: int) -> Stopwatch:
    """Play so many lives of so many steps; fail if they came to less than a life has in it."""
    watch = Stopwatch()
    with template(folder, kind) as made:
        run_state_machine_as_test(
            lives(made, watch),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(f"{kind}: {watch.examples} lives, {watch.steps} steps, {watch.entries} entries")
    print(dict(sorted(watch.kinds.items())))
    return watch


def test_whatever_people_do_nothing_leaves_unpermitted_and_the_books_balance(
    tmp_path: Path,
) -> None:
    watch = play(tmp_path, "sqlite", examples=8, steps=30)
    assert set(watch.kinds) >= _ALWAYS


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_longer_lives_on_both_databases(tmp_path: Path, kind: str) -> None:
    if kind == "postgresql" and not POSTGRES:
        pytest.skip("PostgreSQL: set GATEWAY_POSTGRES to a server where tests may make databases")
    watch = play(tmp_path, kind, examples=30 if kind == "sqlite" else 12, steps=40)
    assert set(watch.kinds) >= _NEEDED


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_thousand_lives(tmp_path: Path, kind: str) -> None:
    if kind == "postgresql" and not POSTGRES:
        pytest.skip("PostgreSQL: set GATEWAY_POSTGRES to a server where tests may make databases")
    watch = play(tmp_path, kind, examples=1000, steps=80)
    assert set(watch.kinds) >= _NEEDED
