"""Alarms: each takes effect once, not before its time, whatever happens to the clock."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from contracts.errors import Code, RoomError
from realtime.core.alarms import RETRIES_S
from realtime.core.commands import Alarm, RetryAlarms
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.testing import START, RoomOnTrial, opened


class Plan(Struct, frozen=True):
    name: str
    after_s: float


class Cancel(Struct, frozen=True):
    name: str


class Rings(Struct):
    rang: dict[str, list[float]] = {}


class Timers(Party):
    """Remembers when each alarm took effect."""

    slug = "timers"
    State = Rings
    fails = 0  # so often, from now on

    @message("plan", Plan)
    def plan(self, room: Room, player: Player, plan: Plan) -> None:
        room.alarm(plan.name, plan.after_s)

    @message("cancel", Cancel)
    def cancel(self, room: Room, player: Player, cancel: Cancel) -> None:
        room.cancel_alarm(cancel.name)

    def on_alarm(self, room: Room, name: str) -> None:
        if self.fails:
            self.fails -= 1
            raise self.problem
        room.state.rang.setdefault(name, []).append(room.now)
        room.broadcast("rang", {"name": name})

    problem: Exception = KeyError("a bug")


@pytest.fixture
def room():
    return opened(Timers, ["alice"])


def rang(room: RoomOnTrial) -> dict[str, list[float]]:
    found: dict[str, Any] = room.stored["state"]["rang"]
    return {name: [at - START for at in times] for name, times in found.items()}


def plan(room: RoomOnTrial, name: str, after_s: float) -> None:
    assert room.receive("alice", "plan", {"name": name, "after_s": after_s}).ok


def test_an_alarm_takes_effect_once_and_at_its_time(room):
    plan(room, "tea", 30)
    room.advance(29.9)
    assert rang(room) == {}
    room.advance(100)
    assert rang(room) == {"tea": [30]}
    assert room.broadcasts == [("rang", {"name": "tea"})]


def test_alarms_that_are_due_together_ring_in_the_order_of_their_times(room):
    for name, after_s in (("c", 3), ("a", 1), ("b", 2)):
        plan(room, name, after_s)
    room.sleep(10)
    room.ring()
    assert list(rang(room)) == ["a", "b", "c"]


def test_a_later_call_moves_an_alarm_and_a_cancelled_one_is_silent(room):
    plan(room, "moved", 5)
    plan(room, "moved", 20)
    plan(room, "gone", 5)
    assert room.receive("alice", "cancel", {"name": "gone"}).ok
    assert room.receive("alice", "cancel", {"name": "never there"}).ok
    room.advance(50)
    assert rang(room) == {"moved": [20]}


def test_the_row_tells_when_the_next_alarm_is_due(room):
    room.advance(1)
    plan(room, "tea", 30)
    assert room.commits[-1].row.alarm_at == room.now + 30
    room.advance(30)
    assert room.commits[-1].row.alarm_at == START + 60  # the roll call


def test_a_turn_that_is_refused_plans_nothing(room):
    assert room.receive("alice", "plan", {"name": "host", "after_s": 1}).bug
    assert "host" not in room.stored["alarms"]


def test_an_alarm_that_is_not_due_changes_nothing(room):
    plan(room, "tea", 30)
    version = room.version
    assert room.run(Alarm("tea")).ok
    assert room.run(Alarm("unknown")).ok
    assert (room.version, rang(room)) == (version, {})


def test_two_processes_ring_the_same_alarm_and_the_second_finds_nothing(room):
    plan(room, "tea", 1)
    room.sleep(1)
    assert room.run(Alarm("tea")).ok
    assert room.run(Alarm("tea")).ok
    assert rang(room) == {"tea": [1]}


@pytest.mark.parametrize("problem", [KeyError("a bug"), RoomError(Code.FORBIDDEN)])
def test_a_handler_that_fails_is_tried_again_and_then_parked(room, problem):
    room.party.fails, room.party.problem = 100, problem
    plan(room, "tea", 1)
    room.sleep(1)
    pauses = []
    for _ in range(1 + len(RETRIES_S)):
        failed = next(one for one in room.ring() if one.command == Alarm("tea"))
        assert failed.turn.bug is problem
        assert rang(room) == {}
        if (due := room.stored["alarms"]["tea"]["at"]) > room.now:
            pauses.append(due - room.now)
            room.sleep(due - room.now)
    assert pauses == [*RETRIES_S]
    row = room.commits[-1].row
    assert row.alarms_parked == 1
    assert row.alarm_at > room.now
    room.advance(24 * 3600)
    assert rang(room) == {}


def test_a_parked_alarm_gets_another_try_when_somebody_asks(room):
    room.party.fails = 1 + len(RETRIES_S)
    plan(room, "tea", 1)
    room.advance(200)
    assert room.commits[-1].row.alarms_parked == 1
    assert room.run(RetryAlarms()).ok
    room.advance(0)
    assert rang(room) == {"tea": [200]}
    assert room.commits[-1].row.alarms_parked == 0


def test_one_that_fails_does_not_hold_up_the_others(room):
    room.party.fails = 1
    plan(room, "first", 1)
    plan(room, "second", 2)
    room.sleep(5)
    room.ring()
    assert rang(room) == {"second": [5]}
    room.advance(2)
    assert rang(room) == {"second": [5], "first": [7]}


def test_a_party_that_sets_alarms_and_has_no_hook_is_told_so():
    class Forgetful(Party):
        slug = "forgetful"

        @message("plan")
        def plan(self, room: Room, player: Player) -> None:
            room.alarm("tea", 1)

    room = opened(Forgetful)
    room.receive("alice", "plan")
    room.sleep(1)
    failed, _ = room.ring()
    assert str(failed.turn.bug) == "Forgetful set 'tea', yet has no on_alarm"


class Timeline:
    """A room whose clock jumps and whose process forgets, beside what is expected of it."""

    def __init__(self) -> None:
        self.party = Timers()
        self.room = opened(self.party, ["alice"])
        self.due: dict[str, float] = {}
        self.rang: Counter[str] = Counter()

    def plan(self, name: str, after_s: float) -> None:
        self.ring()  # as every turn does first
        plan(self.room, name, after_s)
        self.due[name] = self.room.now + after_s

    def cancel(self, name: str) -> None:
        self.ring()
        assert self.room.receive("alice", "cancel", {"name": name}).ok
        self.due.pop(name, None)

    def jump(self, seconds: float) -> None:
        self.room.sleep(seconds)

    def ring(self) -> None:
        self.room.ring()
        self.check()

    def is_killed(self) -> None:
        self.room.reload(self.room.snapshot)

    def retry(self) -> None:
        assert self.room.run(RetryAlarms()).ok

    def fail(self, times: int) -> None:
        self.party.fails = times

    def check(self) -> None:
        """What rang since the last check was due, and is not expected any more."""
        for name, times in self.room.stored["state"]["rang"].items():
            for at in times[self.rang[name] :]:
                assert at >= self.due.pop(name), "before its time, or a second time"
                self.rang[name] += 1


NAMES = st.sampled_from("abc")
SECONDS = st.integers(0, 300).map(lambda quarters: quarters / 4)
STEPS = st.one_of(
    st.tuples(st.just("plan"), NAMES, SECONDS),
    st.tuples(st.just("cancel"), NAMES),
    st.tuples(st.just("jump"), SECONDS.map(lambda seconds: seconds - 25)),
    st.tuples(st.just("ring")),
    st.tuples(st.just("is_killed")),
    st.tuples(st.just("fail"), st.integers(1, 3)),
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_however_the_clock_jumps_an_alarm_takes_effect_exactly_once_and_never_early(steps):
    timeline = Timeline()
    for kind, *args in [*steps, ("fail", 0), ("retry",), *[("jump", 1000), ("ring",)] * 5]:
        getattr(timeline, kind)(*args)
        timeline.check()
    assert timeline.due == {}
