"""The service as an ASGI application: rooms' sockets, and a little HTTP."""

from __future__ import annotations

from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

from contracts import jsonio
from contracts.addresses import caller
from contracts.bodies import Receive, Send
from contracts.errors import Code, RoomError
from realtime.consumers import RoomConsumer
from realtime.engine.store import StorageUnavailable
from realtime.routing import http_application
from realtime.runtime import Runtime, runtime

SHARE_MIN = 20  # strangers that one address may have, however few there may be in all


async def sockets(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Foreign pages, strangers above the bounds, and whoever comes while the process ends, are
    refused at the handshake."""
    try:
        serving = await runtime()
    except StorageUnavailable:
        await refuse(scope, send, RoomError(Code.STORAGE_UNAVAILABLE))
        return
    if refusal := _refusal(serving, scope):
        await refuse(scope, send, refusal)
    else:
        scope["headers"] = []  # all that is kept of them would be kept as long as the socket
        await routes(scope, receive, send)


def _refusal(serving: Runtime, scope: dict[str, Any]) -> RoomError | None:
    """What a handshake is refused with, if it is. Notes the caller's address."""
    headers = headers_of(scope)
    peer, forwarded = (scope.get("client") or ("",))[0], headers.get(b"x-forwarded-for", "")
    address = scope["address"] = caller(peer, forwarded, serving.settings.trusted_proxies)
    if not _is_welcome_page(serving, headers):
        return RoomError(Code.FORBIDDEN, "Pages of this origin may not connect")
    if serving.draining or crowded(serving, address):
        return RoomError(Code.REALTIME_UNAVAILABLE)
    return None


def _is_welcome_page(serving: Runtime, headers: dict[bytes, str]) -> bool:
    """Whether the page that the browser names, if one asked, may connect."""
    origin, host = headers.get(b"origin"), headers.get(b"host", "").encode("latin-1")
    page = None if origin is None else origin.encode("latin-1")
    return serving.settings.origins.allow_socket(page, host)


def headers_of(scope: dict[str, Any]) -> dict[bytes, str]:
    """The headers; one that comes again goes on where it was."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    return headers


def crowded(serving: Runtime, address: str) -> bool:
    """Whether no stranger more may come in from there: an address has a tenth of all places."""
    strangers, places = serving.strangers, serving.settings.unauthenticated_sockets
    if len(strangers) >= places:
        return True
    share = max(places // 10, SHARE_MIN)
    if len(strangers) < share or not serving.settings.rate_limits:
        return False
    return sum(one.address == address for one in strangers) >= share


async def refuse(scope: dict[str, Any], send: Send, error: RoomError) -> None:
    """Answer a handshake as any other request; a server that can't say it answers 403."""
    if "websocket.http.response" in scope.get("extensions", {}):
        start = {"type": "websocket.http.response.start", "status": error.status}
        await send({**start, "headers": error.fields})
        await send({"type": "websocket.http.response.body", "body": jsonio.encode(error.body)})
    else:
        await send({"type": "websocket.close"})


routes = URLRouter(
    [
        re_path(r"^parties/(?P<party>[^/]+)/(?P<room_id>[^/]+)$", RoomConsumer.as_asgi()),
        re_path(r"", RoomConsumer.as_asgi()),  # no room is there, and it says so
    ]
)


application = ProtocolTypeRouter({"http": http_application, "websocket": sockets})
application.service = http_application  # a server of ours gives it whole requests
