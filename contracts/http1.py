"""HTTP/1.1 as a caller reads it: answers to feed. No sockets and no clock."""

from __future__ import annotations

from typing import NamedTuple

import httptools
import httpx

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


class Answer(NamedTuple):
    """A complete answer. Header names are lower case; of equal ones the last is kept."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool  # whether the connection carries another exchange


class AnswerReader:
    """The answers on one connection, one after the other. Methods named `on_…` are called by the
    parser."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.answer: Answer | None = None  # when it is complete
        self._expected = False
        self._bytes_left = 0
        self._status = 0  # of the answer proper, once its headers are complete
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    def expect(self, max_bytes: int) -> None:
        """A request was sent; headers count to the limit of its answer."""
        self.answer = None
        self._expected = True
        self._bytes_left = max_bytes
        self._status = 0
        self._body = b""

    def feed(self, data: bytes) -> Answer | None:
        """Read what came; nothing means that the server has closed. Returns the answer when it is
        complete. Raises RemoteProtocolError for what is not HTTP, was not asked for or exceeds the
        limit, and ReadError when it breaks off."""
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise httpx.RemoteProtocolError("The answer is too large")
        if not data:
            return self._end()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise httpx.RemoteProtocolError(f"Not an HTTP answer: {error}") from error
        return self.answer

    def close(self) -> None:
        """Nothing more will be fed. The parser knows us, and we know it: nobody else ends that."""
        del self._parser

    def _end(self) -> Answer:
        """Only an answer that announced no length may end by a close."""
        if not self._status or _LENGTHS & self._headers.keys():
            raise httpx.ReadError("The connection was closed before the answer was complete")
        return Answer(self._status, self._headers, self._body, keep_alive=False)

    def on_message_begin(self) -> None:
        """Whatever follows a complete answer was not asked for."""
        if self.answer or not self._expected:
            raise httpx.RemoteProtocolError("Two answers to one request")
        self._headers = {}  # without those of a 1xx, which comes before the answer proper

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Nothing encoded was asked for, and a few bytes of it may hide a great many."""
        if b"content-encoding" in self._headers:
            raise httpx.RemoteProtocolError("The answer is encoded")
        status = self._parser.get_status_code()
        self._status = status if status >= 200 else 0

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if self._status:
            keep_alive = self._parser.should_keep_alive()
            self.answer = Answer(self._status, self._headers, self._body, keep_alive)
