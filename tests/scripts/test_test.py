"""`scripts/test` uses every core, unless its caller says otherwise."""

import pytest

from scripts.lib.test import ON_EVERY_CORE, pytest_arguments


@pytest.mark.parametrize("given", [[], ["--long"], ["tests/realtime", "-k", "chat"], ["--cov"]])
def test_the_suite_and_its_folders_run_on_every_core(given):
    assert pytest_arguments(given) == [*ON_EVERY_CORE, *given]


@pytest.mark.parametrize(
    "given",
    [
        ["-n0"],
        ["-n", "3"],
        ["--numprocesses=3"],
        ["-p", "no:xdist"],
        ["--pdb"],
        ["-s"],
        ["tests/test_mirror.py"],
        ["tests/test_mirror.py::test_every_module_that_is_named_exists"],
    ],
)
def test_who_chooses_processes_or_files_has_it_that_way(given):
    assert pytest_arguments(given) == given
