"""Requests as they arrive: bytes in, whole requests out. No sockets and no clock.

What is no HTTP, or could be read in two ways, is refused: llhttp, which httptools wraps, takes
nothing that RFC 9112 does not allow (both framings at once, two lengths, folded lines, bare line
feeds). What it leaves open is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import httptools

from contracts.errors import Code, RoomError
from contracts.exchange import NO_BODY, Ends, Request
from contracts.incidents import report

PIECE_BYTES = 16 * 1024  # fed at a time; limits are looked at between two pieces
HEAD_MAX_BYTES = 16 * 1024
HEAD_READ_MAX_BYTES = 64 * 1024  # of a head that is refused as too large: it may name an Origin
HEADERS_MAX = 100
FRAMING_MAX_BYTES = 64 * 1024  # of a body's chunks, beside what is in them
IGNORED_MAX_BYTES = 2 * 1024 * 1024  # of a body that nobody wants to read


class Incoming(Request):
    """A request, and what its connection has to know of it."""

    __slots__ = ("expects", "keep_alive", "refusal", "target")

    target: bytes  # path and query, as they were sent
    keep_alive: bool  # whether another request may follow
    expects: bool  # the caller waits to be asked for the body
    refusal: RoomError | None  # what the protocol itself has to say, so that no service is asked

    @property
    def head(self) -> bytes:
        """The request as it was sent, but for names' case, what stood around values, and the host
        of a target that was a whole URL."""
        lines = [b"%b %b HTTP/1.1" % (self.method.encode(), self.target)]
        lines += [b"%b: %b" % header for header in self.headers.items()]
        return b"\r\n".join(lines) + b"\r\n\r\n"


class RequestParser:
    """Feed it what a connection reads. Methods named `on_…` are called by httptools."""

    def __init__(
        self,
        ends: Ends,
        route: Callable[[Incoming], int],
        take: Callable[[Incoming], None],
        *,
        sockets: bool,
    ) -> None:
        """`route` says how long a request's body may be (see Service), and `take` gets each request
        that is whole, or as whole as it needs to be. `sockets`: WebSockets have a place to go."""
        self.ends = ends
        self._route = route
        self._take = take
        self._sockets = sockets
        self.begun = False  # and not complete
        self.stage = 0  # counts messages and their heads: when it moves, there was progress
        self.head_too_large = False  # which is said when the head is complete
        self.upgrade: Incoming | None = None  # a WebSocket's handshake, complete
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated = 0
        self._request: Incoming | None = None  # whose body is on the way
        self._body = bytearray()  # so far: with bytes, each of its chunks would copy all before it
        self._body_max = 0
        self._taken = True  # the request, or there is none
        self._fed = 0  # bytes since the last progress

    def close(self) -> None:
        """Feed nothing more. Ends the reference cycles with httptools' parser and the connection,
        which would wait for the garbage collector."""
        del self._parser, self._route, self._take

    @property
    def in_body(self) -> bool:
        """Whether a head is complete, and its body is not."""
        return self.begun and self._request is not None

    @property
    def in_rest(self) -> bool:
        """Whether a request was taken before its body was complete, and that goes on."""
        return self.in_body and self._taken

    @property
    def awaited(self) -> Incoming | None:
        """The request whose body is missing."""
        return None if self._taken else self._request

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers so far of the request that is on its way."""
        return self._headers if self.begun else {}

    def feed(self, data: bytes) -> bytes:
        """Read up to PIECE_BYTES. Returns what follows a WebSocket's handshake. Raises RoomError:
        then nothing more can be read."""
        rest = self._read(data)
        while rest and not self.upgrade:
            rest = self._read(rest)
        return rest

    def _read(self, data: bytes) -> bytes:
        """Returns what is still to be read, after a head that offers an upgrade."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._head_again() + data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            raise _reason(error) from None
        except httptools.HttpParserError:
            raise _no_http() from None
        if self.begun:
            self._bound(len(data))
        return b""

    def _head_again(self) -> bytes:
        """The head of a request whose upgrade is not taken, without the offer, and for a new
        parser: behind an offer httptools reads no body, and may take the connection for ended."""
        if self.upgrade:
            return b""
        line = b"%b %b HTTP/%b" % (
            self._parser.get_method(),
            self._target,
            self._parser.get_http_version().encode(),
        )
        self._parser = httptools.HttpRequestParser(self)
        headers = self._headers.items()
        lines = [b"%b: %b" % header for header in headers if header[0] != b"upgrade"]
        return b"\r\n".join([line, *lines, b"", b""])

    def _bound(self, more: int) -> None:
        self._fed += more
        if self._request is None:
            self._bound_head()
        elif self._taken:
            if self._fed > IGNORED_MAX_BYTES:
                raise RoomError(Code.PAYLOAD_TOO_LARGE)
        elif self._fed - len(self._body) > FRAMING_MAX_BYTES:
            raise RoomError(Code.PAYLOAD_TOO_LARGE)

    def _bound_head(self) -> None:
        if self._fed > HEAD_READ_MAX_BYTES:
            raise head_too_large()
        if self._fed > HEAD_MAX_BYTES and not self.head_too_large:
            self._refuse_head()

    def _refuse_head(self) -> None:
        """Not at once: what is left of the head may name the Origin of the page that asks."""
        self.head_too_large = True
        self.stage += 1

    def on_message_begin(self) -> None:
        self.begun = True
        self.stage += 1
        self._fed = 0
        self._target = b""
        self._headers = {}
        self._repeated = 0
        self._request = None
        self._taken = False

    def on_url(self, url: bytes) -> None:
        if not self.head_too_large:
            self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._request:
            return  # a trailer, which nobody looks at
        name, headers = name.lower(), self._headers
        if name in headers:
            self._repeat(name, value)
        elif len(headers) < HEADERS_MAX or name == b"origin":
            headers[name] = value
        elif not self.head_too_large:
            self._refuse_head()

    def _repeat(self, name: bytes, value: bytes) -> None:
        self._repeated += 1
        if name == b"host" or self._repeated > HEADERS_MAX:
            raise RoomError(Code.BAD_REQUEST, "A header came too often")
        self._headers[name] += (b"; " if name == b"cookie" else b",") + value

    def on_headers_complete(self) -> None:
        if self.head_too_large:
            raise head_too_large()
        headers = self._headers
        request = self._request = self._made(headers)
        self.stage += 1
        self._fed = 0
        if self._parser.should_upgrade():
            self._upgrade(request)
        elif _has_body(headers):
            self._expect_body(request)
        else:
            self._route(request)

    def on_body(self, body: bytes) -> None:
        if self._taken:
            return
        assert self._request is not None  # noqa: S101  its head is complete
        self._body += body
        if len(self._body) > self._body_max:
            self._hand_over(self._request)

    def on_message_complete(self) -> None:
        self.begun = False
        if not self._taken:
            assert self._request is not None  # noqa: S101  its head is complete
            self._hand_over(self._request)

    def _made(self, headers: dict[bytes, bytes]) -> Incoming:
        parser, version = self._parser, self._parser.get_http_version()
        target = _origin_form(self._target)
        path, _, query = target.partition(b"?")
        method = parser.get_method().decode()
        request = Incoming(method, _unquoted(path), query, headers, self.ends)
        request.target = target
        request.keep_alive = version == "1.1" and parser.should_keep_alive()
        request.expects = False
        request.refusal = None
        if version not in ("1.1", "1.0") or method == "CONNECT":
            raise RoomError(Code.BAD_REQUEST, "This server speaks HTTP/1.1 and is no proxy")
        return request

    def _expect_body(self, request: Incoming) -> None:
        """A coding that nobody undoes here is refused; a list of several is."""
        if request.headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise RoomError(Code.BAD_REQUEST, "This server reads no such Transfer-Encoding")
        waits = request.headers.get(b"expect", b"").lower() == b"100-continue"
        request.expects = waits and self._parser.get_http_version() == "1.1"
        self._body_max = self._route(request)
        if self._body_max == NO_BODY:
            request.keep_alive = request.keep_alive and not request.expects
            self._hand_over(request)

    def _upgrade(self, request: Incoming) -> None:
        """Take a WebSocket's handshake. Any other offer is ignored: the request is read again."""
        self._taken = True
        if self._sockets and self._asks_for_socket(request):
            self.upgrade = request

    def _asks_for_socket(self, request: Incoming) -> bool:
        """By GET without a body, and in HTTP/1.1: an older one has no upgrades (RFC 9110, 7.8; RFC
        6455, 4.1)."""
        if request.headers.get(b"upgrade", b"").lower() != b"websocket" or request.method != "GET":
            return False
        return self._parser.get_http_version() == "1.1" and not _has_body(request.headers)

    def _hand_over(self, request: Incoming) -> None:
        self._taken = True
        if self._body:
            request.body, self._body = bytes(self._body), bytearray()
        self._take(request)


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return bool(b"transfer-encoding" in headers or headers.get(b"content-length", b"").strip(b"0"))


def _origin_form(target: bytes) -> bytes:
    """Path and query of a request's target, which may be a whole URL."""
    if target.startswith(b"/") and b"#" not in target:
        return target
    url = httptools.parse_url(target)
    path = url.path or b"/"
    return b"%b?%b" % (path, url.query) if url.query else path


def _unquoted(path: bytes) -> str:
    text = path.decode("ascii")
    return unquote(text) if "%" in text else text


def _reason(error: httptools.HttpParserCallbackError) -> RoomError:
    """What a callback raised: its own refusal, what a parser of URLs said, or a bug of ours."""
    match error.__context__:
        case RoomError() as refusal:
            return refusal
        case httptools.HttpParserError() | UnicodeError():
            return _no_http()
        case bug:
            return report(bug or error, "http")


def _no_http() -> RoomError:
    return RoomError(Code.BAD_REQUEST, "This is no HTTP request")


def head_too_large() -> RoomError:
    return RoomError(Code.PAYLOAD_TOO_LARGE, "The head of the request is too large", status=431)
