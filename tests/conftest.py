"""How the tests run here: hypothesis profile, and skips that CI does not accept."""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "project",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

# A traceback with its local variables, a whole policy set among them, takes seconds to print.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

INSIST = bool(os.environ.get("GATEWAY_INSIST"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Under GATEWAY_INSIST a skipped test fails, unless vectors outside the repository are absent."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if INSIST and report.skipped and "vectors:" not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, but CI insists: {report.longrepr}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were not run because what they need lies outside the repository."""
    skipped = terminalreporter.stats.get("skipped", [])
    vectors = [report for report in skipped if "vectors:" in str(report.longrepr)]
    terminalreporter.write_line(
        f"{len(skipped)} skipped, {len(vectors)} of them for vectors outside the repository"
    )
