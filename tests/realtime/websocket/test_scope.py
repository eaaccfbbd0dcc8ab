"""What an application is told of a WebSocket's request."""

from __future__ import annotations

import asyncio

import pytest
from uvicorn.config import Config

from realtime.websocket import handshake
from realtime.websocket.scope import scope_of
from tests.support.visits import HANDSHAKE


class Ends(asyncio.Transport):
    """A connection of which only its ends are asked."""

    def __init__(self, **ends: object) -> None:
        super().__init__()
        self._ends = ends

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._ends.get(name, default)


def scope(transport: Ends, target: bytes = b"/parties/chat/K7PQ2M?_pk=1", root: str = "") -> dict:
    head = HANDSHAKE.replace(b"/parties/chat/K7PQ2M?_pk=1", target).partition(b"\r\n\r\n")[0]
    config = Config("nobody:asks", interface="asgi3", root_path=root, log_config=None)
    return scope_of(handshake.read(head), transport, config)


def test_both_ends_are_named_and_the_path_is_unquoted():
    ends = Ends(sockname=("::1", 1999, 0, 0), peername=("10.0.0.2", 4711))
    told = scope(ends, b"/parties/chat/%4B7?a=%20", root="/rooms")
    assert (told["server"], told["client"]) == (("::1", 1999), ("10.0.0.2", 4711))
    assert (told["path"], told["raw_path"]) == (
        "/rooms/parties/chat/K7",
        b"/rooms/parties/chat/%4B7",
    )
    assert told["query_string"] == b"a=%20"


@pytest.mark.parametrize(("tls", "scheme"), [(None, "ws"), (object(), "wss")])
def test_the_scheme_says_whether_it_is_encrypted(tls, scheme):
    assert scope(Ends(sslcontext=tls))["scheme"] == scheme


def test_a_unix_socket_has_no_host_and_port():
    told = scope(Ends(sockname="/run/rooms.sock", peername=""))
    assert told["server"] is None
    assert told["client"] is None
