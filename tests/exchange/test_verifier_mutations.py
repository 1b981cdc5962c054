"""With any one check of the verifiers removed, a test fails.

Each mutant is a copy of a module without one check; the attack tests run against it and must notice.
Run with -v to see the checks, with -s to see which test noticed first.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exchange.mutants import Mutant, mutants
from tests.vectors import ROOT

ATTACKS = "tests/exchange/test_attacks.py"
SECONDS = "tests/exchange/test_seconds.py"
VERIFIERS: dict[str, tuple[str, frozenset[str]]] = {
    "kernel.signing": (
        "tests/kernel/test_signing.py",
        frozenset({"check_signature", "verify", "_check_both", "check_paired", "_parts", "_text"}),
    ),
    "kernel.second": ("tests/kernel/test_second.py", frozenset({"check_second"})),
    "exchange.tokens": ("tests/exchange/test_tokens.py", frozenset()),
    "exchange.entitlement": (ATTACKS, frozenset()),
    "exchange.acts": (
        f"{ATTACKS} {SECONDS}",
        frozenset({"act_of", "check_rights", "check_second_order", "judge"}),
    ),
    "exchange.naming": (ATTACKS, frozenset({"check_name"})),
    "exchange.manifest": (
        f"{ATTACKS} tests/exchange/test_body_parts.py",
        frozenset({"open_manifest", "check_inner_digest", "open_inner"}),
    ),
    "exchange.receipts": (ATTACKS, frozenset({"open_receipt"})),
    "exchange.messages": (ATTACKS, frozenset({"open_message"})),
    "exchange.rfa_messages": (
        "tests/exchange/test_rfa_messages.py",
        frozenset({"RfaMessage", "open_rfa_message", "verify_rfa_message"}),
    ),
    "exchange.directory": (
        f"{ATTACKS} {SECONDS}",
        frozenset({"Directory", "_enter_keys", "open_set", "open_view", "_climb"}),
    ),
}


def every() -> list[tuple[str, Mutant]]:
    """Return each mutant with the short name of its module."""
    return [
        (short, mutant)
        for short, (_, functions) in VERIFIERS.items()
        for mutant in mutants(source_of(short), functions)
    ]


def source_of(short: str) -> str:
    return (ROOT / "gateway" / f"{short.replace('.', '/')}.py").read_text()


def run(tests: str, short: str, source: str, folder: Path) -> tuple[int, str]:
    """Run the tests with *source* in place of the module; return the exit code and what was said."""
    file = folder / f"{short}.py"
    file.write_text(source)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            f"--rootdir={ROOT}",
            *tests.split(),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "GATEWAY_MUTANT": f"gateway.{short}={file}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # half of the time
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("short", sorted(VERIFIERS))
def test_the_unchanged_module_loaded_from_a_copy_passes(short: str, tmp_path: Path) -> None:
    code, said = run(VERIFIERS[short][0], short, source_of(short), tmp_path)
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("short", "mutant"), [pytest.param(s, m, id=f"{s}.{m.check}") for s, m in every()]
)
def test_without_this_check_an_attack_test_fails(
    short: str, mutant: Mutant, tmp_path: Path
) -> None:
    code, said = run(VERIFIERS[short][0], short, mutant.source, tmp_path)
    failed = re.search(r"FAILED \S+::(\w+)", said)
    assert code == 1, f"no test noticed: {said}"
    assert failed, said
    print(f"{short}.{mutant.check} | {failed[1]}")
