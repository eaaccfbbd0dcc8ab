"""The service as an ASGI application: rooms' sockets, and a little HTTP."""

from __future__ import annotations

from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

from contracts.bodies import Receive, Send
from realtime.consumers import RoomConsumer
from realtime.engine.store import StorageUnavailable
from realtime.routing import http_application
from realtime.runtime import runtime


async def sockets(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Foreign pages, and strangers above the bound, are refused at the handshake."""
    try:
        serving = await runtime()
    except StorageUnavailable:
        await refuse(scope, send, 503)
        return
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if not serving.origins.allow(headers.get(b"origin"), headers.get(b"host", "")):
        await refuse(scope, send, 403)
    elif len(serving.strangers) >= serving.settings.unauthenticated_sockets:
        await refuse(scope, send, 503)
    else:
        await routes(scope, receive, send)


async def refuse(scope: dict[str, Any], send: Send, status: int) -> None:
    """Answer a handshake with an HTTP status; a server that can't say it answers 403."""
    if "websocket.http.response" in scope.get("extensions", {}):
        start = {"type": "websocket.http.response.start", "status": status, "headers": []}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close"})


routes = URLRouter(
    [
        re_path(r"^parties/(?P<party>[^/]+)/(?P<room_id>[^/]+)$", RoomConsumer.as_asgi()),
        re_path(r"", RoomConsumer.as_asgi()),  # no room is there, and it says so
    ]
)
application = ProtocolTypeRouter({"http": http_application, "websocket": sockets})
