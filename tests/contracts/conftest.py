import asyncio

import pytest

from tests.support.certificates import self_signed
from tests.support.loops import LOOPS
from tests.support.virtual_time import HeldClockLoop


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=LOOPS.values(), ids=[*LOOPS])
def run(request):
    """Runs coroutines; those of one test share a loop, and with it their connections."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture
def held():
    """Runs coroutines on a loop whose clock stands still until they move it."""
    with asyncio.Runner(loop_factory=HeldClockLoop) as runner:
        yield runner.run
