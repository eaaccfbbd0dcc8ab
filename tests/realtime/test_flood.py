"""What one socket may send, on a clock that the tests move."""

from __future__ import annotations

import pytest

from contracts.errors import Code, RoomError
from realtime.flood import FloodGuard, FrameLimits, Strikes, TokenBucket

LIMITS = FrameLimits(per_s=20, burst=40, any_per_s=500)
START = 1000.0


class Socket:
    """A guard, and a client that sends frames past it."""

    def __init__(self, limits: FrameLimits | None = LIMITS) -> None:
        self.guard = FloodGuard(limits)
        self.now = START

    def refused(self) -> float | None:
        """Send an ordinary frame: how long to wait, if it is refused."""
        try:
            self.guard.admit(self.now)
        except RoomError as error:
            return error.retry_after_s
        return None

    def admitted(self, count: int) -> int:
        """How many of so many ordinary frames at once are let through."""
        return sum(self.refused() is None for _ in range(count))


@pytest.fixture
def socket():
    return Socket()


# -- the bucket ----------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_no_more_while_the_clock_stands_still():
    bucket = TokenBucket(per_s=20, burst=40)
    assert [bucket.take(START) for _ in range(100)] == [True] * 40 + [False] * 60


def test_a_bucket_refills_at_its_rate_and_never_above_its_burst():
    bucket = TokenBucket(per_s=20, burst=40)
    for since_s, tokens in ((0, 40), (0.5, 10), (60, 40), (3600, 40)):
        now = START + since_s
        assert sum(bucket.take(now) for _ in range(100)) == tokens


def test_refusals_do_not_put_off_the_next_token():
    bucket = TokenBucket(per_s=1, burst=1)
    taken = [bucket.take(START + tenth / 8) for tenth in range(17)]
    assert [number for number, took in enumerate(taken) if took] == [0, 8, 16]


@pytest.mark.parametrize("per_s", [0.25, 1, 3, 7, 20, 60, 500])
def test_the_wait_is_at_most_one_tokens_time_and_long_enough(per_s):
    bucket, now = TokenBucket(per_s, burst=2), START
    for step in range(200):
        now += step % 5 / (4 * per_s)
        if not bucket.take(now):
            assert 0 < bucket.wait_s <= 1 / per_s
            now += bucket.wait_s + 1e-9
            assert bucket.take(now)


# -- strikes -------------------------------------------------------------------------------------


def test_strikes_count_in_the_last_minute():
    strikes = Strikes(3)
    times = (0, 59, 60, 61, 121, 300, 300, 300)
    assert [strikes.add(at) for at in times] == [False] * 3 + [True, False, False, False, True]


# -- the guard -----------------------------------------------------------------------------------


def test_ordinary_frames_have_a_burst_and_then_their_rate(socket):
    assert socket.admitted(45) == 40
    with pytest.raises(RoomError) as refused:
        socket.guard.admit(socket.now)
    assert refused.value.code == Code.RATE_LIMITED
    assert 0 < (refused.value.retry_after_s or 0) <= 1 / 20
    socket.now += 1
    assert socket.admitted(25) == 20


def test_the_rate_itself_may_be_kept_up_for_ever(socket):
    for _ in range(5000):
        socket.now += 1 / 16
        assert socket.refused() is None


def test_sixty_violations_are_a_flood(socket):
    socket.admitted(40 + 59)
    assert not socket.guard.flooded
    assert socket.refused()
    assert socket.guard.flooded


def test_violations_older_than_a_minute_are_forgotten(socket):
    for _ in range(5):
        socket.admitted(40 + 59)
        socket.now += 60
    assert not socket.guard.flooded
    socket.admitted(40 + 30)
    socket.now += 2
    socket.admitted(40 + 30)
    assert socket.guard.flooded


def test_ten_bad_frames_in_a_minute_are_a_flood(socket):
    for _ in range(20):
        socket.now += 7
        socket.guard.blame(socket.now)
    assert not socket.guard.flooded
    for _ in range(2):
        socket.guard.blame(socket.now)
    assert socket.guard.flooded


def test_more_frames_of_any_kind_than_can_be_read_are_a_flood(socket):
    assert all(socket.guard.hears(socket.now) for _ in range(500))
    socket.now += 1
    assert all(socket.guard.hears(socket.now) for _ in range(500))
    assert not socket.guard.flooded
    assert not socket.guard.hears(socket.now)
    assert socket.guard.flooded


@pytest.mark.parametrize(("per_s", "at_once"), [(60, 60), (2.5, 2), (0.5, 1)])
def test_volatile_frames_have_the_partys_rate_and_one_seconds_worth_at_once(socket, per_s, at_once):
    def relayed() -> int:
        return sum(socket.guard.relays(per_s, socket.now) for _ in range(500))

    assert relayed() == at_once
    socket.now += 10
    assert relayed() == at_once
    assert not socket.guard.flooded
    assert socket.refused() is None


def test_a_party_may_allow_no_volatile_frames_but_a_first(socket):
    assert [socket.guard.relays(0, socket.now + step) for step in range(3)] == [True, False, False]


def test_each_number_counts():
    socket = Socket(FrameLimits(per_s=1, burst=3, any_per_s=5))
    assert socket.admitted(10) == 3
    assert socket.refused() == 1
    assert [socket.guard.hears(START) for _ in range(6)] == [True] * 5 + [False]


def test_without_limits_only_bad_frames_count():
    socket = Socket(limits=None)
    assert socket.admitted(1000) == 1000
    assert all(socket.guard.hears(START) for _ in range(1000))
    assert all(socket.guard.relays(1, START) for _ in range(1000))
    assert not socket.guard.flooded
    for _ in range(10):
        socket.guard.blame(START)
    assert socket.guard.flooded
