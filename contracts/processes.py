"""The realtime processes as their caller knows them, and what is asked of them."""

from __future__ import annotations

from typing import NamedTuple

import httpx

from contracts.connection import Origin, origin_of


class Call(NamedTuple):
    """A request to a process, which can be sent again, and the id that its answer must be about.

    A POST always shows the service key; a GET does if `shows_key`.
    """

    method: str
    path: str
    about: str = ""
    body: bytes = b""
    shows_key: bool = False


class Process(NamedTuple):
    """A realtime process: its server, and what all requests to it have in common."""

    origin: Origin
    netloc: str
    base_path: str
    heads: dict[str, bytes]  # header lines by method
    key_line: bytes

    @classmethod
    def at(cls, url: httpx.URL, service_key: str) -> Process:
        """The process that answers at `url`, which is shown the key where it wants one."""
        host, secret = b"Host: " + url.netloc, b"Authorization: Bearer " + service_key.encode()
        post = b"\r\n".join([host, secret, b"Content-Type: application/json"])
        heads = {"GET": host, "POST": post}
        return cls(origin_of(url), url.netloc.decode(), url.path.rstrip("/"), heads, secret)

    def request(self, call: Call) -> bytes:
        """The whole request, so that one write is enough."""
        method, target, body = call.method, self.base_path + call.path, call.body
        line, head = f"{method} {target} HTTP/1.1\r\n".encode(), self.heads[method]
        if call.shows_key:
            head += b"\r\n" + self.key_line
        return b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (line, head, len(body), body)
