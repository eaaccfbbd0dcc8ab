"""A join whose answer is lost: the caller may ask again, and is the same player, not a second."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe

import httpx
import pytest

from tests.support.broken_realtime import VICTIM
from tests.support.relay import relay
from tests.support.servers import free_port, until
from tests.support.site import refusal

BROKEN = ("-m", "tests.support.broken_realtime")
UNAVAILABLE = (503, "REALTIME_UNAVAILABLE")


def names(site, room_id):
    return sorted(site.kept(room_id).players.values())


def test_the_lobbys_own_retry_finds_the_player_that_storage_kept(half_site):
    """Storage keeps the player and its connection breaks: 503, one retry, 200."""
    with half_site.realtime.that_runs(*BROKEN, "LosesTheAnswer") as realtime:
        host = half_site.room("alice")
        joined = half_site.join(host["roomId"], VICTIM)
        assert joined.status_code == 200
        assert half_site.kept(host["roomId"]).players[joined.json()["playerId"]] == VICTIM
        assert names(half_site, host["roomId"]) == ["alice", VICTIM]
        with half_site.enter(joined.json()) as socket:
            assert socket.frames[-1]["payload"]["me"]["username"] == VICTIM
        assert not realtime.dead


def test_the_lobbys_own_retry_finds_the_player_when_the_network_lost_the_answer(half_site):
    place = half_site.realtime
    elsewhere = free_port()
    with (
        place.with_environ(REALTIME_PORT=str(elsewhere)),
        relay(place.port, ("127.0.0.1", elsewhere)) as network,
    ):
        host = half_site.room("alice")
        network.answers_to_lose = 1
        joined = half_site.join(host["roomId"], "bob")
        assert joined.status_code == 200
        assert network.lost[0].startswith(b"HTTP/1.1 200")
        assert names(half_site, host["roomId"]) == ["alice", "bob"]
        network.answers_to_lose = 100  # the retry's too: nobody can tell, so the caller repeats it
        key = token_urlsafe(32)
        assert refusal(half_site.join(host["roomId"], "carol", key=key)) == UNAVAILABLE
        network.answers_to_lose = 0
        assert half_site.join(host["roomId"], "carol", key=key).status_code == 200
        assert names(half_site, host["roomId"]) == ["alice", "bob", "carol"]


@pytest.mark.parametrize(
    ("fault", "kept"), [("DiesBeforeCommit", []), ("DiesAfterCommit", [VICTIM])]
)
def test_a_death_around_the_commit(half_site, fault, kept):
    """Before it the player is absent, after it present; either way asking again gives the 200."""
    key = token_urlsafe(32)
    with half_site.realtime.that_runs(*BROKEN, fault) as broken:
        room_id = half_site.room("alice")["roomId"]
        assert refusal(half_site.join(room_id, VICTIM, key=key)) == UNAVAILABLE
        until(lambda: broken.dead)
    assert names(half_site, room_id) == ["alice", *kept]
    with half_site.realtime:
        joined = half_site.join(room_id, VICTIM, key=key)
        assert joined.status_code == 200
        assert names(half_site, room_id) == ["alice", VICTIM]
        assert half_site.kept(room_id).journal == [1, 2]
        with half_site.enter(joined.json()):
            pass


def test_a_lobby_that_dies_before_it_answers(half_site):
    """What it had asked for is kept; another lobby, or itself again, finds it by the key."""
    key, database = token_urlsafe(32), half_site.database
    waits = half_site.realtime.that_runs(*BROKEN, "WaitsInside")
    with waits, ThreadPoolExecutor() as pool:
        room_id = half_site.room("alice")["roomId"]
        with database.slow_seat(VICTIM) as let_go:
            joining = pool.submit(half_site.join, room_id, VICTIM, key=key)
            until(database.writing)
            half_site.lobby.kill()
            with pytest.raises(httpx.TransportError):
                joining.result()
            assert names(half_site, room_id) == ["alice"]
            let_go()
            until(lambda: VICTIM in names(half_site, room_id))
        half_site.lobby.up()
        joined = half_site.join(room_id, VICTIM, key=key)
        assert joined.status_code == 200
        assert half_site.kept(room_id).players[joined.json()["playerId"]] == VICTIM
        assert names(half_site, room_id) == ["alice", VICTIM]


def test_a_death_inside_the_transaction_keeps_all_or_nothing(half_site):
    """A server that loses its client may still finish the statement; it never does half of it."""
    key, database = token_urlsafe(32), half_site.database
    waits = half_site.realtime.that_runs(*BROKEN, "WaitsInside")
    with waits, ThreadPoolExecutor() as pool, database.slow_seat(VICTIM) as let_go:
        room_id = half_site.room("alice")["roomId"]
        joining = pool.submit(half_site.join, room_id, VICTIM, key=key)
        until(database.writing)
        waits.kill()
        assert refusal(joining.result()) == UNAVAILABLE
        let_go()
        until(lambda: not database.writing())
    kept = half_site.kept(room_id)
    assert (kept.version, kept.journal, len(kept.players)) in [(1, [1], 1), (2, [1, 2], 2)]
    assert len(kept.state["roster"]["players"]) == len(kept.players)
    with half_site.realtime:
        assert half_site.join(room_id, VICTIM, key=key).status_code == 200
        assert names(half_site, room_id) == ["alice", VICTIM]
