"""What the lobby's callers see when the realtime service is not itself."""

from __future__ import annotations

import threading
import time
from statistics import median, quantiles

import pytest

from tests.e2e.conftest import places
from tests.support.faulty_realtime import (
    GARBAGE,
    SECRET,
    FaultyRealtime,
    half_an_answer,
    hangs_up,
    silent,
    slow_headers,
    trickling,
)
from tests.support.servers import server
from tests.support.site import Site, refusal, together

SHORT = {"REALTIME_TRY_TIMEOUT_S": "0.3", "REALTIME_TOTAL_TIMEOUT_S": "0.7"}
UNREACHABLE, TIMEOUT = (503, "REALTIME_UNAVAILABLE"), (504, "REALTIME_TIMEOUT")
NONSENSE = (502, "INTERNAL_ERROR")
REFUSED_WITHIN_S, TIMEOUT_WITHIN_S = 1.5, 8.5
HEALTHY_WITHIN_S = 0.1
WAITING = 200
CROWDED_S = 1.0  # what 200 callers in one process on a busy machine cost each other


@pytest.fixture(scope="module")
def double():
    """A stand-in for the realtime service; a test gives it its fault."""
    with FaultyRealtime(silent) as double:
        yield double


@pytest.fixture(scope="module", params=[SHORT], ids=["short"])
def lobby(request, double, any_migrated, tmp_path_factory):
    """A lobby that calls the double."""
    folder = tmp_path_factory.mktemp("lobby")
    with any_migrated.copy(folder) as database:
        environ = {**database.environ, **places(), "RATE_LIMITS": "off", "REALTIME_URL": double.url}
        with server("lobby", {**environ, **request.param}, folder) as lobby:
            yield Site(server("realtime", environ, folder), database, lobby)


def asked(lobby):
    """Every call that needs the realtime service, with its answer and how long it took."""
    for call in (
        lambda: lobby.create("alice"),
        lambda: lobby.join("ROOM23", "alice"),
        lambda: lobby.summary("ROOM23"),
    ):
        started = time.monotonic()
        answer = call()
        yield answer, time.monotonic() - started


@pytest.mark.parametrize("fault", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_502_and_goes_no_further(lobby, double, fault):
    double.fault = fault
    for answer, took_s in asked(lobby):
        assert refusal(answer) == NONSENSE
        assert SECRET not in answer.text + str(answer.headers)
        assert took_s < REFUSED_WITHIN_S


@pytest.mark.parametrize("fault", [silent, slow_headers, trickling])
def test_silence_and_trickles_are_504(lobby, double, fault):
    double.fault = fault
    for answer, took_s in asked(lobby):
        assert refusal(answer) == TIMEOUT
        assert took_s < REFUSED_WITHIN_S


@pytest.mark.parametrize("fault", [hangs_up, half_an_answer])
def test_a_broken_connection_is_503(lobby, double, fault):
    double.fault = fault
    for answer, took_s in asked(lobby):
        assert refusal(answer) == UNREACHABLE
        assert int(answer.headers["retry-after"]) >= 1
        assert took_s < REFUSED_WITHIN_S


def test_a_stopped_service_is_503_soon_and_the_lobby_says_so(half_site):
    """With the settings as they come."""
    for answer, took_s in asked(half_site):
        assert refusal(answer) == UNREACHABLE
        assert int(answer.headers["retry-after"]) >= 1
        assert took_s < REFUSED_WITHIN_S
    ready = half_site.http.get(half_site.lobby.url + "/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


@pytest.mark.parametrize("lobby", [{}], ids=["defaults"], indirect=True)
def test_200_joins_at_a_silent_service_end_in_time_and_leave_the_lobby_healthy(lobby, double):
    """With the settings as they come: nobody waits longer than 8.5 s, and /healthz not at all."""
    double.fault = silent
    healthy: list[float] = []
    over = threading.Event()

    def watch():
        while not over.wait(0.1):
            started = time.monotonic()
            assert lobby.http.get(lobby.lobby.url + "/healthz").status_code == 200
            healthy.append(time.monotonic() - started)

    def join(number):
        started = time.monotonic()
        answer = lobby.join("ROOM23", f"player {number}")
        return refusal(answer), time.monotonic() - started

    together(lambda _: lobby.http.get(lobby.lobby.url + "/healthz"), range(WAITING))  # connect
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ends = together(join, range(WAITING))
    finally:
        over.set()
        watcher.join()
    waited_s = [took_s for end, took_s in ends if end == TIMEOUT]
    assert {end for end, _ in ends} <= {UNREACHABLE, TIMEOUT}
    # Many of the 200 also wait for each other: to be read, and to be heard in their threads.
    assert quantiles(waited_s, n=4)[0] < TIMEOUT_WITHIN_S
    assert max(waited_s) < TIMEOUT_WITHIN_S + CROWDED_S
    assert len(healthy) > 30
    assert median(healthy) < HEALTHY_WITHIN_S
