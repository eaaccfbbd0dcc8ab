"""The ring on which rooms are spread; tests/e2e/test_nginx.py holds it against nginx's own."""

from collections import Counter

import pytest

from contracts.paths import match_path, register_path, room_path, rooms_path, state_path
from contracts.ring import Ring, room_of

SERVERS = [f"127.0.0.1:{port}" for port in (1999, 2000, 2001)]
ROOMS = [room_path("leet99", f"ROOM{number:04}") for number in range(3000)]


def firsts(servers):
    ring = Ring(servers)
    return [servers[ring.two(path)[0]] for path in ROOMS]


def test_all_calls_about_a_room_go_to_one_server():
    ring = Ring(SERVERS)
    for number in range(100):
        room = ("leet99", f"ROOM{number}")
        assert len({ring.two(path(*room)) for path in (room_path, register_path, state_path)}) == 1


def test_each_server_gets_its_share():
    shares = Counter(firsts(SERVERS)).values()
    assert len(shares) == 3
    assert min(shares) > len(ROOMS) / 6


def test_the_second_is_another_one():
    ring = Ring(SERVERS)
    pairs = {ring.two(path) for path in ROOMS}
    assert len(pairs) == 6
    assert all(first != second for first, second in pairs)


def test_a_lone_server_is_both():
    assert Ring(SERVERS[:1]).two("/leaderboard?party=leet99") == (0, 0)


def test_the_order_of_the_servers_does_not_count():
    assert firsts(SERVERS) == firsts(SERVERS[::-1])


def test_one_more_server_takes_rooms_and_moves_none_between_the_others():
    pairs = zip(firsts(SERVERS[:2]), firsts(SERVERS), strict=True)
    moved = [after for before, after in pairs if before != after]
    assert 0 < len(moved) < len(ROOMS) / 2
    assert set(moved) == {SERVERS[2]}


@pytest.mark.parametrize("servers", [["a", "b"], ["[::1]:1999", "[::1]"], ["a:80", "b:80/"]])
def test_a_server_may_be_named_as_nginx_allows(servers):
    ring = Ring(servers)
    assert {ring.two(path)[0] for path in ROOMS} == {0, 1}


def test_what_is_about_no_room_is_spread_by_itself():
    for path in (match_path("m_1"), rooms_path("chat") + "?cursor=x", "/leaderboard?limit=3"):
        assert room_of(path) == path
