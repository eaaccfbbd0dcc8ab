"""Those who create, join and look over HTTP, and ask again when nobody answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from secrets import token_urlsafe
from typing import Any

import httpx

from tests.faultlab.cluster import Cluster
from tests.faultlab.history import History, Op, now
from tests.faultlab.node import Node
from tests.faultlab.witness import Witness

ANSWERED_WITHIN_S = 14.5  # longer than the lobby's own patience
AGAIN_AFTER_S = 0.3
ELSEWHERE = 0.1  # how many of the calls go to a node that may be unwell


@dataclass(frozen=True)
class Admission:
    """What an answer of the lobby gives to a player."""

    party: str
    room_id: str
    player_id: str
    token: str
    label: str  # of the token
    role: str


@dataclass(frozen=True)
class Wish:
    """One request that may be repeated: the same key, the same body."""

    party: str
    username: str
    key: str
    room_id: str | None = None  # None: make one
    role: str = "player"
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def op(self) -> str:
        return "join" if self.room_id else "create"

    @property
    def path(self) -> str:
        return f"/api/rooms/{self.room_id}/join" if self.room_id else "/api/rooms"

    @property
    def body(self) -> dict[str, Any]:
        common = {"username": self.username, "party": self.party}
        own = {"role": self.role} if self.room_id else {"settings": dict(self.settings)}
        return {**common, **own}


class Callers:
    """All who call over HTTP, on one pool of connections."""

    def __init__(self, cluster: Cluster, history: History, chance: Random) -> None:
        self.cluster = cluster
        self.history = history
        self.chance = chance
        self.witness: Witness | None = None
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
        self._http = httpx.AsyncClient(trust_env=False, timeout=ANSWERED_WITHIN_S, limits=limits)

    async def close(self) -> None:
        await self._http.aclose()

    def any_node(self) -> Node:
        """Mostly one that is well."""
        nodes = self.cluster.nodes if self.chance.random() < ELSEWHERE else self.cluster.usable
        return self.chance.choice(nodes)

    def wish(self, party: str, username: str, **fields: Any) -> Wish:
        settings = tuple(fields.pop("settings", {}).items())
        return Wish(party, username, token_urlsafe(32), settings=settings, **fields)

    async def insist(self, wish: Wish, until: float, node: Node | None = None) -> Admission | None:
        """Ask until there is an answer; None when it is a refusal, or the time is over."""
        while True:
            admission, certain = await self.ask(wish, node or self.any_node())
            if certain or now() > until:
                return admission
            await asyncio.sleep(AGAIN_AFTER_S)

    async def ask(self, wish: Wish, node: Node) -> tuple[Admission | None, bool]:
        """What was granted, and whether the answer is certain."""
        key = self.history.label(wish.key, "key")
        args: dict[str, Any] = {"username": wish.username, "role": wish.role, "key": key}
        if wish.settings:
            args["settings"] = dict(wish.settings)
        where = {"client": key, "process": f"lobby-{node.name}", "party": wish.party}
        op = self.history.begin(wish.op, **where, room=wish.room_id, args=args)
        headers = {"Idempotency-Key": wish.key}
        url = node.lobby.url + wish.path
        answer = await self._exchange(op, "POST", url, json=wish.body, headers=headers)
        return (self._admit(op, wish, answer), True) if answer else (None, op.outcome == "err")

    async def look(self, node: Node, party: str, room_id: str) -> dict[str, Any] | None:
        """GET …/state of one process."""
        op = self.history.begin(
            "state", client="looker", process=node.name, party=party, room=room_id, args={}
        )
        url = f"http://127.0.0.1:{node.ways['clients'].port}/parties/{party}/{room_id}/state"
        answer = await self._exchange(op, "GET", url)
        if answer is not None:
            op.ok(
                {name: answer[name] for name in ("phase", "playerCounts", "settings")}, status=200
            )
        return answer

    async def served(self, node: Node, party: str, room_id: str) -> tuple[int, Any]:
        """What a process serves when everything is at rest."""
        got = await self._http.get(f"{node.realtime.url}/parties/{party}/{room_id}/state")
        return got.status_code, got.json() if got.status_code == 200 else None

    async def _exchange(self, op: Op, method: str, url: str, **request: Any) -> Any:
        """The JSON of a 2xx; None when it was anything else, which is then recorded."""
        try:
            answer = await self._http.request(method, url, **request)
            body = answer.json()
        except (httpx.HTTPError, ValueError):
            op.unknown()
            return None
        if answer.is_success:
            return body
        code = body["error"]["code"]
        if answer.status_code >= 500:
            op.unknown(code=code, status=answer.status_code)
        else:
            op.refused(code, status=answer.status_code)
        return None

    def _admit(self, op: Op, wish: Wish, answer: dict[str, Any]) -> Admission:
        label = self.history.label(answer["playerToken"], "token")
        if self.witness and op.fields["t0"] > self.history.rewound_at:
            self.witness.told(wish.party, answer["roomId"], op.fields["id"], answer["playerId"])
        room_id, player_id = answer["roomId"], answer["playerId"]
        told = {name: answer[name] for name in ("playerId", "roomId", "role", "isHost", "settings")}
        op.ok({**told, "token": label}, room=room_id, status=200 if wish.room_id else 201)
        self.history.write("token", t=now(), label=label, room=room_id, player=player_id)
        return Admission(
            wish.party, room_id, player_id, answer["playerToken"], label, answer["role"]
        )
