"""The socket of a room: authenticated by its first frame, then a player's voice."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.consumer import AsyncConsumer
from msgspec import UNSET, UnsetType

from contracts import jsonio
from contracts.bodies import Receive, Send
from contracts.errors import Code, RoomError
from contracts.incidents import report
from contracts.limits import FRAME_MAX_BYTES
from contracts.paths import canonical_room_id, is_id
from contracts.sockets import Close, Envelope, ErrorFrame, JoinRoomMessage
from realtime.auth import token_hash
from realtime.core import commands
from realtime.core.messages import read_payload
from realtime.core.rows import RoomKey
from realtime.engine.hub import Connection
from realtime.outbox import Outbox
from realtime.runtime import Runtime, runtime

JOIN_ROOM = "JOIN_ROOM"
BAD_FRAMES_MAX, BAD_FRAMES_WINDOW_S = 10, 60.0
# How a refused JOIN_ROOM ends: told first, then closed, so that a client can stop or come back.
JOIN_REFUSALS = {
    Code.UNAUTHORIZED: Close.UNAUTHENTICATED,
    Code.ROOM_NOT_FOUND: Close.ROOM_NOT_FOUND,
    Code.STORAGE_UNAVAILABLE: Close.OVERLOAD,
    Code.ROOM_BUSY: Close.OVERLOAD,
    Code.REALTIME_UNAVAILABLE: Close.RESTART,
    Code.INTERNAL_ERROR: Close.BUG,
}


class RoomConsumer(AsyncConsumer):
    """One socket at `/parties/{party}/{roomId}`.

    It uses no channel layer and no ORM, so it reads its events in a plain loop: the framework's
    own would spend a task on each event, and a hop to a shared thread.
    """

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve the socket until it is gone, however that comes."""
        self.scope, self.base_send = scope, send
        self.runtime: Runtime = await runtime()
        self._prepare()
        try:
            while (event := await receive())["type"] != "websocket.disconnect":
                await self.dispatch(event)
        finally:
            self._forget()
            self.outbox.abandon()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the method that is named after the event."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, event: dict[str, Any]) -> None:
        """Accept, and give the client a moment to show its token."""
        self.runtime.strangers.add(self)
        await self.base_send({"type": "websocket.accept"})
        key = self.connection.key
        if key.party not in self.runtime.rooms.parties or not is_id(key.room_id):
            self._refuse_join(RoomError(Code.ROOM_NOT_FOUND), UNSET)
            return
        self.timer = asyncio.get_running_loop().call_later(
            self.runtime.settings.join_timeout_s, self.outbox.close, Close.NO_AUTHENTICATION
        )

    async def websocket_receive(self, event: dict[str, Any]) -> None:
        """Read one frame. Whatever it holds, the worst it gets is an ERROR or a close."""
        text = event.get("text")
        if self.outbox.closed:
            return  # it was sent before our close arrived
        if text is None:
            self.outbox.close(Close.UNSUPPORTED_DATA)
        elif len(frame := text.encode(errors="replace")) > FRAME_MAX_BYTES:
            self.outbox.close(Close.TOO_LARGE)  # for servers without a bound of their own
        else:
            await self._read(frame)

    def _prepare(self) -> None:
        route = self.scope["url_route"]["kwargs"]
        key = RoomKey(route.get("party", ""), canonical_room_id(route.get("room_id", "")))
        limit = self.runtime.settings.socket_queue_bytes
        self.outbox = Outbox(self.base_send, limit, on_close=self._forget)
        self.connection = Connection(key, self.outbox)
        self.bad_frames: list[float] = []
        self.timer: asyncio.TimerHandle | None = None

    async def _read(self, frame: bytes) -> None:
        request_id: str | UnsetType = UNSET
        try:
            envelope = read_envelope(frame)
            request_id = envelope.request_id
            if envelope.type == JOIN_ROOM:
                await self._join(envelope)
            elif not self.connection.player_id:
                raise RoomError(Code.UNAUTHORIZED, "Send JOIN_ROOM first")
            else:
                self._hear(envelope)
        except RoomError as error:
            self._send_error(error, request_id)
            if error.code == Code.BAD_REQUEST:
                self._count_bad_frame()
        except Exception as bug:  # noqa: BLE001  a party's volatile handler may raise anything
            self._send_error(report(bug, self.connection.key.party), request_id)

    async def _join(self, envelope: Envelope) -> None:
        token = read_payload(JOIN_ROOM, JoinRoomMessage, envelope.payload).player_token
        try:
            await self.runtime.rooms.ask(
                self.connection.key,
                commands.Connect(token_hash(token)),
                self.connection,
                envelope.request_id,
            )
        except RoomError as error:
            self._refuse_join(error, envelope.request_id)
        else:
            self._known()

    def _hear(self, envelope: Envelope) -> None:
        rooms = self.runtime.rooms
        party = rooms.party(self.connection.key.party)
        message = party.message_of(envelope.type)
        if message.volatile:
            payload = read_payload(message.kind, message.payload, envelope.payload)
            message.handler(party, rooms.relay(self.connection), payload)
            return
        command = commands.Receive(self.connection.player_id, envelope.type, envelope.payload)
        rooms.tell(self.connection, command, envelope.request_id)

    def _refuse_join(self, error: RoomError, request_id: str | UnsetType) -> None:
        self._send_error(error, request_id)
        if error.code in JOIN_REFUSALS:
            self.outbox.close(JOIN_REFUSALS[error.code])

    def _send_error(self, error: RoomError, request_id: str | UnsetType) -> None:
        self.outbox.send(jsonio.encode(ErrorFrame(request_id=request_id, payload=error.info)))

    def _count_bad_frame(self) -> None:
        now = asyncio.get_running_loop().time()
        recent = [at for at in self.bad_frames if at > now - BAD_FRAMES_WINDOW_S]
        self.bad_frames = [*recent, now]
        if len(self.bad_frames) >= BAD_FRAMES_MAX:
            self.outbox.close(Close.FLOOD)

    def _known(self) -> None:
        """It is no stranger any more: it has entered a room, or is gone."""
        self.runtime.strangers.discard(self)
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def _forget(self) -> None:
        self._known()
        self.runtime.hub.drop(self.connection)


def read_envelope(frame: bytes) -> Envelope:
    """A frame's envelope. Raises BAD_REQUEST: `Invalid JSON message`, or naming the bad field."""
    try:
        return jsonio.decode(frame, Envelope)
    except jsonio.MalformedJson:
        raise RoomError(Code.BAD_REQUEST, "Invalid JSON message") from None
