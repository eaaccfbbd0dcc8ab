"""A body that comes in many events."""

import time

from contracts.bodies import read_body


def told(*pieces):
    """What receives these pieces, and then the end."""
    events = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    left = iter([*events, {"type": "http.request"}])

    async def receive():
        return next(left)

    return receive


def test_it_is_all_its_pieces(run):
    assert run(read_body(told(b"a", b"", b"bc"), 3)) == b"abc"


def test_of_one_that_is_too_large_there_is_enough_to_see_it(run):
    assert run(read_body(told(b"ab", b"cd", b"ef"), 3)) == b"abcd"


def test_a_piece_costs_nothing_for_those_before_it(run):
    large, count = b"x" * 2_500_000, 10_000
    receive = told(large, *[b"x"] * count)
    before = time.process_time()
    assert len(run(read_body(receive, 3_000_000))) == len(large) + count
    assert time.process_time() - before < 0.5
