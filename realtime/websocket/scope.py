"""What an application is told of a WebSocket's request: the scope of ASGI's specification 2.4."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from uvicorn.config import Config

from realtime.websocket.handshake import Opening


def scope_of(opening: Opening, transport: asyncio.Transport, config: Config) -> dict[str, Any]:
    """All but `state` and `extensions`."""
    root, path = config.root_path, opening.path
    secure = transport.get_extra_info("sslcontext") is not None
    return {
        "type": "websocket",
        "asgi": {"version": config.asgi_version, "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss" if secure else "ws",
        "server": _address(transport, "sockname"),
        "client": _address(transport, "peername"),
        "root_path": root,
        "path": root + unquote(path.decode("latin-1")),
        "raw_path": root.encode() + path,
        "query_string": opening.query,
        "headers": opening.headers,
        "subprotocols": opening.subprotocols,
    }


def _address(transport: asyncio.Transport, end: str) -> tuple[str, int] | None:
    """One end's host and port; a Unix socket has none."""
    found = transport.get_extra_info(end)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
