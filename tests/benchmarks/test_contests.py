"""What becomes of a contest's rounds; nothing here is timed."""

from typing import Any

from benchmarks.contests import (
    CLIENT,
    DELIVERIES,
    ENTERED,
    HANDSHAKES,
    P99,
    REQUESTS,
    SERVER,
    Contest,
    Measured,
    asked,
    cpu_cell,
    opening,
    section,
)
from benchmarks.figures import Round

NOTHING: Any = None  # is measured
CONTEST = Contest("loud", NOTHING, {DELIVERIES: 0, P99: 2}, "delivery")


def test_a_section_has_a_line_for_each_service():
    ours = [Measured({DELIVERIES: 1000, P99: 1.25}, {"realtime": 0.5})]
    theirs = [Measured({DELIVERIES: count}, {"ws": 5.6}) for count in (90, 100, 110)]
    assert section(CONTEST, {"Greenroom": ours, "ws": theirs}).splitlines() == [
        "|           |        deliveries/s |          p99, ms | CPU, us/delivery |",
        "| --------- | ------------------: | ---------------: | ---------------: |",
        "| Greenroom | 1,000 (1,000-1,000) | 1.25 (1.25-1.25) |             0.50 |",
        "| ws        |        100 (90-110) |                  |             5.60 |",
    ]


def test_cpu_is_that_of_the_round_in_the_middle():
    rounds = [Measured({}, {"lobby": 150.0, "realtime": each}) for each in (90.0, 10.0, 20.0)]
    assert cpu_cell(rounds) == "170 = lobby 150 + realtime 20"


def test_only_who_must_enter_has_entered():
    told = {"members": 3000, "handshakes_s": 0.5, "entering_s": 2.0}
    assert opening(told, must_enter=False) == {HANDSHAKES: 6000}
    assert opening(told, must_enter=True) == {HANDSHAKES: 6000, ENTERED: 1500}


def test_the_clients_share_is_what_the_servers_left():
    latencies = {"join p50": 10.0, "join p99": 30.0}
    one = asked(Round(2000, latencies, {"lobby": 200.0, "realtime": 250.0}, (), 1.0))
    assert one.figures[REQUESTS] == 2000
    assert round(one.figures[SERVER]) == 90
    assert round(one.figures[CLIENT]) == 10
