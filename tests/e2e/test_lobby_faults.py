"""What the lobby's callers see when the realtime service is not itself."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from functools import partial
from statistics import median

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
from tests.support.servers import PATIENT, server
from tests.support.site import Site, refusal, together

HASTY = {"REALTIME_TRY_TIMEOUT_S": "0.3", "REALTIME_TOTAL_TIMEOUT_S": "0.7"}
AS_THEY_COME = dict.fromkeys(PATIENT, "")  # the defaults
PATIENT_S = float(PATIENT["REALTIME_TRY_TIMEOUT_S"])
UNREACHABLE, TIMEOUT = (503, "REALTIME_UNAVAILABLE"), (504, "REALTIME_TIMEOUT")
NONSENSE = (502, "INTERNAL_ERROR")
WAITING = 200
BUSIER = 3  # what 200 callers in one process may cost each other, as a multiple of one alone


@pytest.fixture(scope="module")
def double():
    """A stand-in for the realtime service; a test gives it its fault."""
    with FaultyRealtime(silent) as double:
        yield double


@pytest.fixture(scope="module")
def lobby(double, any_migrated, tmp_path_factory):
    """A lobby that calls the double, and is patient with it."""
    with calling(double, any_migrated, tmp_path_factory.mktemp("lobby")) as site:
        yield site


@pytest.fixture(scope="module")
def hasty(double, any_migrated, tmp_path_factory):
    """One that soon gives up."""
    with calling(double, any_migrated, tmp_path_factory.mktemp("hasty"), **HASTY) as site:
        yield site


@contextmanager
def calling(double, migrated, folder, **settings):
    with migrated.copy(folder) as database:
        environ = {**database.environ, **places(), "RATE_LIMITS": "off", "REALTIME_URL": double.url}
        with server("lobby", {**environ, **settings}, folder) as lobby:
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
        assert took_s < PATIENT_S, "it was waited for"


@pytest.mark.parametrize("fault", [silent, slow_headers, trickling])
def test_silence_and_trickles_are_504(hasty, double, fault):
    double.fault = fault
    for answer, took_s in asked(hasty):
        assert refusal(answer) == TIMEOUT
        assert took_s < PATIENT_S, "the lobby is not hasty"


@pytest.mark.parametrize("fault", [hangs_up, half_an_answer])
def test_a_broken_connection_is_503(lobby, double, fault):
    double.fault = fault
    for answer, took_s in asked(lobby):
        assert refusal(answer) == UNREACHABLE
        assert int(answer.headers["retry-after"]) >= 1
        assert took_s < PATIENT_S, "it was waited for"


def test_a_stopped_service_is_503_soon_and_the_lobby_says_so(half_site):
    for answer, took_s in asked(half_site):
        assert refusal(answer) == UNREACHABLE
        assert int(answer.headers["retry-after"]) >= 1
        assert took_s < PATIENT_S, "it was waited for"
    ready = half_site.http.get(half_site.lobby.url + "/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


def test_200_joins_at_a_silent_service_end_in_time_and_leave_the_lobby_healthy(
    double, any_migrated, tmp_path, long
):
    """With the settings as they come: nobody waits much longer than one alone, which is 8 s, and
    /healthz next to nothing of it."""
    if not long:
        pytest.skip("only with --long: it compares times, and takes half a minute")
    double.fault = silent
    with calling(double, any_migrated, tmp_path, **AS_THEY_COME) as lobby:
        end, alone_s = timed_join(lobby, 0)
        assert end == TIMEOUT
        ends, healthy_s = crowd(lobby)
    waited_s = [took_s for end, took_s in ends if end == TIMEOUT]
    assert {end for end, _ in ends} <= {UNREACHABLE, TIMEOUT}
    # Many of the 200 also wait for each other: to be read, and to be heard in their threads.
    assert max(waited_s) < BUSIER * alone_s
    assert median(healthy_s) < alone_s / 10


def crowd(lobby):
    """How 200 joins at once end, and how long /healthz takes meanwhile."""
    healthy_s: list[float] = []
    over = threading.Event()

    def watch():
        while not over.wait(0.1):
            started = time.monotonic()
            assert lobby.http.get(lobby.lobby.url + "/healthz").status_code == 200
            healthy_s.append(time.monotonic() - started)

    together(lambda _: lobby.http.get(lobby.lobby.url + "/healthz"), range(WAITING))  # connect
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return together(partial(timed_join, lobby), range(WAITING)), healthy_s
    finally:
        over.set()
        watcher.join()


def timed_join(lobby, number):
    started = time.monotonic()
    answer = lobby.join("ROOM23", f"player {number}")
    return refusal(answer), time.monotonic() - started
