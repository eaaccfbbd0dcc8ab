"""Joins while one of two realtime processes is not there, with the settings as they come."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager

import pytest

from contracts.paths import room_path
from contracts.ring import Ring
from tests.e2e.conftest import places
from tests.support.faulty_realtime import FaultyRealtime, refused, silent
from tests.support.servers import server, until
from tests.support.site import Site, together

CALLERS = 24
TRY_S = 4.0
BUSY_S = 1.0  # what the callers and a busy machine cost each other


@contextmanager
def mute():
    """The address of a process that hears and says nothing, as a stopped one."""
    with FaultyRealtime(silent) as process:
        yield process.url


@pytest.fixture(params=[(refused, 0.0), (mute, TRY_S)], ids=["killed", "silent"])
def lossy(request, any_migrated, tmp_path):
    """A site whose lobby is also told of a process that is lost, and what asking that one costs."""
    fault, cost_s = request.param
    with ExitStack() as stack:
        lost = stack.enter_context(fault())
        database = stack.enter_context(any_migrated.copy(tmp_path))
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        realtime = stack.enter_context(server("realtime", environ, tmp_path))
        environ["REALTIME_URL"] = f"{lost},{realtime.url}"
        lobby = stack.enter_context(server("lobby", environ, tmp_path))
        ring = Ring([url.removeprefix("http://") for url in (lost, realtime.url)])
        yield Site(realtime, database, lobby), ring, cost_s


def test_creates_and_joins_are_answered_by_the_other(lossy, canary):
    site, ring, cost_s = lossy
    canary.hears(site)

    def create_and_join(number):
        created, create_s = timed(lambda: site.create("alice"))
        joined, join_s = timed(lambda: site.join(created.json()["roomId"], f"guest {number}"))
        assert (created.status_code, joined.status_code) == (201, 200)
        first, _ = ring.two(room_path("leet99", created.json()["roomId"]))
        return first == 0, max(create_s, join_s), min(create_s, join_s)

    ends = together(create_and_join, range(CALLERS), at_once=CALLERS)
    assert {lost for lost, _, _ in ends} == {True, False}
    for lost, longest_s, shortest_s in ends:
        expected_s = cost_s if lost else 0.0
        assert expected_s <= shortest_s <= longest_s < expected_s + BUSY_S
    until(lambda: says(site, "/readyz")["checks"]["realtime"] == "1 of 2 ok, 1 unreachable")
    until(lambda: says(site, "/status") == {"status": "ok"})


def says(site, path):
    return site.http.get(site.lobby.url + path).json()


def timed(call):
    started = time.monotonic()
    return call(), time.monotonic() - started
