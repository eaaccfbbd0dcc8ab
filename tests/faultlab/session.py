"""One player's socket, and the next when it ends: enters, talks, and writes down what it hears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.faultlab.callers import Admission, Callers
from tests.faultlab.history import History, Op, conn_numbers, now
from tests.faultlab.node import Node
from tests.faultlab.talk import Command, Frame, Tongue, Waiting, reduced

OPEN_WITHIN_S = 5.0
ENTERED_WITHIN_S = 10.0
FOR_GOOD = {1000, 4001, 4003, 4004, 4009, 4010}  # the server wants nobody back after these
NOT_OPENED = (OSError, TimeoutError, InvalidHandshake, InvalidMessage, ConnectionClosed)
JOIN_ID = "join"


class Session:
    """A socket of one player, from the handshake to its end."""

    def __init__(
        self, callers: Callers, admission: Admission, tongue: Tongue, room_id: str | None = None
    ) -> None:
        """`room_id` is another one for those who try their token at a strange door."""
        self.history: History = callers.history
        self.admission = admission
        self.party, self.room_id = admission.party, room_id or admission.room_id
        self.conn = f"s{next(conn_numbers)}"
        self.seq = 0  # the newest that was heard
        self.seq_since_view = 0  # 0 right after a view: most have no number
        self.entered = self.opened = False
        self.code: int | None = None
        self.room: dict[str, Any] = {}  # what the last snapshot said
        self.phase = "lobby"
        self._tongue = tongue
        self._witness = callers.witness
        self._socket: ClientConnection | None = None
        self._waiting: dict[str, Waiting] = {}
        self._asked = 0.0
        self._hung_up = False

    @property
    def is_host(self) -> bool:
        return bool(self.room.get("me", {}).get("isHost"))

    @property
    def others(self) -> list[str]:
        """Everybody else who can be sent away."""
        players = self.room.get("players", [])
        me = self.admission.player_id
        return [p["playerId"] for p in players if p["playerId"] != me and p["role"] != "bot"]

    async def run(self, node: Node, lurk_s: float, *, until: Callable[[], bool]) -> None:
        """Open, say nothing for a while, enter, and listen until the socket or the time ends."""
        url = f"{node.socket_url}/parties/{self.party}/{self.room_id}"
        calm: dict[str, Any] = {
            "compression": None,
            "max_size": None,
            "ping_interval": None,
            "proxy": None,
        }
        try:
            socket = await connect(url, open_timeout=OPEN_WITHIN_S, close_timeout=0.2, **calm)
        except NOT_OPENED:
            return
        self._socket, self.opened = socket, True
        where = {"process": node.name, "party": self.party, "room": self.room_id}
        self.history.write("open", conn=self.conn, client=self.admission.label, **where, t=now())
        try:
            await self._listen(socket, lurk_s, until)
        finally:
            self._end(socket)

    async def send(self, command: Command) -> Op | None:
        """Send it, if it can be told from others of its kind."""
        if self._socket is None or not self.entered or not self._tongue.may_ask(command.op):
            return None
        where = {"party": self.party, "room": self.room_id, "client": self.conn}
        player = self.admission.player_id
        op = self.history.begin(command.op, **where, player=player, args=command.payload)
        self._waiting[str(op.fields["id"])] = Waiting(op, command)
        self._tongue.asked(op)
        if command.op == "kick":
            self._tongue.kicks[command.payload["playerId"]] = op
        envelope = {"type": command.kind, "requestId": str(op.fields["id"])}
        with suppress(ConnectionClosed):
            await self._socket.send(json.dumps({**envelope, "payload": command.payload}))
        return op

    async def signal(self) -> None:
        """Say what nobody keeps."""
        if self._socket and self.entered:
            with suppress(ConnectionClosed):
                await self._socket.send('{"type": "chat.signal", "payload": {"data": 0}}')

    def hang_up(self) -> None:
        """Break the connection, as a lost network does."""
        if self._socket:
            self._hung_up = True
            self._socket.transport.abort()

    # -- listening --------------------------------------------------------------------------

    async def _listen(
        self, socket: ClientConnection, lurk_s: float, until: Callable[[], bool]
    ) -> None:
        join_at, give_up_at = now() + lurk_s, now() + lurk_s + ENTERED_WITHIN_S
        while not until():
            if not self._asked and now() >= join_at:
                await self._join(socket)
            if not self.entered and now() > give_up_at:
                return
            self._give_up_old()
            try:
                text = await asyncio.wait_for(socket.recv(), 0.25)
            except TimeoutError:
                continue
            except ConnectionClosed as closed:
                lost = None if self._hung_up else 1006
                self.code = closed.rcvd.code if closed.rcvd else lost
                return
            self._hear(json.loads(text))

    async def _join(self, socket: ClientConnection) -> None:
        self._asked = now()
        payload = {"playerToken": self.admission.token}
        message = {"type": "JOIN_ROOM", "requestId": JOIN_ID, "payload": payload}
        with suppress(ConnectionClosed):
            await socket.send(json.dumps(message))

    def _hear(self, frame: Frame) -> None:
        heard = now()
        if frame.get("requestId") == JOIN_ID and frame["type"] == "ROOM_SNAPSHOT":
            player = frame["payload"]["me"]["playerId"]
            self.history.write("entered", conn=self.conn, player=player, asked=self._asked, t=heard)
            self._tried("opened", player)
            self.entered = True
        kept = {"type": frame["type"], "payload": reduced(frame)}
        if frame["type"] == "ROOM_SNAPSHOT":
            self.seq_since_view = 0
        if "seq" in frame:
            self.seq = self.seq_since_view = kept["seq"] = frame["seq"]
            if self._witness and self._asked > self.history.rewound_at:
                self._witness.heard(self.party, self.room_id, self.seq)
        self.history.write("frame", conn=self.conn, t=heard, **kept)
        self._learn(frame)

    def _learn(self, frame: Frame) -> None:
        payload = frame["payload"]
        if frame["type"] == "ERROR":
            self._refused(frame)
            return
        for waiting in [*self._waiting.values()]:
            if waiting.command.shown_by and waiting.command.shown_by(frame):
                self._settle(waiting, shown=True)
        if frame["type"] == "ROOM_SNAPSHOT":
            self.room = payload
            self.phase = payload.get("match", {}).get("phase", "lobby")
        elif frame["type"] == "MATCH_PHASE_UPDATE":
            self.phase = payload["phase"]

    def _refused(self, frame: Frame) -> None:
        code, request_id = frame["payload"]["code"], frame.get("requestId")
        if request_id == JOIN_ID:
            refused = code in ("UNAUTHORIZED", "ROOM_NOT_FOUND")
            self._tried("refused" if refused else "unknown")
        elif waiting := self._waiting.get(str(request_id)):
            waiting.op.refused(code)
            self._settle(waiting, shown=False)

    def _tried(self, outcome: str, player: str | None = None) -> None:
        what = {"label": self.admission.label, "party": self.party, "room": self.room_id}
        self.history.write("try", **what, t0=self._asked, t1=now(), outcome=outcome, player=player)

    # -- settling ---------------------------------------------------------------------------

    def _settle(self, waiting: Waiting, *, shown: bool) -> None:
        op = waiting.op
        self._waiting.pop(str(op.fields["id"]), None)
        if op.open and not shown and (self._hung_up or waiting.command.op == "kick"):
            # It is the client's own doing that nobody knows: it is gone, or the kicked one was.
            self.history.write("fault", name="a client goes", t0=op.fields["t0"], t1=now())
        self._tongue.settle(op, shown=shown)

    def _give_up_old(self) -> None:
        for waiting in [*self._waiting.values()]:
            if now() > waiting.until:
                self._settle(waiting, shown=False)

    def _end(self, socket: ClientConnection) -> None:
        socket.transport.abort()
        self._socket = None
        self.history.write("closed", conn=self.conn, t=now(), code=self.code)
        if self.code == 4010 and (kick := self._tongue.kicks.get(self.admission.player_id)):
            self._tongue.settle(kick, shown=True)
        for waiting in [*self._waiting.values()]:
            self._settle(waiting, shown=waiting.command.op == "leave" and self.code == 1000)
