"""`kill -9` of the realtime service in the middle of a join storm: what was answered is there."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from secrets import token_urlsafe
from typing import Any, NamedTuple

import httpx
import pytest

from contracts.usernames import username_key
from tests.support.site import Site, refusal

ROOMS, CAP, WISHES = 4, 16, 45  # more ask for a room than it holds, and some ask twice
CALLERS = 40
READY_LIMIT_S, AS_A_START = 5.0, 3  # or so many times what a start took before
ROUNDS, LONG_ROUNDS = 3, 20
UNANSWERED = (503, "REALTIME_UNAVAILABLE")
TABLE = """\
| round | 200 | 409 | 503 | of these kept | versions | ready, s |
|--:|--:|--:|--:|--:|--:|--:|"""


class Wish(NamedTuple):
    """One caller, who may ask again by the same key."""

    room_id: str
    username: str
    key: str

    def ask(self, site: Site) -> httpx.Response:
        return site.join(self.room_id, self.username, key=self.key)


class Round(NamedTuple):
    """What one round saw; a line of the table."""

    answered: int
    refused: int
    unanswered: int
    kept_unanswered: int
    versions: int
    ready_s: float

    def __str__(self) -> str:
        return " | ".join([*map(str, self[:-1]), f"{self.ready_s:.1f}"])


def test_kill_9_in_a_join_storm(site, long, tell):
    started_s = site.realtime.started_s
    rounds = list(counted_rounds(site, LONG_ROUNDS if long else ROUNDS))
    if long:
        limit_s = max(READY_LIMIT_S, AS_A_START * started_s)
        assert max(one.ready_s for one in rounds) <= limit_s
        lines = [f"| {number} | {one} |" for number, one in enumerate(rounds, 1)]
        tell("\n".join(["", "", TABLE, *lines]))


def test_an_acknowledgement_before_its_commit_would_be_noticed(half_site):
    """The same rounds, and a service that breaks its word."""
    liar = half_site.realtime.that_runs("-m", "tests.support.broken_realtime", "AcknowledgesEarly")
    with liar, pytest.raises(AssertionError):
        list(counted_rounds(replace(half_site, realtime=liar), ROUNDS))


def counted_rounds(site: Site, wanted: int) -> Iterator[Round]:
    """Rounds in which some joins were answered and some were not; others prove nothing."""
    for seed in range(wanted * 3):
        seen = one_round(site, random.Random(seed))
        if seen.answered and seen.unanswered:
            yield seen
            wanted -= 1
        if not wanted:
            return
    pytest.fail("the kill came too early or too late, again and again")


def one_round(site: Site, chance: random.Random) -> Round:
    rooms = [site.room("host", playerCap=CAP)["roomId"] for _ in range(ROOMS)]
    wishes = [
        Wish(room_id, f"{chance.choice(['Bob', 'BOB'])} {number % (WISHES - 5)}", token_urlsafe(32))
        for room_id in rooms
        for number in range(WISHES)
    ]
    chance.shuffle(wishes)
    answers = storm(site, wishes, kill_after=chance.randrange(5, ROOMS * CAP * 2 // 3))
    ready_s = site.realtime.up()
    by_status = Counter(answer.status_code for answer in answers.values())
    assert by_status.keys() <= {200, 409, 503}
    admitted = {w: a.json() for w, a in answers.items() if a.status_code == 200}
    unanswered = [wish for wish, answer in answers.items() if answer.status_code == 503]
    assert {refusal(answers[wish]) for wish in unanswered} <= {UNANSWERED}
    versions = sum(check_room(site, room_id) for room_id in rooms)
    check_admitted(site, admitted)
    check_refused(site, [(w, a) for w, a in answers.items() if a.status_code == 409])
    kept = check_repeats(site, admitted, unanswered)
    for room_id in rooms:
        check_room(site, room_id)
    return Round(by_status[200], by_status[409], by_status[503], kept, versions, ready_s)


def storm(site: Site, wishes: list[Wish], kill_after: int) -> dict[Wish, httpx.Response]:
    """All wishes through the lobby; the realtime service dies at the `kill_after`th success."""
    successes = iter(range(1, len(wishes) + 1))
    counting = threading.Lock()

    def ask(wish: Wish) -> httpx.Response:
        answer = wish.ask(site)
        with counting:
            if answer.status_code == 200 and next(successes) == kill_after:
                site.realtime.kill()
        return answer

    with ThreadPoolExecutor(CALLERS) as pool:
        return dict(zip(wishes, pool.map(ask, wishes), strict=True))


def check_room(site: Site, room_id: str) -> int:
    """No cap or name broken, no gap in the journal, and what is kept is what is served."""
    kept = site.kept(room_id)
    names = [username_key(name) for name in kept.players.values()]
    assert len(names) == len(set(names)) <= CAP
    assert kept.journal == list(range(1, kept.version + 1))
    assert kept.state["roster"]["players"].keys() == kept.players.keys()
    assert site.summary(room_id).json()["counts"] == {"players": len(names), "spectators": 0}
    return kept.version


def check_admitted(site: Site, admitted: dict[Wish, dict[str, Any]]) -> None:
    """Everybody who was answered 200 is there, and the token opens the socket."""
    kept = rosters(site, admitted)
    for wish, admission in admitted.items():
        with site.enter(admission) as socket:
            snapshot = socket.frames[-1]["payload"]
        me = snapshot["me"]
        assert (me["playerId"], me["username"]) == (admission["playerId"], wish.username)
        served = {one["playerId"]: one["username"] for one in snapshot["players"]}
        assert served == kept[wish.room_id]


def check_refused(site: Site, refused: list[tuple[Wish, httpx.Response]]) -> None:
    """No refusal was stale: players only come in this storm, so its reason still holds."""
    kept = rosters(site, [wish for wish, _ in refused])
    for wish, answer in refused:
        names = {username_key(name) for name in kept[wish.room_id].values()}
        if refusal(answer) == (409, "USERNAME_TAKEN"):
            assert username_key(wish.username) in names
        else:
            assert refusal(answer) == (409, "ROOM_FULL")
            assert len(names) == CAP


def check_repeats(site: Site, admitted: dict[Wish, Any], unanswered: list[Wish]) -> int:
    """The same key again: the same answer, or at last one. Returns how many had been kept."""
    before = rosters(site, [*admitted, *unanswered])
    for wish, admission in admitted.items():
        assert wish.ask(site).json() == admission
    answers = [wish.ask(site) for wish in unanswered]
    assert {answer.status_code for answer in answers} <= {200, 409}
    known = {one["playerId"] for one in admitted.values()}
    late = {answer.json()["playerId"] for answer in answers if answer.status_code == 200}
    kept = {
        player_id
        for players in before.values()
        for player_id, username in players.items()
        if player_id not in known and username != "host"
    }
    assert kept <= late  # whoever had been kept unanswered was recognised
    return len(kept)


def rosters(site: Site, wishes: Iterable[Wish]) -> dict[str, dict[str, str]]:
    """The kept usernames by player id, of every room that was wished for."""
    return {room_id: site.kept(room_id).players for room_id in {wish.room_id for wish in wishes}}
