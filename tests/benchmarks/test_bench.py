"""The benchmarks run and print every line, with numbers that can be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import stock
from tests.world import ROOT

LINES = (
    "seal a stream",
    "seal by parts",
    "open",
    "wrap for one recipient, pq",
    "cost of 20 recipients",
    "ledger entries, sqlite, 1 at once",
    "ledger entries, sqlite, 16 at once",
    "ledger entries, sqlite, 256 at once",
    "signed inbox reads, sqlite, one connection",
    "  token verified",
    "  token spent",
    "  messages read",
    "  to a thread and back",
    "  aiohttp, sockets and client",
    "  the rest",
    "propose to 3, sqlite, each, p99",
    "release to 3, sqlite, each, p99",
    "wraps by the keyholder, a CPU second",
    "policy decisions",
    "verdict at 10 rules",
    "verdict at 50 rules",
    "verdict at 1,000 rules",
    "50 items x 200 jurisdictions",
)


@pytest.mark.slow
def test_a_quick_run_prints_every_figure_with_positive_numbers(tmp_path: Path) -> None:
    if stock.AGE is None:
        pytest.skip(f"age: {stock.WHY}, so sealing has no peer")
    target = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    for line in LINES:
        assert any(shown.startswith(line) for shown in printed), line
    figures = json.loads(target.read_text())
    # The rest is a difference of two measured times, which a busy machine can turn below nothing.
    measured = [figure for figure in figures if figure["name"] != "  the rest"]
    assert all(figure["ours"] > 0 and figure["theirs"] > 0 for figure in measured)
    assert all(figure["ratio"] > 0 for figure in measured)
    parts = [figure for figure in figures if figure["peer"] == "the whole read"]
    wholes = {figure["theirs"] for figure in parts}
    assert sum(figure["ours"] for figure in parts) == pytest.approx(sum(wholes))
