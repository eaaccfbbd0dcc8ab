"""What a serving process asks of its system."""

import subprocess
import sys

import pytest

from config.kinds import PROJECT

PROGRAM = """
import resource
from config.serving import allow_files
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
allow_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(128, 512), (512, 512)])
def test_as_many_files_may_be_open_as_the_hard_limit_says(soft, hard):
    program = [sys.executable, "-c", PROGRAM.format(soft=soft, hard=hard)]
    done = subprocess.run(program, cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.split() == ["512", "512"], done.stderr
