"""HTTP/1.1 as bytes: a request to send, an answer to feed. No sockets and no clock."""

from __future__ import annotations

import httptools
import httpx

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


def request_bytes(request: httpx.Request) -> bytes:
    """The whole request, so that one `send` is enough."""
    target: bytes = request.extensions.get("target") or request.url.raw_path
    head = [b"%b %b HTTP/1.1" % (request.method.encode(), target)]
    head += [b"%b: %b" % header for header in request.headers.raw]
    return b"\r\n".join(head) + b"\r\n\r\n" + request.read()


class Answer:
    """An answer as it arrives; RemoteProtocolError for what is not HTTP or exceeds the limit.

    Methods named `on_…` are called by the parser.
    """

    def __init__(self, max_bytes: int) -> None:
        self.complete = False
        self.keep_alive = False
        self._headers_complete = False
        self._bytes_left = max_bytes
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._parser = httptools.HttpResponseParser(self)

    @property
    def response(self) -> httpx.Response:
        """The complete answer as httpx knows it."""
        body = httpx.ByteStream(bytes(self._body))
        return httpx.Response(self._status, headers=self._headers, stream=body)

    @property
    def _status(self) -> int:
        return int(self._parser.get_status_code())

    def feed(self, data: bytes) -> None:
        """Read what came; nothing means that the server has closed. Headers count to the limit."""
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise httpx.RemoteProtocolError("The answer is too large")
        if not data:
            return self._end()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise httpx.RemoteProtocolError(f"Not an HTTP answer: {error}") from error

    def _end(self) -> None:
        """Only an answer that announced no length may end by a close."""
        announced = any(name.lower() in _LENGTHS for name, _ in self._headers)
        if announced or not self._headers_complete:
            raise httpx.ReadError("The connection was closed before the answer was complete")
        self.complete = True

    def on_message_begin(self) -> None:
        """Whatever follows a complete answer was not asked for."""
        if self.complete:
            raise httpx.RemoteProtocolError("Two answers to one request")
        self._headers.clear()  # those of a 1xx, which comes before the answer proper

    def on_header(self, name: bytes, value: bytes) -> None:
        """Nothing encoded was asked for, and a few bytes of it may hide a great many."""
        if name.lower() == b"content-encoding":
            raise httpx.RemoteProtocolError("The answer is encoded")
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._headers_complete = self._status >= 200

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self.complete = self._status >= 200
        self.keep_alive = bool(self._parser.should_keep_alive())
