"""One HTTP/1.1 connection of uvicorn's server, for an application that is a Service.

uvicorn's own protocol tells an application of each request by events, in a task with a queue of its
own, and arms a timer after each answer. That costs more than most of what is done here. This one
collects a whole request, asks the service and writes the answer at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from config.http.parser import PIECE_BYTES, Incoming, RequestParser, head_too_large
from contracts.bodies import BODY_WITHIN_S, late
from contracts.deadline import Deadline
from contracts.errors import Code, RoomError
from contracts.exchange import CLOSE, NO_BODY, Ends, Response, Service
from contracts.incidents import report

HEAD_WITHIN_S = 10.0  # from its first byte
REST_WITHIN_S = 10.0  # of a request, once the one before it or it itself is answered
REFUSED_HEAD_WITHIN_S = 1.0  # the rest of a head that is too large
STALLED_S = 30.0  # a reader who takes nothing for so long is given up
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
END = b"\r\n"
CLOSE_END = CLOSE + END


def http_protocol(config: Config, **more: Any) -> asyncio.Protocol:
    """What uvicorn serves a new connection with: ServiceProtocol, or its own when something that is
    no Service is wrapped around the application."""
    service = getattr(config.loaded_app, "service", None)
    if service is None:
        return HttpToolsProtocol(config, **more)
    return ServiceProtocol(service, config, **more)


class ServiceProtocol(asyncio.Protocol):
    """A connection. Requests are answered one at a time, in the order they came.

    To uvicorn's server it is what its own protocols are: it stands among `server_state.connections`
    while it is open, its tasks among `server_state.tasks`, and `shutdown` lets it finish.
    """

    def __init__(
        self,
        service: Service,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._service = service
        self._config = config
        self._state = server_state
        self._connections: set[Any] = server_state.connections
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._keep_alive_s = config.timeout_keep_alive
        self._deadline = Deadline(self._loop, self._waited_enough)
        self._drained = Deadline(self._loop, self._look_at_reader)
        self._waiting: deque[Incoming] = deque()  # behind the one that is being answered
        self._unread = b""  # while some wait, or are too many for one piece
        self._busy = False  # answering
        self._ends = False  # the next request is the last
        self._last = False  # no request is read any more
        self._half_closed = False  # the caller sends nothing more, and may still read
        self._reads = True  # and the transport brings what comes
        self._resuming = False  # the next piece has its turn soon
        self._paused = False  # the other end reads too slowly
        self._unsent = 0  # bytes, when somebody last looked
        self._dated: list[tuple[bytes, bytes]] | None = None
        self._date_line = b""
        self._rests = False  # a request is answered, and not yet complete
        self._stage = 0  # the parser's, for which there is a deadline

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller has connected."""
        self._transport = transport = cast(asyncio.Transport, transport)
        scheme = "https" if is_ssl(transport) else "http"
        ends = Ends(get_remote_addr(transport), get_local_addr(transport), scheme)
        sockets = self._config.ws_protocol_class is not None
        self._parser = RequestParser(ends, self._route, self._take, sockets=sockets)
        self._connections.add(self)
        self._deadline.set(max(self._keep_alive_s, HEAD_WITHIN_S))

    def data_received(self, data: bytes) -> None:
        """More of one or several requests."""
        if self._unread or len(data) > PIECE_BYTES:
            self._unread += data
            self._read_on()
        elif not self._last:
            self._feed(data)

    def eof_received(self) -> bool:
        """The caller sends nothing more. What it asked in full is answered, then the connection
        closes. Returns whether it stays open until then: with TLS it can't."""
        self._half_closed = True
        if not self._unread:
            self._read_no_more()
        return self._parser.ends.scheme == "http"

    def pause_writing(self) -> None:
        """The caller does not read what it is sent: nothing more is read from it, either."""
        self._paused = True
        self._unsent = self._transport.get_write_buffer_size()
        self._drained.set(STALLED_S)
        self._flow()

    def resume_writing(self) -> None:
        """The caller has read most of it."""
        self._paused = False
        self._drained.clear()
        self._catch_up()

    def connection_lost(self, error: Exception | None) -> None:
        """The caller is gone. What it asked for goes on, and nobody hears of it."""
        self._connections.discard(self)
        self._let_go()

    def shutdown(self) -> None:
        """The server ends: what is asked already, or half asked, is the last."""
        self._ends = True
        if self._busy:
            self._last = True
        elif self._parser.awaited:
            self._deadline.set(self._within(BODY_WITHIN_S))
        else:
            self._close()

    # Requests

    def _read_on(self) -> None:
        """Read a piece. What is left waits for its turn, so that nobody keeps the others waiting,
        or until there is room for what comes."""
        if self._may_read_on:
            piece, self._unread = self._unread[:PIECE_BYTES], self._unread[PIECE_BYTES:]
            self._feed(piece)
        if self._last:
            self._unread = b""
        elif self._half_closed and not self._unread:
            self._read_no_more()
        self._flow()
        if self._may_read_on and not self._resuming:
            self._resuming = True
            self._loop.call_soon(self._resume)

    @property
    def _may_read_on(self) -> bool:
        return bool(self._unread) and not (self._waiting or self._paused or self._last)

    def _resume(self) -> None:
        self._resuming = False
        self._read_on()

    def _feed(self, data: bytes) -> None:
        parser = self._parser
        try:
            rest = parser.feed(data)
        except RoomError as error:
            self._refuse(error)
            return
        if parser.begun:
            self._wait_for_more()
        elif parser.upgrade:
            self._upgrade(parser.upgrade, rest)
        elif self._rests and not self._busy:
            self._wait()

    def _wait_for_more(self) -> None:
        """A head and a body have their time each, however many pieces they come in."""
        if self._stage != self._parser.stage:
            self._stage = self._parser.stage
            self._deadline.set(self._patience_s)

    @property
    def _patience_s(self) -> float:
        if self._parser.head_too_large:
            return REFUSED_HEAD_WITHIN_S
        return BODY_WITHIN_S if self._parser.in_body else HEAD_WITHIN_S

    def _route(self, request: Incoming) -> int:
        body_max = self._service.route(request)
        if request.expects and body_max != NO_BODY and not self._busy:
            self._transport.write(CONTINUE)
        return body_max

    def _take(self, request: Incoming) -> None:
        if self._last:
            return
        if self._ends or not request.keep_alive:
            self._last = True
        if self._busy:
            self._waiting.append(request)
            self._flow()
        else:
            self._answer(request)

    def _refuse(self, error: RoomError) -> None:
        """Say why nothing more is read, after what was read before. Whoever has an answer already,
        and then sends a body that can't be read, gets no second one."""
        if self._last:
            return
        if self._parser.in_rest:
            self._read_no_more()
            return
        refusal = Incoming("", "", b"", self._parser.headers, self._parser.ends)
        refusal.keep_alive, refusal.refusal = False, error
        self._take(refusal)

    # Answers

    def _answer(self, request: Incoming) -> None:
        self._busy = True
        self._deadline.clear()
        if request.refusal:
            self._finish(request, self._service.refusal(request, request.refusal))
        else:
            task = self._loop.create_task(self._ask(request))
            self._state.tasks.add(task)

    async def _ask(self, request: Incoming) -> None:
        try:
            response = await self._service.respond(request)
        except Exception as bug:  # noqa: BLE001  every request has an answer
            response = self._service.refusal(request, report(bug, "http"))
        except asyncio.CancelledError:
            self._close()
            raise
        finally:
            self._state.tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        self._finish(request, response)

    def _finish(self, request: Incoming, response: Response) -> None:
        self._busy = False
        self._state.total_requests += 1
        if self._transport.is_closing():
            return
        closes = (self._last and not self._waiting) or CLOSE in response.head
        self._write(request, response, closes)
        if closes:
            self._close()
        else:
            self._go_on()

    def _write(self, request: Incoming, response: Response, closes: bool) -> None:
        status, head = STATUS_LINE[response.status], response.head
        end = CLOSE_END if closes and CLOSE not in head else END
        body = b"" if request.method == "HEAD" else response.body
        self._transport.write(b"".join((status, self._date, head, response.length, end, body)))

    @property
    def _date(self) -> bytes:
        """What the server has every answer say, as lines. It renews them each second."""
        if self._state.default_headers is not self._dated:
            self._dated = self._state.default_headers
            self._date_line = b"".join([b"%b: %b\r\n" % header for header in self._dated])
        return self._date_line

    # What is next

    def _go_on(self) -> None:
        if self._waiting or self._unread or self._paused or not self._reads:
            self._catch_up()
        else:
            self._wait()

    def _catch_up(self) -> None:
        if self._waiting and not (self._busy or self._paused):
            self._answer(self._waiting.popleft())
        self._read_on()
        if not (self._busy or self._waiting or self._paused):
            self._wait()

    def _wait(self) -> None:
        """For the next request; or for the rest of one that has its answer already."""
        self._rests = self._parser.begun
        self._deadline.set(REST_WITHIN_S if self._rests else self._keep_alive_s)

    def _flow(self) -> None:
        """Read only when there is room for what comes, and anything may come."""
        if self._half_closed:
            return
        reads = not (self._waiting or self._unread or self._paused)
        if reads != self._reads and not self._transport.is_closing():
            self._reads = reads
            (self._transport.resume_reading if reads else self._transport.pause_reading)()

    def _upgrade(self, request: Incoming, rest: bytes) -> None:
        """From here on the connection is a WebSocket's, whose protocol reads the head once more. It
        knows nothing of an answer that is still to come, or that the other end does not read."""
        if self._busy or self._paused:
            self._refuse(RoomError(Code.BAD_REQUEST, "A WebSocket begins on a quiet connection"))
            return
        rest, self._unread = rest + self._unread, b""
        self._flow()
        self._connections.discard(self)
        self._let_go()
        made: Any = self._config.ws_protocol_class
        socket = made(config=self._config, server_state=self._state, app_state=self._app_state)
        socket.connection_made(self._transport)
        socket.data_received(request.head + rest)
        self._transport.set_protocol(socket)

    # Ends

    def _within(self, patience_s: float) -> float:
        """A caller's time. At the end of the server all that it may need fits into the server's: a
        third for a body, one for its answer, one to read that."""
        server_s = self._config.timeout_graceful_shutdown
        if not self._ends or server_s is None:
            return patience_s
        return min(patience_s, server_s / 3)

    def _read_no_more(self) -> None:
        """Hang up, when what was asked is answered."""
        self._last = True
        if not (self._busy or self._waiting):
            self._close()

    def _waited_enough(self) -> None:
        if self._parser.awaited:
            self._refuse(late())
        elif self._parser.head_too_large:
            self._refuse(head_too_large())
        else:
            self._read_no_more()

    def _look_at_reader(self) -> None:
        """Whoever takes nothing more keeps no memory."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and (self._ends or unsent >= self._unsent):
            self._transport.abort()
        elif unsent:
            self._unsent = unsent
            self._drained.set(STALLED_S)

    def _close(self) -> None:
        """Hang up, when what was said is sent."""
        self._last = True
        self._deadline.clear()
        self._transport.close()
        self._unsent = self._transport.get_write_buffer_size()
        if self._unsent:
            self._drained.set(self._within(STALLED_S))

    def _let_go(self) -> None:
        self._last = True
        self._waiting.clear()
        self._unread = b""
        self._deadline.close()
        self._drained.close()
        self._parser.close()
