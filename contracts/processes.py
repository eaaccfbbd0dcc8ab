"""The realtime processes as their caller knows them, and what is asked of them."""

from __future__ import annotations

from typing import NamedTuple

import httpx

JSON = (b"Content-Type", b"application/json")


class Call(NamedTuple):
    """What is asked, and the id of what its answer must be about; a call can be sent again."""

    method: str
    path: str
    about: str = ""
    body: bytes = b""


class Process(NamedTuple):
    """A realtime process: its URL, the path of it, and the headers by method."""

    url: httpx.URL
    base_path: str
    headers: dict[str, list[tuple[bytes, bytes]]]

    @classmethod
    def at(cls, url: httpx.URL, service_key: str) -> Process:
        """The process that answers at `url`, which is shown the key where it wants one."""
        host, secret = (b"Host", url.netloc), b"Bearer " + service_key.encode()
        headers = {"GET": [host], "POST": [host, (b"Authorization", secret), JSON]}
        return cls(url, url.path.rstrip("/"), headers)

    def request(self, call: Call, deadline: float) -> httpx.Request:
        """For the transport itself: the cookies, redirects, proxies and hooks of AsyncClient are
        nothing we want, and with the parsing of a URL per call they double its cost."""
        length = (b"Content-Length", b"%d" % len(call.body))
        return httpx.Request(
            call.method,
            self.url,
            headers=[*self.headers[call.method], length],
            stream=httpx.ByteStream(call.body),
            extensions={"target": (self.base_path + call.path).encode(), "deadline": deadline},
        )
