"""A realtime service in forty lines: it admits everybody, or answers what a test has put next."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, NamedTuple

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
