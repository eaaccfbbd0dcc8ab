"""An HTTP request and its answer, as both services know them, whatever server speaks the protocol.

A server hands over whole requests and takes whole responses: bodies are small here, and what is
whole needs no events, no waiting for parts and one write.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from contracts import jsonio
from contracts.errors import RoomError

JSON_HEAD = b"content-type: application/json\r\n"
CLOSE = b"connection: close\r\n"
NO_CONTENT = frozenset({204, 304})  # neither a body nor its length
NO_BODY = -1


class Ends(NamedTuple):
    """The two ends of a connection as addresses, where they have any, and its scheme."""

    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    scheme: str


class Request:
    """One request. `path` is percent-decoded, header names are lower case, and a header that came
    several times is one with commas between its values."""

    __slots__ = ("body", "ends", "headers", "method", "path", "query", "route")

    def __init__(
        self, method: str, path: str, query: bytes, headers: dict[bytes, bytes], ends: Ends
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.ends = ends
        self.body = b""  # whole, or as much of it as shows that it is longer than it may be
        self.route: Any = None  # what the service found at the path

    def header(self, name: bytes) -> bytes:
        """A header's value, or nothing."""
        return self.headers.get(name, b"")

    @property
    def client(self) -> str:
        """The address of whoever is connected, or nothing."""
        return self.ends.client[0] if self.ends.client else ""


class Response(NamedTuple):
    """An answer. `head` holds its header lines, each with its line end: no Content-Length."""

    status: int
    head: bytes
    body: bytes = b""
    announced: int | None = None  # bytes of the body that HEAD was spared making

    def also(self, *lines: bytes) -> Response:
        """The same with more header lines."""
        status, head, body, announced = self
        return Response(status, b"".join((head, *lines)), body, announced)

    @property
    def length(self) -> bytes:
        """The line that says how long the body is, where there may be one."""
        if self.status in NO_CONTENT:
            return b""
        size = len(self.body) if self.announced is None else self.announced
        return b"content-length: %d\r\n" % size


class Service(Protocol):
    """What answers requests."""

    def route(self, request: Request) -> int:
        """Look at a request whose body is still to come, and may leave in `request.route` what is
        at its path. Returns how many bytes of body are worth reading; of a longer one
        `request.body` has at least one byte more. NO_BODY: none, answer at once. Never raises."""

    async def respond(self, request: Request) -> Response:
        """The answer. Raises nothing: a failure is an answer, too."""

    def refusal(self, request: Request, error: RoomError) -> Response:
        """Return the answer to a request that is refused without asking the service.

        A request that can't be read has no path, and only those headers that came.
        """


def refused(error: RoomError) -> Response:
    """A refusal as its canonical answer."""
    lines = [f"{name.lower()}: {value}\r\n".encode() for name, value in error.headers.items()]
    return Response(error.status, JSON_HEAD + b"".join(lines), jsonio.encode(error.body))
