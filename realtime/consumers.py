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
from realtime.direct import DirectWire
from realtime.engine.hub import Connection
from realtime.flood import FloodGuard, FrameLimits
from realtime.outbox import Outbox
from realtime.runtime import Runtime, runtime
from realtime.websocket.protocol import EXTENSION, WebSocketProtocol

# How a refused JOIN_ROOM ends: told first, then closed, so that a client can stop or come back.
JOIN_REFUSALS = {
    Code.UNAUTHORIZED: Close.UNAUTHENTICATED,
    Code.ROOM_NOT_FOUND: Close.ROOM_NOT_FOUND,
    Code.STORAGE_UNAVAILABLE: Close.OVERLOAD,
    Code.ROOM_BUSY: Close.OVERLOAD,
    Code.ROOM_UNREADABLE: Close.OVERLOAD,  # a program that can read it may come
    Code.REALTIME_UNAVAILABLE: Close.RESTART,
    Code.INTERNAL_ERROR: Close.BUG,
}


class RoomConsumer(AsyncConsumer):  # type: ignore[misc]  # Channels ships no types
    """One socket at `/parties/{party}/{roomId}`.

    It uses no channel layer and no ORM, so it reads its events in a plain loop: the framework's
    own would spend a task on each event, and a hop to a shared thread.
    """

    timer: asyncio.TimerHandle | None = None  # closes a socket that shows no token
    join: Envelope | None = None  # a JOIN_ROOM that was heard, and whose event is still to come

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve the socket until it is gone, however that comes."""
        self.scope, self.base_send = scope, send
        self.runtime: Runtime = await runtime()
        socket: WebSocketProtocol | None = scope.get("extensions", {}).get(EXTENSION)
        self._prepare(socket)
        try:
            while (event := await receive())["type"] != "websocket.disconnect":
                await self.dispatch(event)
                if socket and self.connection.player_id:
                    socket.listen(self.hear)
            self._forget(by_client=said_goodbye(event))
        finally:
            self._forget()
            self.wire.abandon()
            self.runtime.sockets.discard(self.wire)

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
            self.runtime.settings.join_timeout_s, self.wire.close, Close.NO_AUTHENTICATION
        )

    async def websocket_receive(self, event: dict[str, Any]) -> None:
        """Read one frame. Whatever it holds, the worst it gets is an ERROR or a close."""
        join, self.join = self.join, None
        if join is None:
            text = event.get("text")
            join = self._take(None if text is None else text.encode(errors="replace"))
        if join:
            await self._join(join)

    def hear(self, text: bytes) -> bool:
        """Read one frame of a member at once, unless it is a JOIN_ROOM: that one waits."""
        self.join = self._take(text)
        return self.join is None

    def _prepare(self, socket: WebSocketProtocol | None) -> None:
        route = self.scope["url_route"]["kwargs"]
        key = RoomKey(route.get("party", ""), canonical_room_id(route.get("room_id", "")))
        settings = self.runtime.settings
        self.address: str = self.scope.get("address", "")
        self.wire = self._wire(socket)
        self.connection = Connection(key, self.wire)
        self.guard = FloodGuard(frame_limits(settings))
        self.runtime.strangers.add(self)
        self.runtime.sockets.add(self.wire)

    def _wire(self, socket: WebSocketProtocol | None) -> DirectWire | Outbox:
        """The short way out, where the server offers it."""
        settings = self.runtime.settings
        if socket is None:
            return Outbox(self.base_send, settings.socket_queue_bytes, on_close=self._forget)
        limit_bytes, patience_s = settings.socket_queue_bytes, settings.socket_patience_s
        wire = DirectWire(socket, limit_bytes, patience_s, on_close=self._forget)
        socket.attach(wire)
        return wire

    def _take(self, frame: bytes | None) -> Envelope | None:
        """Obey a frame. A JOIN_ROOM is returned instead: it takes a while."""
        now = monotonic()
        request_id: str | UnsetType = UNSET
        if not self._may_be_read(frame, now) or frame is None:
            return None
        try:
            envelope = self._envelope(frame, now)
            request_id = envelope.request_id
            message = self._message(envelope.type)
            if message and message.volatile:
                self._relay(message, envelope.payload, now)
                return None
            self.guard.admit(now)
            if envelope.type == JOIN_ROOM:
                return envelope
            self._obey(envelope)
        except Exception as problem:  # noqa: BLE001  a party's volatile handler may raise anything
            self._refuse(problem, request_id, now)
        return None

    def _may_be_read(self, frame: bytes | None, now: float) -> bool:
        """Whether a frame may be read; if not, the socket is closed, or was before."""
        if self.wire.closed:
            return False  # it was sent before our close arrived
        if not self.guard.hears(now):
            self.wire.close(Close.FLOOD)
        elif frame is None:
            self.wire.close(Close.UNSUPPORTED_DATA)
        elif len(frame) > FRAME_MAX_BYTES:
            self.wire.close(Close.TOO_LARGE)  # for servers without a bound of their own
        return not self.wire.closed

    def _refuse(self, problem: Exception, request_id: str | UnsetType, now: float) -> None:
        if not isinstance(problem, RoomError):
            problem = report(problem, self.connection.key.party)
        self._send_error(problem, request_id)
        if problem.code == Code.BAD_REQUEST:
            self.guard.blame(now)
        if self.guard.flooded:
            self.wire.close(Close.FLOOD)

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
            self.runtime.rooms.relay(self.connection, message, payload)

    def _obey(self, envelope: Envelope) -> None:
        if not self.connection.player_id:
            raise RoomError(Code.UNAUTHORIZED, "Send JOIN_ROOM first")
        payload = self.party.message_of(envelope.type).canonical(envelope.payload)
        command = commands.Receive(self.connection.player_id, envelope.type, payload)
        self.runtime.rooms.tell(self.connection, command, envelope.request_id)

    async def _join(self, envelope: Envelope) -> None:
        """Enter the room; the frames that come meanwhile wait."""
        try:
            await self._enter(envelope)
        except Exception as problem:  # noqa: BLE001  whatever it is, the client is told
            self._refuse(problem, envelope.request_id, monotonic())

    async def _enter(self, envelope: Envelope) -> None:
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
            self.wire.close(JOIN_REFUSALS[error.code])

    def _send_error(self, error: RoomError, request_id: str | UnsetType) -> None:
        frame = jsonio.encode(ErrorFrame(request_id=request_id, payload=error.info))
        self.runtime.hub.send(self.connection, frame)

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

    What a disconnect event says, on realtime.websocket and as recorded of Daphne 4.2:

                                             ours                     Daphne
        a close frame                        its code, and a reason   its code
        a close frame without a code         1005, and a reason       None
        reset, FIN, keepalive timeout        1006, no reason          1006
        what we closed (no WebSocket, say)   our code, and a reason   1006
        the server stops                     1012, no reason          (not recorded)

    Other servers say 1005 of what broke, uvicorn's own among them: there a reason tells the two
    apart. Pages send 1000 or 3000 to 4999 or no code, a browser whose tab is closed 1001 (RFC 6455,
    7.4; WHATWG WebSockets, close).
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
