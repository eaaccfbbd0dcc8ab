"""The backlog: what waits for a slow reader, in order and bounded."""

import gc
import sys

from contracts.sockets import Close
from realtime.backlog import VIEWS_WAITING, Backlog


def drained(backlog):
    out = []
    while backlog:
        out.append(backlog.next())
    return out


def test_frames_views_and_the_close_leave_in_their_order():
    backlog = Backlog(100)
    backlog.add(b"a")
    backlog.show(b"view", replaces=False)
    backlog.add(b"b")
    backlog.close(Close.NORMAL)
    assert drained(backlog) == [b"a", b"view", b"b", Close.NORMAL]
    assert not backlog


def test_the_newest_view_takes_the_place_of_an_older_one_that_waits():
    backlog = Backlog(100)
    backlog.show(b"old", replaces=True)
    backlog.add(b"a")
    backlog.show(b"kept", replaces=False)
    backlog.show(b"new", replaces=True)
    assert drained(backlog) == [b"a", b"kept", b"new"]


def test_a_view_that_left_is_replaced_by_nothing_and_held_by_nothing():
    backlog = Backlog(100)
    view = b"x" * 100_000
    backlog.show(view, replaces=True)
    assert backlog.next() is view
    gc.collect()
    assert sys.getrefcount(view) == 2
    backlog.show(b"new", replaces=True)
    assert drained(backlog) == [b"new"]


def test_it_is_full_with_more_bytes_of_frames_than_it_may_hold():
    backlog = Backlog(100)
    backlog.add(b"x" * 60)
    backlog.add(b"x" * 40)
    assert not backlog.full
    backlog.add(b"x")
    assert backlog.full
    backlog.next()
    assert not backlog.full


def test_views_are_counted_apart_and_those_that_replace_each_other_are_one():
    backlog = Backlog(10)
    for _ in range(VIEWS_WAITING):
        backlog.show(b"x" * 1000, replaces=False)
    for _ in range(50):
        backlog.show(b"x" * 1000, replaces=True)
    assert not backlog.full
    backlog.show(b"x", replaces=False)
    assert backlog.full


def test_what_is_dropped_is_gone():
    backlog = Backlog(10)
    backlog.add(b"x" * 11)
    backlog.show(b"view", replaces=True)
    backlog.clear()
    assert not backlog
    assert not backlog.full
    backlog.show(b"new", replaces=True)
    assert drained(backlog) == [b"new"]
