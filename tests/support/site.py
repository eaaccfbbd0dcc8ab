"""A running Greenroom, spoken to as its users do: public HTTP, and one WebSocket per player."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from uuid import UUID, uuid4

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from config.env import DEV_SERVICE_KEY
from tests.support.databases import Scratch
from tests.support.servers import PATIENCE_S, Server

heard: list[str] = []  # every frame that a player got

Item = TypeVar("Item")
Result = TypeVar("Result")


class Socket:
    """One player's socket. Keeps what it got, and the code it was closed with."""

    def __init__(self, url: str, **handshake: Any) -> None:
        self._socket = connect(
            url,
            legacy=True,  # a connection that this object closes
            compression=None,
            max_size=None,
            max_queue=None,
            open_timeout=PATIENCE_S,
            proxy=None,
            **handshake,
        )
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, kind: str, payload: object = None, **fields: object) -> None:
        self.send_raw(json.dumps({"type": kind, "payload": payload or {}, **fields}))

    def send_raw(self, data: str | bytes, *, text: bool | None = None) -> None:
        self._socket.send(data, text=text)

    def receive(self, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next frame. Raises TimeoutError, and ConnectionClosed when the server closes."""
        try:
            text = self._socket.recv(within_s)
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 1006
            raise
        heard.append(str(text))
        self.frames.append(json.loads(text))
        return self.frames[-1]

    def next(self, kind: str) -> dict[str, Any]:
        """The next frame of this type; those before it are kept in `frames`."""
        while (frame := self.receive())["type"] != kind:
            pass
        return frame

    def hear(self, text: str) -> dict[str, Any]:
        """The chat line that says so, when it comes."""
        while (line := self.next("CHAT_APPEND")["payload"]["message"])["text"] != text:
            pass
        return line

    def see(self, username: str) -> dict[str, Any]:
        """How this player looks, when the room says it."""
        while (one := self.next("PLAYER_UPDATE")["payload"]["player"])["username"] != username:
            pass
        return one

    def says_nothing(self, for_s: float) -> bool:
        """Whether no frame comes for this long."""
        try:
            self.receive(for_s)
        except TimeoutError:
            return True
        return False

    def closed(self) -> int:
        """The code that the server closes with; the frames before it are kept."""
        try:
            while True:
                self.receive()
        except ConnectionClosed:
            return self.code or 1006

    def join(self, token: str) -> dict[str, Any]:
        """Send JOIN_ROOM; return the snapshot's payload."""
        self.send("JOIN_ROOM", {"playerToken": token})
        return self.next("ROOM_SNAPSHOT")["payload"]

    @property
    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


IDLE_S = 4.0  # the realtime service closes what lies idle for 5 s


class Client(httpx.Client):
    """Closed with its last reference. It lets connections go before the services do."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=None, keepalive_expiry=IDLE_S)
        super().__init__(trust_env=False, timeout=PATIENCE_S * 3, limits=limits)

    def __del__(self) -> None:
        self.close()


@dataclass
class Site:
    """Both tiers on one database, or a realtime service alone."""

    realtime: Server
    database: Scratch
    lobby: Server = cast("Server", None)  # a realtime service alone has none
    http: httpx.Client = field(default_factory=lambda: Client())

    # -- through the lobby ------------------------------------------------------------------

    def create(self, username: str = "alice", *, key: str = "", **body: Any) -> httpx.Response:
        return self._ask("/api/rooms", key, {"username": username, **body})

    def join(
        self, room_id: str, username: str, role: str = "player", *, key: str = "", **body: Any
    ) -> httpx.Response:
        body = {"username": username, "role": role, **body}
        return self._ask(f"/api/rooms/{room_id}/join", key, body)

    def room(self, username: str = "alice", **settings: Any) -> dict[str, Any]:
        """A new room: what its host was answered."""
        created = self.create(username, settings=settings)
        assert created.status_code == 201, created.text
        return created.json()

    def summary(self, room_id: str) -> httpx.Response:
        assert self.lobby
        return self.http.get(f"{self.lobby.url}/api/rooms/{room_id}")

    def _ask(self, path: str, key: str, body: dict[str, Any]) -> httpx.Response:
        assert self.lobby
        headers = {"Idempotency-Key": key} if key else {}
        return self.http.post(self.lobby.url + path, json=body, headers=headers)

    # -- to the realtime service, as the lobby does -----------------------------------------

    def register(
        self, room_id: str, player: dict[str, Any], key: str = DEV_SERVICE_KEY
    ) -> httpx.Response:
        return self.http.post(
            f"{self.realtime.url}/parties/leet99/{room_id}/register",
            json=player,
            headers={"Authorization": f"Bearer {key}"},
        )

    # -- as a player ------------------------------------------------------------------------

    def socket(
        self, room_id: str, party: str = "leet99", query: str = "", **handshake: Any
    ) -> Socket:
        base = self.realtime.url.replace("http", "ws", 1)
        return Socket(f"{base}/parties/{party}/{room_id}{query}", **handshake)

    def enter(self, admission: dict[str, Any]) -> Socket:
        """A socket that has joined, with what an answer of the lobby says."""
        socket = Socket(admission["wsUrl"])
        socket.join(admission["playerToken"])
        return socket

    # -- what is kept -----------------------------------------------------------------------

    def kept(self, room_id: str) -> Kept:
        """The room as a database connection of its own reads it."""
        return Kept(self.database, room_id)


@dataclass
class Kept:
    """A room's rows."""

    database: Scratch
    room_id: str

    @property
    def version(self) -> int:
        return self._one("SELECT version FROM rooms WHERE code = ?")

    @property
    def uuid(self) -> UUID:
        return UUID(str(self._one("SELECT room_id FROM rooms WHERE code = ?")))

    def seat(self, username: str) -> int:
        """The row of a member."""
        query = "SELECT s.id FROM room_seats s JOIN rooms USING (room_id) WHERE code = ?"
        ((row,),) = self.database.rows(f"{query} AND username = ?", self.room_id, username)
        return row

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(bytes(self._one("SELECT state FROM rooms WHERE code = ?")))

    @property
    def exists(self) -> bool:
        return bool(self._one("SELECT count(*) FROM rooms WHERE code = ?"))

    @property
    def journal(self) -> list[int]:
        """The versions in the journal."""
        return [
            version
            for (version,) in self.database.rows(
                "SELECT j.version FROM room_journal j JOIN rooms USING (room_id)"
                " WHERE code = ? ORDER BY j.version",
                self.room_id,
            )
        ]

    @property
    def players(self) -> dict[str, str]:
        """Usernames by player id."""
        return dict(
            self.database.rows(
                "SELECT player_id, username FROM room_seats JOIN rooms USING (room_id)"
                " WHERE code = ?",
                self.room_id,
            )
        )

    def _one(self, query: str) -> Any:
        found = self.database.rows(query, self.room_id)
        assert found, f"no room {self.room_id} is kept"
        return found[0][0]


def player(username: str, **fields: Any) -> dict[str, Any]:
    """A register body as the lobby sends it."""
    ids = {"playerId": f"p_{uuid4()}", "playerToken": f"canary_{uuid4().hex}"}
    return {**ids, "username": username, "role": "player", "isHost": False, **fields}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, whose body must be the canonical one."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error"}, answer.text
    error = answer.json()["error"]
    assert {"code", "message"} <= error.keys() <= {"code", "message", "details"}, answer.text
    assert error["message"]
    return answer.status_code, error["code"]


def together(
    call: Callable[[Item], Result], items: Iterable[Item], at_once: int = 300
) -> list[Result]:
    """Call for every item, `at_once` of them at a time; the results in order."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(call, items))
