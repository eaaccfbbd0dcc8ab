"""The places of tests/realtime/conftest.py, and memory."""

import pytest

from tests.support.stores import MemoryPlace


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def place(request):
    return MemoryPlace() if request.param == "memory" else request.getfixturevalue(request.param)
