import threading
import time

import pytest

from contracts.errors import Code, RoomError
from contracts.gate import PATIENCE_S, Gate


def full_gate(places=2, patience_s=0.05):
    gate = Gate(places, patience_s)
    for _ in range(places):
        gate.enter()
    return gate


def refused_after_s(gate):
    before = time.monotonic()
    with pytest.raises(RoomError) as caught:
        gate.enter()
    assert caught.value.code is Code.REALTIME_UNAVAILABLE
    return time.monotonic() - before


def test_a_place_that_was_left_is_free():
    gate = full_gate()
    gate.leave(answered=True)
    gate.enter()


def test_who_finds_no_place_waits_while_the_service_may_still_answer():
    assert 0.03 < refused_after_s(full_gate(patience_s=0.05)) < 0.3


def test_who_comes_later_is_refused_at_once():
    gate = full_gate(patience_s=0.05)
    refused_after_s(gate)
    assert refused_after_s(gate) < 0.02


def test_a_timeout_is_no_answer():
    gate = full_gate(patience_s=0.05)
    refused_after_s(gate)
    gate.leave(answered=False)
    gate.enter()
    assert refused_after_s(gate) < 0.02


def test_an_answer_renews_the_patience():
    gate = full_gate(patience_s=0.05)
    refused_after_s(gate)
    gate.leave(answered=True)
    gate.enter()
    assert refused_after_s(gate) > 0.03


def test_a_burst_larger_than_the_gate_passes_when_the_service_answers():
    gate, passed = Gate(4, patience_s=5), []

    def call():
        gate.enter()
        passed.append(1)
        gate.leave(answered=True)

    threads = [threading.Thread(target=call) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 100


def test_after_a_long_rest_the_first_burst_is_not_taken_for_an_outage():
    gate = Gate(1, patience_s=0.05)
    gate.enter()
    gate.leave(answered=True)
    refused_after_s(full_gate(patience_s=0.1))  # time goes by
    gate.enter()
    assert refused_after_s(gate) > 0.03


def test_the_default_patience():
    assert PATIENCE_S == 1.0
