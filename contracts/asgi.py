"""A service on any ASGI server: requests from its events, and responses as its events."""

from __future__ import annotations

from typing import Any

from contracts.bodies import CallerGone, Receive, Send, read_body
from contracts.errors import RoomError
from contracts.exchange import CLOSE, NO_BODY, Ends, Request, Response, Service


async def serve(service: Service, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one HTTP request, unless the caller goes away before it is whole."""
    request = request_of(scope)
    body_max = service.route(request)
    try:
        if body_max != NO_BODY:
            request.body = await read_body(receive, body_max)
    except CallerGone:
        return
    except RoomError as late:
        response = service.refusal(request, late).also(CLOSE)  # the rest may be on the way
    else:
        response = await service.respond(request)
    await _send(response, send, with_body=request.method != "HEAD")


def request_of(scope: dict[str, Any]) -> Request:
    """The request of a scope, without its body."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b"," + value if name in headers else value
    client, server = scope.get("client"), scope.get("server")
    ends = Ends(
        client and (client[0], client[1]),
        server and (server[0], server[1]),
        scope.get("scheme", "http"),
    )
    return Request(scope["method"], scope["path"], scope["query_string"], headers, ends)


def scope_of(request: Request) -> dict[str, Any]:
    """What ASGI calls a request; for what is made from a scope."""
    return {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "query_string": request.query,
        "headers": [*request.headers.items()],
        "client": request.ends.client,
        "server": request.ends.server,
        "scheme": request.ends.scheme,
    }


async def _send(response: Response, send: Send, *, with_body: bool) -> None:
    lines = (response.head + response.length).split(b"\r\n")[:-1]
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
