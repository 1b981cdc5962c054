"""`python -m tests.benchmarks`: every figure in one run, each beside its peer on the same machine.

Medians of repetitions in which the contestants take turns. Ratios travel; absolute numbers do not.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import decisions, deposits, entries, envelopes, policies, reads, shares
from tests.benchmarks.figures import FULL, QUICK, Absent, Figure, Plan

Benchmark = Callable[[Plan, Path], Iterator[Figure | Absent]]
BENCHMARKS: tuple[Benchmark, ...] = (
    envelopes.sealing,
    envelopes.in_memory,
    envelopes.fan_out,
    deposits.in_process,
    deposits.over_http,
    deposits.flat,
    entries.ledger,
    reads.inbox,
    shares.fan_out,
    decisions.policy,
    policies.verdicts,
    policies.matrix,
)


def run(plan: Plan, only: str | None = None) -> Iterator[Figure | Absent]:
    """Run every benchmark in a folder of its own, or those whose name holds a word."""
    for benchmark in BENCHMARKS:
        if only and only not in f"{benchmark.__module__}.{benchmark.__name__}":
            continue
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield from benchmark(plan, Path(folder))


def main() -> None:
    """Print the figures as they come, and write them down if asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only show that all of it works")
    parser.add_argument("--only", metavar="WORD", help="only the benchmarks named so")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    args = parser.parse_args()
    found = []
    for figure in run(QUICK if args.quick else FULL, args.only):
        print(figure.line(), flush=True)
        if isinstance(figure, Figure):
            found.append({**asdict(figure), "ratio": figure.ratio})
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
