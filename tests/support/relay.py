"""A network that loses answers: the request arrives, and the connection breaks on the way back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from socketserver import BaseRequestHandler, ThreadingTCPServer

CHUNK_BYTES = 65536


class Relay(ThreadingTCPServer):
    """Hands everything on to `upstream`, and back, as long as `answers_to_lose` is 0."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.answers_to_lose = 0
        self.lost: list[bytes] = []
        super().__init__(("127.0.0.1", port), Exchange)


class Exchange(BaseRequestHandler):
    """One connection of a caller, and the one to the service."""

    server: Relay

    def handle(self) -> None:
        with socket.create_connection(self.server.upstream) as upstream:
            threading.Thread(target=self.pass_on_requests, args=(upstream,), daemon=True).start()
            for answer in iter(partial(upstream.recv, CHUNK_BYTES), b""):
                if self.server.answers_to_lose:
                    self.server.answers_to_lose -= 1
                    self.server.lost.append(answer)
                    break
                self.request.sendall(answer)

    def pass_on_requests(self, upstream: socket.socket) -> None:
        with suppress(OSError):
            for request in iter(partial(self.request.recv, CHUNK_BYTES), b""):
                upstream.sendall(request)
            upstream.shutdown(socket.SHUT_WR)


@contextmanager
def relay(port: int, upstream: tuple[str, int]) -> Iterator[Relay]:
    """The network between a caller and `upstream`, entered at `port`."""
    with Relay(port, upstream) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
