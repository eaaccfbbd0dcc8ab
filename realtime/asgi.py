"""The service as an ASGI application: rooms' sockets, and a little HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

from realtime.consumers import RoomConsumer
from realtime.http import http_application
from realtime.runtime import runtime

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def refuse(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Close before accepting, which a client sees as 403."""
    await send({"type": "websocket.close"})


async def sockets(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Pages of foreign origins are refused at the handshake, before anything else."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    origins = (await runtime()).origins
    allowed = origins.allow(headers.get(b"origin"), headers.get(b"host", ""))
    await (routes if allowed else refuse)(scope, receive, send)


routes = URLRouter(
    [
        re_path(r"^parties/(?P<party>[^/]+)/(?P<room_id>[^/]+)$", RoomConsumer.as_asgi()),
        re_path(r"", RoomConsumer.as_asgi()),  # no room is there, and it says so
    ]
)
application = ProtocolTypeRouter({"http": http_application, "websocket": sockets})
