"""`manage.py runserver` rings what came due while nothing ran, and waits for no request."""

from __future__ import annotations

from tests.support.servers import free_port, server, until
from tests.support.site import Site, player

MATCH_S = 5


def test_an_alarm_that_came_due_rings_though_nobody_asks(any_migrated, tmp_path, canary):
    with any_migrated.copy(tmp_path) as database:
        realtime = server(
            "realtime", {**database.environ, "REALTIME_PORT": str(free_port())}, tmp_path
        )
        site = canary.hears(Site(realtime, database))
        with realtime:
            play(site)
            realtime.kill()
        assert matches(site) == []
        daphne = realtime.that_runs("manage.py", "runserver", str(realtime.port), "--noreload")
        daphne.launch()
        try:
            until(lambda: matches(site))
        finally:
            daphne.kill()
        assert matches(site) == [("timeExpired",)]


def play(site):
    """Start a match that ends soon."""
    host = player("alice", isHost=True, settings={"matchDurationSec": MATCH_S})
    guest = player("bob")
    for one in (host, guest):
        assert site.register("room_1", one).status_code == 200
    with site.socket("room_1") as socket:
        socket.join(host["playerToken"])
        socket.send("START_MATCH")
        socket.next("MATCH_STARTED")


def matches(site):
    return site.database.rows("SELECT end_reason FROM matches")
