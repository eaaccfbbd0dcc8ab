"""The socket of a room: authenticated by its first frame, then a player's voice."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from channels.consumer import AsyncConsumer
from msgspec import UNSET, Raw, UnsetType

from config.env import Environment
from contracts import jsonio
from contracts.bodies import Receive, Send
from contracts.errors import Code, RoomError
from contracts.incidents import report
from contracts.limits import FRAME_MAX_BYTES
from contracts.paths import canonical_room_id, is_id
from contracts.sockets import JOIN_ROOM, Close, Envelope, ErrorFrame, JoinRoomMessage
from realtime.auth import token_hash
from realtime.core import commands
from realtime.core.messages import Message, read_payload
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.engine.hub import Connection
from realtime.flood import FloodGuard, FrameLimits
from realtime.outbox import Outbox
from realtime.runtime import Runtime, runtime

# How a refused JOIN_ROOM ends: told first, then closed, so that a client can stop or come back.
JOIN_REFUSALS = {
    Code.UNAUTHORIZED: Close.UNAUTHENTICATED,
    Code.ROOM_NOT_FOUND: Close.ROOM_NOT_FOUND,
    Code.STORAGE_UNAVAILABLE: Close.OVERLOAD,
    Code.ROOM_BUSY: Close.OVERLOAD,
    Code.REALTIME_UNAVAILABLE: Close.RESTART,
    Code.INTERNAL_ERROR: Close.BUG,
}


class RoomConsumer(AsyncConsumer):  # type: ignore[misc]  # Channels ships no types
    """One socket at `/parties/{party}/{roomId}`.

    It uses no channel layer and no ORM, so it reads its events in a plain loop: the framework's
    own would spend a task on each event, and a hop to a shared thread.
    """

    timer: asyncio.TimerHandle | None = None  # closes a socket that shows no token

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve the socket until it is gone, however that comes."""
        self.scope, self.base_send = scope, send
        self.runtime: Runtime = await runtime()
        self._prepare()
        try:
            while (event := await receive())["type"] != "websocket.disconnect":
                await self.dispatch(event)
            self._forget(by_client=said_goodbye(event))
        finally:
            self._forget()
            self.outbox.abandon()
            self.runtime.sockets.discard(self.outbox)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the method that is named after the event."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, event: dict[str, Any]) -> None:
        """Accept, and give the client a moment to show its token."""
        await self.base_send({"type": "websocket.accept"})
        key, parties = self.connection.key, self.runtime.rooms.parties
        if key.party not in parties or not is_id(key.room_id):
            self._refuse_join(RoomError(Code.ROOM_NOT_FOUND), UNSET)
            return
        self.party: Party = parties[key.party]
        self.timer = asyncio.get_running_loop().call_later(
            self.runtime.settings.join_timeout_s, self.outbox.close, Close.NO_AUTHENTICATION
        )

    async def websocket_receive(self, event: dict[str, Any]) -> None:
        """Read one frame. Whatever it holds, the worst it gets is an ERROR or a close."""
        text, now = event.get("text"), monotonic()
        if self.outbox.closed:
            return  # it was sent before our close arrived
        if not self.guard.hears(now):
            self.outbox.close(Close.FLOOD)
        elif text is None:
            self.outbox.close(Close.UNSUPPORTED_DATA)
        elif len(frame := text.encode(errors="replace")) > FRAME_MAX_BYTES:
            self.outbox.close(Close.TOO_LARGE)  # for servers without a bound of their own
        else:
            await self._read(frame, now)

    def _prepare(self) -> None:
        route = self.scope["url_route"]["kwargs"]
        key = RoomKey(route.get("party", ""), canonical_room_id(route.get("room_id", "")))
        settings = self.runtime.settings
        self.address: str = self.scope.get("address", "")
        self.outbox = Outbox(self.base_send, settings.socket_queue_bytes, on_close=self._forget)
        self.connection = Connection(key, self.outbox)
        self.guard = FloodGuard(frame_limits(settings))
        self.runtime.strangers.add(self)
        self.runtime.sockets.add(self.outbox)

    async def _read(self, frame: bytes, now: float) -> None:
        request_id: str | UnsetType = UNSET
        try:
            envelope = self._envelope(frame, now)
            request_id = envelope.request_id
            message = self._message(envelope.type)
            if message and message.volatile:
                self._relay(message, envelope.payload, now)
            else:
                self.guard.admit(now)
                await self._obey(envelope)
        except RoomError as error:
            self._send_error(error, request_id)
            if error.code == Code.BAD_REQUEST:
                self.guard.blame(now)
            if self.guard.flooded:
                self.outbox.close(Close.FLOOD)
        except Exception as bug:  # noqa: BLE001  a party's volatile handler may raise anything
            self._send_error(report(bug, self.connection.key.party), request_id)

    def _envelope(self, frame: bytes, now: float) -> Envelope:
        try:
            return read_envelope(frame)
        except RoomError:
            self.guard.admit(now)
            raise

    def _message(self, kind: str) -> Message | None:
        """The message of this type. A stranger has none: even its volatile ones are refused."""
        return self.party.messages.get(kind) if self.connection.player_id else None

    def _relay(self, message: Message, payload: Raw, now: float) -> None:
        if self.guard.relays(self.party.volatile_per_s, now):
            message.handle(payload, self.party, self.runtime.rooms.relay(self.connection))

    async def _obey(self, envelope: Envelope) -> None:
        if envelope.type == JOIN_ROOM:
            await self._join(envelope)
        elif not self.connection.player_id:
            raise RoomError(Code.UNAUTHORIZED, "Send JOIN_ROOM first")
        else:
            payload = self.party.message_of(envelope.type).canonical(envelope.payload)
            command = commands.Receive(self.connection.player_id, envelope.type, payload)
            self.runtime.rooms.tell(self.connection, command, envelope.request_id)

    async def _join(self, envelope: Envelope) -> None:
        token = read_payload(JOIN_ROOM, JoinRoomMessage, envelope.payload).player_token
        try:
            rooms = self.runtime.rooms
            await rooms.enter(self.connection, token_hash(token), envelope.request_id)
        except RoomError as error:
            self._refuse_join(error, envelope.request_id)
        else:
            self._known()

    def _refuse_join(self, error: RoomError, request_id: str | UnsetType) -> None:
        self._send_error(error, request_id)
        if error.code in JOIN_REFUSALS:
            self.outbox.close(JOIN_REFUSALS[error.code])

    def _send_error(self, error: RoomError, request_id: str | UnsetType) -> None:
        self.outbox.send(jsonio.encode(ErrorFrame(request_id=request_id, payload=error.info)))

    def _known(self) -> None:
        """It is no stranger any more: it has entered a room, or is gone."""
        self.runtime.strangers.discard(self)
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def _forget(self, *, by_client: bool = False) -> None:
        self._known()
        self.runtime.hub.drop(self.connection, by_client=by_client)


def read_envelope(frame: bytes) -> Envelope:
    """A frame's envelope. Raises BAD_REQUEST: `Invalid JSON message`, or naming the bad field."""
    try:
        return jsonio.decode(frame, Envelope)
    except jsonio.MalformedJson:
        raise RoomError(Code.BAD_REQUEST, "Invalid JSON message") from None


def said_goodbye(event: dict[str, Any]) -> bool:
    """Whether a socket that is gone was closed by the page or the browser, and did not just break.

    What a disconnect event says, as recorded of uvicorn 0.54 (websockets-sansio) and Daphne 4.2:

                                             uvicorn                  Daphne
        a close frame                        its code, and a reason   its code
        a close frame without a code         1005, and a reason       None
        reset, FIN, keepalive timeout        1005, no reason          1006
        it spoke no WebSocket (we closed)    1002, 1007, 1009         1006

    Pages send 1000 or 3000 to 4999 or no code, a browser whose tab is closed 1001 (RFC 6455, 7.4;
    WHATWG WebSockets, close).
    """
    code = event.get("code", 1005)
    if code == 1005:
        return "reason" in event
    return code in (None, 1000, 1001) or 3000 <= code <= 4999


def frame_limits(settings: Environment) -> FrameLimits | None:
    """What the settings allow a socket to send; None is no limit."""
    if not settings.rate_limits:
        return None
    return FrameLimits(
        settings.socket_frames_per_s,
        settings.socket_frames_burst,
        settings.socket_frames_any_per_s,
    )
