"""The npm client `partysocket`, under Node, as the pages of a game use it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from itertools import pairwise
from math import ceil
from secrets import token_urlsafe
from typing import Any

import pytest

from config import env
from tests.e2e.conftest import both_tiers
from tests.support.node import Page
from tests.support.servers import PATIENCE_S, until
from tests.support.site import Site, refusal

pytestmark = pytest.mark.usefixtures("node")

SHORT_MATCH_S = 3
OUTAGE_S, LONG_OUTAGE_S = 8, 60
CALLS_AFTER_S = (3.0, 6.9, 12.0, 18.6, 27.1, 37.1)  # partysocket, counted from the outage
HOST_LEFT_GRACE_S = env.load({}).host_left_grace_s
LINES = 12
OTHERS_WITHIN_S = 300.0  # for a scene of a test, until the others are as far
SETTLED_AFTER_S = env.load({}).refresh_interval_s + 0.1  # a view may be owed for so long
# Graces that are shorter than that outage, as the defaults are shorter than a minute. The roll call
# is long enough for partysocket, which may wait 10 s for its next try, and for a busy machine.
HASTY: Any = {
    "SEAT_GRACE_S": "6",
    "HOST_LEFT_GRACE_S": "0.5",
    "HOST_LOST_GRACE_S": "5",
    "ROLL_CALL_S": "60",
    "LATE_ABSENCE_S": "1",
}


class Outage:
    """`kill -9` of the realtime service, when every scene is ready, and its return."""

    def __init__(self, site: Site, lasts_s: float, scenes: int = 1) -> None:
        self._site = site
        self._lasts_s = lasts_s
        self._ready = threading.Barrier(scenes, timeout=OTHERS_WITHIN_S)
        self._begins = threading.Barrier(scenes, self._kill, timeout=OTHERS_WITHIN_S)
        self._ends = threading.Barrier(scenes, self._start, timeout=OTHERS_WITHIN_S * 2)

    def begin(self, just_before: Callable[[], object] = lambda: None) -> None:
        """Returns when the service is dead."""
        self._ready.wait()
        just_before()
        self._begins.wait()

    def end(self) -> None:
        """Returns when the service is ready again."""
        self._ends.wait()

    def abort(self) -> None:
        """A scene has failed: the others need not wait for it."""
        for barrier in (self._ready, self._begins, self._ends):
            barrier.abort()

    def __enter__(self) -> Outage:
        return self

    def __exit__(self, *_: object) -> None:
        if self._site.realtime.dead:
            self._site.realtime.up()

    def _kill(self) -> None:
        self._site.realtime.kill()
        self._over_at = time.monotonic() + self._lasts_s

    def _start(self) -> None:
        time.sleep(max(0, self._over_at - time.monotonic()))
        self._site.realtime.up()


@pytest.fixture
def hasty(migrated, tmp_path, canary):
    """Both tiers with short graces."""
    with migrated.copy(tmp_path) as database, both_tiers(database, tmp_path, **HASTY) as site:
        yield canary.hears(site)


def at_once(*scenes: Callable[[], object]) -> None:
    """Play them all, each in a thread. Raises what they raised."""
    with ThreadPoolExecutor(len(scenes)) as pool:
        played = [pool.submit(scene) for scene in scenes]
    errors = [error for scene in played if (error := scene.exception())]
    causes = [one for one in errors if not isinstance(one, threading.BrokenBarrierError)]
    if errors:
        raise BaseExceptionGroup("scenes failed", causes or errors)


def through(outage: Outage, scene: Callable[[Site, Outage], None], site: Site) -> None:
    """Play a scene in which the service is killed."""
    try:
        scene(site, outage)
    except BaseException:
        outage.abort()
        raise


def seconds(instant: str) -> float:
    """Since the epoch."""
    return datetime.fromisoformat(instant).timestamp()


def players(snapshot):
    return {one["username"]: one for one in snapshot["players"]}


def host_of(snapshot):
    (host,) = (one["username"] for one in snapshot["players"] if one["isHost"])
    return host


def enter(site: Site, stack: ExitStack, *names: str, **settings: object):
    """A new room with these players, the first of whom is host: what each was answered, and their
    pages, which have seen everybody come and are owed nothing."""
    pages = [stack.enter_context(Page()) for _ in names]
    for page in pages:
        page.ready()
    host = site.room(names[0], **settings)
    admissions = [host, *(site.join(host["roomId"], name).json() for name in names[1:])]
    for number, (name, admission) in enumerate(zip(names, admissions, strict=True), 1):
        snapshot = pages[number - 1].open(admission).snapshot()
        assert snapshot["me"]["playerId"] == admission["playerId"]
        assert players(snapshot).keys() == set(names)
        for page in pages[:number]:
            page.see(name)
    settled_at = time.monotonic() + SETTLED_AFTER_S
    for page in pages:
        while not page.says_nothing(for_s=max(0.01, settled_at - time.monotonic())):
            pass
    return admissions, pages


# -- without an outage ---------------------------------------------------------------------------


def test_pages_that_come_and_go(site):
    scenes = (moves_on, stays_away, is_removed, talks_too_fast)
    at_once(*(partial(scene, site) for scene in scenes))


def moves_on(site):
    """From the lobby's page to the game's: the host comes back at once, and stays host."""
    with ExitStack() as stack:
        (host, _), (alice, bob) = enter(site, stack, "alice", "bob")
        game = stack.enter_context(Page()).ready()
        alice.close()
        assert game.open(host).snapshot()["me"]["isHost"]
        assert bob.says_nothing(for_s=HOST_LEFT_GRACE_S + 0.5)
        assert game.says_nothing(for_s=0.1)


def stays_away(site):
    """The host does not come back in time: another one is host, and stays it."""
    with ExitStack() as stack:
        (host, _), (alice, bob) = enter(site, stack, "alice", "bob")
        left_at = time.time()
        alice.close()
        snapshot = bob.snapshot()
        assert bob.heard_at - left_at > HOST_LEFT_GRACE_S - 0.1
        assert (snapshot["me"]["isHost"], host_of(snapshot)) == (True, "bob")
        line = bob.next("CHAT_APPEND")["payload"]["message"]
        assert (line["kind"], line["text"]) == ("system", "bob is now the host")
        assert line["id"] not in {one["id"] for one in snapshot["chat"]}
        with Page().open(host) as back:
            snapshot = back.snapshot()
            assert (snapshot["me"]["isHost"], host_of(snapshot)) == (False, "bob")
            assert bob.says_nothing(for_s=0.5)
            back.send("ADD_BOTS", {"count": 1})
            assert back.next("ERROR")["payload"]["code"] == "FORBIDDEN"


def is_removed(site):
    """Neither the token nor the key of a removed player opens anything; the name is free."""
    key = token_urlsafe(32)
    host = site.room("alice")
    room_id = host["roomId"]
    guest = site.join(room_id, "bob", key=key).json()
    with Page().open(host) as alice, Page().open(guest) as bob:
        alice.see("alice")
        bob.see("bob")
        alice.send("KICK", {"playerId": guest["playerId"]})
        assert bob.closed() == 4010
        assert bob.next("ERROR")["payload"]["code"] == "UNAUTHORIZED"
        assert bob.closed() == 4001
        assert len(bob.sockets) == 2
    assert refusal(site.join(room_id, "bob", key=key)) == (403, "FORBIDDEN")
    again = site.join(room_id, "bob")
    assert again.status_code == 200
    assert again.json()["playerId"] != guest["playerId"]
    with Page().open(again.json()) as bob:
        assert bob.snapshot()["me"]["username"] == "bob"


def talks_too_fast(site):
    """Of many lines at once some are refused, and told when they may come."""
    with ExitStack() as stack:
        _, (alice, bob) = enter(site, stack, "alice", "bob")
        lines = [f"line {number}" for number in range(LINES)]
        for text in lines:
            alice.send("SEND_CHAT", {"text": text}, requestId=text)
        alice.hear(lines[0])
        refused = alice.next("ERROR")
        assert refused["payload"]["code"] == "RATE_LIMITED"
        assert refused["requestId"] in lines[2:]
        assert 0 < refused["payload"]["retryAfterMs"] <= 500
        time.sleep(0.5)
        alice.send("SEND_CHAT", {"text": "the last"})
        bob.hear("the last")
        heard = [f["payload"]["message"] for f in bob.frames if f["type"] == "CHAT_APPEND"]
        said = [one["text"] for one in heard if one["kind"] == "user"]
        assert said[:2] == lines[:2]
        assert refused["requestId"] not in said


# -- with one ------------------------------------------------------------------------------------


def test_an_outage(site, hasty):
    """Four rooms, and two services that are killed: one with the graces of the default."""
    with Outage(site, OUTAGE_S, scenes=3) as outage, Outage(hasty, OUTAGE_S) as other:
        at_once(
            partial(through, outage, partial(a_match_goes_on, match_s=survives_s(hasty)), site),
            partial(through, outage, a_lobby_stays, site),
            partial(through, outage, an_alarm_comes_late, site),
            partial(through, other, a_lobby_stays, hasty),
        )


def test_an_outage_of_a_minute(site, long):
    if not long:
        pytest.skip("only with --long: it takes more than a minute")
    with Outage(site, LONG_OUTAGE_S) as outage:
        a_lobby_stays(site, outage)


def a_lobby_stays(site, outage):
    """Everybody comes back: nobody was released, and nobody else is host."""
    with ExitStack() as stack:
        admissions, pages = enter(site, stack, "alice", "bob")
        outage.begin()
        assert [page.closed() for page in pages] == [1006, 1006]
        outage.end()
        for page, admission in zip(pages, admissions, strict=True):
            snapshot = until_back(page)
            assert snapshot["me"]["playerId"] == admission["playerId"]
            assert snapshot["me"]["isHost"] == admission["isHost"]
            assert (players(snapshot).keys(), host_of(snapshot)) == ({"alice", "bob"}, "alice")
        assert all(page.says_nothing(for_s=1) for page in pages)
        texts = [line["text"] for line in snapshot["chat"]]
        assert texts == ["alice joined the room", "bob joined the room"]


def until_back(page):
    """The view of a page that comes back by itself, however often it must try."""
    while len(page.sockets) < 2:
        page.receive()
    assert page.frames[-1]["type"] == "ROOM_SNAPSHOT", page.frames[-1]
    return page.frames[-1]["payload"]


def an_alarm_comes_late(site, outage):
    """A match that is over while the service is down ends when it is up, and once."""
    with ExitStack() as stack:
        (host, _), (alice, bob) = enter(site, stack, "alice", "bob", matchDurationSec=SHORT_MATCH_S)
        outage.begin(just_before=lambda: starts(alice, bob))
        outage.end()
        # Its rows are read, because whoever asks the room itself wakes it.
        until(lambda: matches_of(site, host["roomId"]))
        match = until_back(bob)["match"]
        assert (match["phase"], match["endReason"]) == ("ended", "timeExpired")
        assert matches_of(site, host["roomId"]) == [match["matchId"]]
        assert alarms_rung(site, host["roomId"]).count("end") == 1


def starts(alice, bob):
    """A match of both; it is under way when both were told. Returns its id."""
    alice.send("START_MATCH")
    begun = [page.next("MATCH_STARTED")["payload"]["match"] for page in (alice, bob)]
    assert begun[0] == begun[1]
    for page in (alice, bob):
        kinds = [page.receive()["type"] for _ in range(3)]
        assert kinds == ["ROOM_SNAPSHOT", "CHAT_APPEND", "EVENT_LOG_APPEND"]
    return begun[0]["matchId"]


def matches_of(site, room_id):
    """The ids of its finished matches that are kept."""
    rows = site.database.rows("SELECT match_id FROM matches WHERE code = ?", room_id)
    return [match_id for (match_id,) in rows]


def alarms_rung(site, room_id):
    """The names of the alarms in its journal."""
    query = "SELECT entry FROM room_journal JOIN rooms USING (room_id) WHERE code = ?"
    commands = [json.loads(entry)["command"] for (entry,) in site.database.rows(query, room_id)]
    return [command["name"] for command in commands if command["command"] == "alarm"]


def survives_s(site):
    """How long a match has to be so that pages are back before it ends: by what a start took just
    now, of which an outage has one more."""
    started_s = site.realtime.started_s
    ready_at = OUTAGE_S + 3 * started_s
    back_at = next((at for at in CALLS_AFTER_S if at > ready_at), ready_at + CALLS_AFTER_S[-1])
    return ceil(back_at + 3 * started_s)


def a_match_goes_on(site, outage, match_s):
    """Two players, from the lobby through a match with a crash in it to the next match."""
    with ExitStack() as stack:
        (host, _), (alice, bob) = enter(site, stack, "alice", "bob")
        they_talk(alice, bob)
        they_prepare(alice, bob, match_s)
        match_id = starts(alice, bob)
        seen = alice.frames[-3]["payload"]
        line, entry = (frame["payload"] for frame in alice.frames[-2:])
        ends_at = seconds(seen["match"]["endAt"])
        they_lose_a_bot(alice, bob, match_s)

        outage.begin()
        assert [alice.closed(), bob.closed()] == [1006, 1006]
        outage.end()
        for page in (alice, bob):
            again = until_back(page)
            assert again["match"] == {**seen["match"], "phase": "main"}
            assert again["chat"] == [*seen["chat"], line["message"]]
            assert again["eventLog"] == [*seen["eventLog"], entry["entry"]]
            lost = players(seen)["Bot 2"] | {"status": "eliminated"}
            assert players(again) == players(seen) | {"Bot 2": lost}
            assert host_of(again) == "alice"

        ends = [end_of(page, match_s) for page in (alice, bob)]
        for page in (alice, bob):
            assert page.heard_at - ends_at > -0.1
            update = page.receive()
            assert update["type"] == "MATCH_PHASE_UPDATE"
            assert update["payload"] == {"matchId": match_id, "phase": "ended"}
        assert ends[0] == ends[1]
        assert (ends[0]["matchId"], ends[0]["endReason"]) == (match_id, "timeExpired")
        it_is_reported(site, host["roomId"], seen["match"], ends[0]["standings"])

        alice.send("RETURN_TO_LOBBY")
        lobby = bob.snapshot()
        assert (lobby["match"]["matchId"], lobby["match"]["phase"]) == (None, "lobby")
        assert (lobby["chat"], lobby["eventLog"]) == (again["chat"], [])
        assert players(lobby).keys() == {"alice", "bob", "Bot 1"}
        assert starts(alice, bob) != match_id
        for page in (alice, bob):
            assert page.kinds.count("MATCH_END") == 1
            assert all(map(counts_without_gap, page.sockets))
            assert count_upwards(page.frames)


def end_of(page, match_s):
    """What is said when the match is over, which may take as long as it."""
    while (frame := page.receive(match_s + PATIENCE_S))["type"] != "MATCH_END":
        pass
    return frame["payload"]


def they_talk(alice, bob):
    for speaker, text in [(alice, "hello"), (bob, "hi"), (alice, "off we go")]:
        speaker.send("SEND_CHAT", {"text": text})
        for page in (alice, bob):
            page.hear(text)


def they_prepare(alice, bob, match_s):
    """Bots and settings, until everybody's view of them has come."""
    alice.send("ADD_BOTS", {"count": 2})
    assert [bob.see(name)["role"] for name in ("Bot 1", "Bot 2")] == ["bot", "bot"]
    for page in (alice, bob):
        while len(page.snapshot()["players"]) < 4:
            pass
    alice.send("UPDATE_SETTINGS", {"patch": {"matchDurationSec": match_s}})
    settings = bob.next("SETTINGS_UPDATE")["payload"]["settings"]
    assert settings["matchDurationSec"] == match_s


def they_lose_a_bot(alice, bob, match_s):
    """In the main phase, so that there is something to remember."""
    for page in (alice, bob):
        assert page.next("MATCH_PHASE_UPDATE")["payload"]["phase"] == "main"
    started = next(frame for frame in alice.frames if frame["type"] == "MATCH_STARTED")
    begun_at = seconds(started["payload"]["match"]["startAt"])
    assert alice.heard_at - begun_at > match_s * 0.1 - 0.1
    bot = next(
        frame["payload"]["player"]["playerId"]
        for frame in alice.frames
        if frame["type"] == "PLAYER_UPDATE" and frame["payload"]["player"]["username"] == "Bot 2"
    )
    alice.send("KICK", {"playerId": bot})
    assert bob.see("Bot 2")["status"] == "eliminated"


def it_is_reported(site, room_id, match, standings):
    """By the lobby's API, as everybody was told."""
    answer = site.http.get(f"{site.lobby.url}/api/matches/{match['matchId']}")
    assert answer.status_code == 200
    report = answer.json()
    assert report["standings"] == standings
    told = {key: report["match"][key] for key in ("matchId", "roomId", "startAt", "endReason")}
    assert told == {
        "matchId": match["matchId"],
        "roomId": room_id,
        "startAt": match["startAt"],
        "endReason": "timeExpired",
    }
    assert report["match"]["settings"] == match["settings"]
    assert {one["username"] for one in standings} == {"alice", "bob", "Bot 1", "Bot 2"}


def counts_without_gap(frames):
    """Every kept broadcast reaches a socket that has entered, in order; a view between them, which
    has no number, takes none."""
    numbers = numbers_of(frames)
    return bool(numbers) and numbers == list(range(numbers[0], numbers[-1] + 1))


def count_upwards(frames):
    """No number comes twice, whatever sockets it came by."""
    numbers = numbers_of(frames)
    return all(one < next_one for one, next_one in pairwise(numbers))


def numbers_of(frames):
    return [frame["seq"] for frame in frames if "seq" in frame]
