"""What every test may ask for: the long rounds, and the databases there are."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.support.services import left_out

# How long an example takes says something about the machine.
settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("anywhere")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the long rounds as well")


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    if line := left_out(reasons):
        terminalreporter.write_line(f"TESTS LEFT OUT {line}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def long(request) -> bool:
    """Whether `--long` was given."""
    return request.config.getoption("--long")
