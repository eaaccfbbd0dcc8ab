"""Realtime services that misbehave, each with the name of its fault. Real sockets, real bytes."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import contextmanager

PACE_S = 0.02  # between the bytes of a trickle
SECRET = "s3cret-of-a-stranger"


class FaultyRealtime:
    """A server in a thread. `fault(connection, server)` is called for each request it reads."""

    def __init__(
        self,
        fault: Callable[[socket.socket, FaultyRealtime], None],
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.fault = fault
        self._tls = tls
        self.requests: list[bytes] = []
        self.connections = self.ended = 0
        self.closing = threading.Event()
        # Hundreds may connect at once, and who is not taken up at once asks again after a second.
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._open: list[socket.socket] = []
        scheme = "https" if tls else "http"
        host, port, *_ = self._listener.getsockname()
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def __enter__(self) -> FaultyRealtime:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while request := connection.recv(65536):
                self.requests.append(request)
                self.fault(connection, self)
        except OSError:
            pass
        self.ended += 1


def answer(status: str, body: bytes, content_type: str = "application/json") -> bytes:
    """A complete HTTP answer."""
    headers = f"content-type: {content_type}\r\ncontent-length: {len(body)}"
    return f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body


def refusal(status: str, code: str) -> bytes:
    """An error body of the canonical shape, with a stranger's words in it."""
    return answer(status, json.dumps({"error": {"code": code, "message": SECRET}}).encode())


def admission(room_id: str = "ROOM23") -> bytes:
    """What a healthy service says to a register."""
    return json.dumps(
        {
            "ok": True,
            "roomId": room_id,
            "settings": {"playerCap": 8},
            "matchPhase": "lobby",
            "phase": "lobby",
            "counts": {"players": 1, "spectators": 0},
        }
    ).encode()


def says(raw: bytes) -> Callable[[socket.socket, FaultyRealtime], None]:
    """Always the same bytes."""
    return lambda connection, server: connection.sendall(raw)


def silent(connection: socket.socket, server: FaultyRealtime) -> None:
    """Reads, and never says a word."""


def _trickle(connection: socket.socket, server: FaultyRealtime, raw: bytes) -> None:
    for byte in raw:
        if server.closing.wait(PACE_S):
            return
        connection.sendall(bytes([byte]))


def slow_headers(connection: socket.socket, server: FaultyRealtime) -> None:
    """A header that goes on and on, a byte at a time."""
    _trickle(connection, server, b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 10_000)


def trickling(connection: socket.socket, server: FaultyRealtime) -> None:
    """Headers at once, then the body a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
    _trickle(connection, server, b"{" * 10_000)


def hangs_up(connection: socket.socket, server: FaultyRealtime) -> None:
    """Closes without an answer."""
    connection.shutdown(socket.SHUT_RDWR)


def half_an_answer(connection: socket.socket, server: FaultyRealtime) -> None:
    """Closes in the middle of the body."""
    connection.sendall(answer("200 OK", admission())[:-10])
    connection.shutdown(socket.SHUT_RDWR)


def closes_after_each(connection: socket.socket, server: FaultyRealtime) -> None:
    """Answers well, promises to keep the connection, and closes it."""
    connection.sendall(answer("200 OK", admission()))
    connection.shutdown(socket.SHUT_RDWR)


def ten_megabytes(connection: socket.socket, server: FaultyRealtime) -> None:
    """An answer without end, for practical purposes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n")
    for _ in range(160):
        connection.sendall(b" " * 65536)


def _redirect(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()


GARBAGE: dict[str, Callable[[socket.socket, FaultyRealtime], None]] = {
    "html": says(answer("200 OK", f"<html>{SECRET}</html>".encode(), "text/html")),
    "html with status 502": says(answer("502 Bad Gateway", f"<p>{SECRET}".encode(), "text/html")),
    "broken json": says(answer("200 OK", f'{{"roomId": "{SECRET}'.encode())),
    "not utf-8": says(answer("200 OK", b'{"roomId": "\xff\xfe"}')),
    "wrong shape": says(answer("200 OK", f'{{"status": "{SECRET}"}}'.encode())),
    "an array": says(answer("200 OK", f'["{SECRET}"]'.encode())),
    "wrong room id": says(answer("200 OK", admission(SECRET))),
    "settings that are none": says(
        answer("200 OK", admission().replace(b'{"playerCap": 8}', b"null"))
    ),
    "204": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "302": says(_redirect(f"http://127.0.0.1:9/{SECRET}")),
    "500": says(answer("500 Internal Server Error", f"Traceback: {SECRET}".encode(), "text/plain")),
    "canonical 500": says(refusal("500 Internal Server Error", "INTERNAL_ERROR")),
    "canonical body, other status": says(refusal("400 Bad Request", "ROOM_FULL")),
    "unknown code": says(refusal("409 Conflict", "WAT")),
    "ten megabytes": ten_megabytes,
    "a gzipped body": says(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"
    ),
    "two answers to one request": says(answer("200 OK", admission()) * 2),
    "no http": says(f"220 {SECRET} ESMTP\r\n".encode()),
}


@contextmanager
def refused():
    """The address of a port that nobody listens on."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"
