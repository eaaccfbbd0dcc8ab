"""Three readers with one face: ours, and the servers of `websockets` and `wsproto`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from wsproto import events
from wsproto.connection import Connection, ConnectionType

from realtime.websocket.reader import Reader
from tests.framelab.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

NO_CODE = 1005  # how the others say that a CLOSE has none
RAISED = -1  # how we say here that ours did what it never does


class Outcome(NamedTuple):
    """What a reader made of a stream."""

    received: tuple[tuple[int, bytes], ...]  # opcode and payload of messages and control frames
    failed: int = 0  # the close code, when it gave up
    closed: bool = False  # by a CLOSE


class Ours:
    """`realtime.websocket.reader`, or another of its face."""

    def __init__(self, max_bytes: int, reader: Callable[[int], Any] = Reader) -> None:
        self._reader = reader(max_bytes)
        self._received: list[tuple[int, bytes]] = []
        self._raised = False

    def feed(self, data: bytes) -> None:
        try:
            self._received += self._reader.feed(data)
        except Exception:  # noqa: BLE001  whatever it is, it is a bug
            self._raised = True

    @property
    def outcome(self) -> Outcome:
        failed = RAISED if self._raised else self._reader.failed
        return Outcome(tuple(self._received), failed, self._reader.closed)


class Foreign:
    """What both other readers need here: they leave some of a message to who uses them."""

    def __init__(self) -> None:
        self._received: list[tuple[int, bytes]] = []
        self._failed = 0
        self._closed = False

    @property
    def outcome(self) -> Outcome:
        return Outcome(tuple(self._received), self._failed, self._closed)

    def _over(self) -> bool:
        return bool(self._failed or self._closed)

    def _control(self, opcode: int, payload: bytes) -> None:
        self._closed = opcode == CLOSE
        self._received.append((opcode, payload))


class Websockets(Foreign):
    """It hands out frames, and leaves joining them and UTF-8 to its user: here, as uvicorn does."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._protocol = ServerProtocol(state=OPEN, max_size=max_bytes)
        self._opcode = 0
        self._message = b""

    def feed(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if not self._over():
                assert isinstance(event, Frame)
                self._take(event)
        self._protocol.data_to_send()
        if self._protocol.parser_exc and not self._over():
            assert self._protocol.close_sent
            self._failed = int(self._protocol.close_sent.code)

    def _take(self, event: Frame) -> None:
        if event.opcode in (CLOSE, PING, PONG):
            self._control(int(event.opcode), bytes(event.data))
            return
        if event.opcode != CONTINUATION:
            self._opcode, self._message = int(event.opcode), b""
        self._message += event.data
        if event.fin:
            self._finish()

    def _finish(self) -> None:
        try:
            if self._opcode == TEXT:
                self._message.decode()
        except UnicodeDecodeError:
            self._failed = 1007
        else:
            self._received.append((self._opcode, self._message))


class Wsproto(Foreign):
    """It hands out whatever has arrived of a message, and has no limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._connection = Connection(ConnectionType.SERVER)
        self._message = b""

    def feed(self, data: bytes) -> None:
        if self._over():
            return
        self._connection.receive_data(data)
        for event in self._connection.events():
            self._take(event)

    def _take(self, event: events.Event) -> None:
        match event:
            case events.TextMessage(data=content):
                self._add(TEXT, content.encode(), event.message_finished)
            case events.BytesMessage(data=content):
                self._add(BINARY, bytes(content), event.message_finished)
            case events.Ping(payload=payload):
                self._control(PING, bytes(payload))
            case events.Pong(payload=payload):
                self._control(PONG, bytes(payload))
            case events.CloseConnection(code=code, reason=reason):
                self._end(int(code), reason or "")

    def _add(self, opcode: int, content: bytes, final: bool) -> None:
        self._message += content
        if final:
            self._received.append((opcode, self._message))
            self._message = b""

    def _end(self, code: int, reason: str) -> None:
        """It tells of a CLOSE and of a failure in the same way; its state tells them apart."""
        if self._connection.state.name == "OPEN":
            self._failed = code
        else:
            said = b"" if code == NO_CODE else code.to_bytes(2, "big") + reason.encode()
            self._control(CLOSE, said)


AnyReader: TypeAlias = Ours | Websockets | Wsproto
Make: TypeAlias = Callable[[int], AnyReader]  # from the limit of a message
PEERS: dict[str, Make] = {"websockets": Websockets, "wsproto": Wsproto}


def outcome(reader: AnyReader, reads: Iterable[bytes]) -> Outcome:
    """What it made of a stream that arrived in these reads."""
    for data in reads:
        reader.feed(data)
    return reader.outcome
