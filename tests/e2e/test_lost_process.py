"""Joins while one of two realtime processes is not there."""

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
TRY_S = 3.0


@contextmanager
def gone():
    """The address of a process that is not there, and what it was asked."""
    with refused() as url:
        yield url, None


@contextmanager
def mute():
    """The same of a process that hears and says nothing, as a stopped one."""
    with FaultyRealtime(silent) as process:
        yield process.url, process.requests


@pytest.fixture(params=[(gone, 0.0), (mute, TRY_S)], ids=["killed", "silent"])
def lossy(request, any_migrated, tmp_path):
    """A site whose lobby is also told of a process that is lost, what asking that one costs, and
    what it was asked."""
    fault, cost_s = request.param
    with ExitStack() as stack:
        lost, asked = stack.enter_context(fault())
        database = stack.enter_context(any_migrated.copy(tmp_path))
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        realtime = stack.enter_context(server("realtime", environ, tmp_path))
        environ["REALTIME_URL"] = f"{lost},{realtime.url}"
        environ["REALTIME_TRY_TIMEOUT_S"] = str(TRY_S)
        lobby = stack.enter_context(server("lobby", environ, tmp_path))
        ring = Ring([url.removeprefix("http://") for url in (lost, realtime.url)])
        yield Site(realtime, database, lobby), ring, cost_s, asked


def test_creates_and_joins_are_answered_by_the_other(lossy, canary):
    site, ring, cost_s, asked = lossy
    canary.hears(site)

    def create_and_join(number):
        created, create_s = timed(lambda: site.create("alice"))
        joined, join_s = timed(lambda: site.join(created.json()["roomId"], f"guest {number}"))
        assert (created.status_code, joined.status_code) == (201, 200)
        first, _ = ring.two(room_path("leet99", created.json()["roomId"]))
        return first == 0, min(create_s, join_s)

    ends = together(create_and_join, range(CALLERS), at_once=CALLERS)
    assert {lost for lost, _ in ends} == {True, False}
    assert all(took_s >= cost_s for lost, took_s in ends if lost)
    if asked is not None:
        registers = [one for one in asked if b"/register " in one]
        assert len(registers) == 2 * sum(lost for lost, _ in ends), "others were asked about too"
    until(lambda: says(site, "/readyz")["checks"]["realtime"] == "1 of 2 ok, 1 unreachable")
    until(lambda: says(site, "/status") == {"status": "ok"})


def says(site, path):
    return site.http.get(site.lobby.url + path).json()


def timed(call):
    started = time.monotonic()
    return call(), time.monotonic() - started
