"""A small realtime service: it admits everybody, or answers what a test has put next."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import httpx

from contracts.errors import CATALOGUE, Code


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


class RealtimeDouble(httpx.AsyncBaseTransport):
    """Takes the place of the network below the lobby's client."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._next: deque[httpx.Response | Exception] = deque()

    def refuses(self, code: Code, message: str = "", *, times: int = 1, **more: Any) -> None:
        """Its next answers are this refusal."""
        error = {"code": code, "message": message or CATALOGUE[code].message, **more}
        for _ in range(times):
            self._next.append(httpx.Response(CATALOGUE[code].status, json={"error": error}))

    def fails(self, failure: Exception, *, times: int = 1) -> None:
        """Its next answers are none: the transport raises `failure`."""
        self._next.extend([failure] * times)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = Asked(
            request.method,
            request.extensions["target"].decode(),
            json.loads(request.read() or b"{}"),
        )
        self.asked.append(asked)
        answer = self._next.popleft() if self._next else self._agrees(asked)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _agrees(self, asked: Asked) -> httpx.Response:
        if asked.path == "/healthz":
            return httpx.Response(200, json={"status": "ok"})
        if listed := _listed(urlsplit(asked.path).path):
            return httpx.Response(200, json=listed)
        if asked.method == "GET":
            counts = {"players": 2, "spectators": 1, "bots": 3}
            state = {"phase": "main", "playerCount": 6, "playerCounts": counts}
            return httpx.Response(
                200, json={"roomId": asked.room_id, "settings": {"a": 1}, **state}
            )
        settings = {"playerCap": 99, **asked.body["settings"], "decidedBy": "realtime"}
        counts = {"players": 1, "spectators": 0}
        told = {"matchPhase": "lobby", "phase": "lobby", "settings": settings, "counts": counts}
        return httpx.Response(200, json={"ok": True, "roomId": asked.room_id, **told})


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
