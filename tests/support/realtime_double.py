"""A small realtime service: it admits everybody, or answers what a test has put next."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from contracts.connection import Origin
from contracts.errors import CATALOGUE, Code
from contracts.http1 import Answer


class Asked(NamedTuple):
    """One call as it arrived."""

    method: str
    path: str
    body: dict[str, Any]

    @property
    def room_id(self) -> str:
        return self.path.split("/")[3]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query))


def says(body: dict[str, Any], status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(body).encode(), keep_alive=True)


class RealtimeDouble:
    """A Transport: takes the place of the network below the lobby's client."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._next: deque[Answer | Exception] = deque()

    def refuses(self, code: Code, message: str = "", *, times: int = 1, **more: Any) -> None:
        """Its next answers are this refusal."""
        error = {"code": code, "message": message or CATALOGUE[code].message, **more}
        for _ in range(times):
            self._next.append(says({"error": error}, CATALOGUE[code].status))

    def answers(self, answer: Answer) -> None:
        """Its next answer is this one."""
        self._next.append(answer)

    def fails(self, failure: Exception, *, times: int = 1) -> None:
        """Its next answers are none: the transport raises `failure`."""
        self._next.extend([failure] * times)

    async def exchange(self, origin: Origin, request: bytes, deadline: float) -> Answer:
        head, _, body = request.partition(b"\r\n\r\n")
        method, target, _ = head.decode().split(" ", 2)
        asked = Asked(method, target, json.loads(body or b"{}"))
        self.asked.append(asked)
        answer = self._next.popleft() if self._next else self._agrees(asked)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        """It keeps no connections."""

    def _agrees(self, asked: Asked) -> Answer:
        if asked.path == "/readyz":
            return says({"status": "ok"})
        if listed := _listed(urlsplit(asked.path).path):
            return says(listed)
        if asked.method == "GET":
            counts = {"players": 2, "spectators": 1, "bots": 3}
            state = {"phase": "main", "playerCount": 6, "playerCounts": counts}
            return says({"roomId": asked.room_id, "settings": {"a": 1}, **state})
        settings = {"playerCap": 99, **asked.body["settings"], "decidedBy": "realtime"}
        counts = {"players": 1, "spectators": 0}
        told = {"matchPhase": "lobby", "phase": "lobby", "settings": settings, "counts": counts}
        return says({"ok": True, "roomId": asked.room_id, **told})


MATCH = {
    "matchId": "m_1",
    "roomId": "ROOM23",
    "startAt": "2026-01-02T03:04:05.000Z",
    "endAt": "2026-01-02T03:14:05.000Z",
    "endReason": "time",
    "settings": {"playerCap": 8},
}
STANDING = {"rank": 1, "playerId": "p_1", "username": "alice", "role": "player", "score": 9}
ENTRY = {
    "rank": 1,
    "username": "alice",
    "score": 9,
    "matchId": "m_1",
    "at": "2026-01-02T03:14:05.000Z",
}
SUMMARY = {
    "roomId": "ROOM23",
    "phase": "lobby",
    "settings": {"playerCap": 8},
    "counts": {"players": 2, "spectators": 1},
}


def _listed(path: str) -> dict[str, Any] | None:
    match path.split("/")[1:]:
        case ["parties", _]:
            return {"rooms": [SUMMARY], "nextCursor": "abc"}
        case ["parties", _, room_id, "matches"]:
            return {"roomId": room_id, "matches": [MATCH | {"roomId": room_id}]}
        case ["matches", match_id]:
            return {"match": MATCH | {"matchId": match_id}, "standings": [STANDING]}
        case ["leaderboard"]:
            return {"window": "all", "entries": [ENTRY]}
    return None
