"""What every test may ask for: the long rounds, figures to show, and the databases there are."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import templates
from tests.support.services import left_out

# The files that take longest, the longest first: what starts last must not be what all wait for.
LONGEST = [
    "tests/faultlab/test_faultlab.py",
    "tests/e2e/test_partysocket.py",
    "tests/e2e/test_storms.py",
    "tests/e2e/test_restarts.py",
    "tests/e2e/test_kill.py",
    "tests/e2e/test_processes.py",
    "tests/e2e/test_lost_answers.py",
]
FIGURE = "figure"  # a property of a test's report, with a line to show
# How long an example takes says something about the machine.
settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("anywhere")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long rounds as well")


# -- several workers -----------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder, or in a worker take the one of its controller."""
    told = getattr(config, "workerinput", {}).get(templates.RUN_FOLDER)
    templates.run_folder = Path(told or tempfile.mkdtemp(prefix="greenroom-tests-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker, before it starts."""
    node.workerinput[templates.RUN_FOLDER] = str(templates.run_folder)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files: those of LONGEST, then the other ones that start servers, then the rest."""
    items.sort(key=lambda item: starts(item.nodeid.split("::")[0]))


def starts(file: str) -> int:
    """When the tests of this file start."""
    if file in LONGEST:
        return LONGEST.index(file)
    return len(LONGEST) + (not file.startswith("tests/e2e/"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        templates.drop_templates()
        shutil.rmtree(templates.run_folder, ignore_errors=True)


# -- the last lines ------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for kind in terminalreporter.stats.values() for one in kind]
    for report in reports:
        for name, value in getattr(report, "user_properties", []):
            if name == FIGURE and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid}: {value}")
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    if line := left_out(reasons):
        terminalreporter.write_line(f"TESTS LEFT OUT {line}", yellow=True, bold=True)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Show a figure at the end of the run."""
    return lambda figure: request.node.user_properties.append((FIGURE, figure))


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether `--long` was given."""
    return bool(request.config.getoption("--long"))


# -- databases -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sqlite_tables() -> Any:
    """An SQLite file with its tables, to be copied."""
    return templates.sqlite_tables()


@pytest.fixture(scope="session")
def postgresql_tables() -> Any:
    """A PostgreSQL database with its tables, to be copied."""
    return templates.postgresql_tables()
