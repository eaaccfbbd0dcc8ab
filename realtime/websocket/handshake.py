"""The opening handshake of RFC 6455, as a server sees it: a request's head, and the answers."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from hashlib import sha1
from http import HTTPStatus
from typing import NamedTuple, TypeAlias

from contracts.errors import Code, RoomError

Headers: TypeAlias = list[tuple[bytes, bytes]]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION = b"13"
_REFUSALS = {
    HTTPStatus.BAD_REQUEST: Code.BAD_REQUEST,
    HTTPStatus.FORBIDDEN: Code.FORBIDDEN,
    HTTPStatus.UPGRADE_REQUIRED: Code.UPGRADE_REQUIRED,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: Code.PAYLOAD_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR: Code.INTERNAL_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.REALTIME_UNAVAILABLE,
}
_OTHER_VERSION = "This server speaks version 13 of the WebSocket protocol"
_KEY_BYTES = 16
_OURS = (b"content-length", b"connection", b"upgrade")  # of an answer: not the application's


class BadHandshake(Exception):
    """A request that opens no WebSocket. `status` is the HTTP answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class Opening(NamedTuple):
    """A request to open a WebSocket."""

    path: bytes  # as it came, still quoted
    query: bytes
    headers: Headers  # names in lower case, in their order
    key: bytes
    subprotocols: list[str]


def read(head: bytes) -> Opening:
    """A request's head, up to its empty line, that an HTTP parser has passed. Raises BadHandshake:
    400, or 426 for a version that is not 13."""
    request, *lines = head.split(b"\r\n")
    target = request.split(b" ")[1]
    path, _, query = target.partition(b"?")
    headers = [_header(line) for line in lines if line]
    return Opening(path, query, headers, _key(request, headers), _subprotocols(headers))


def accept(key: bytes, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """101: from here on both sides speak frames."""
    proof = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    fields = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")]
    fields.append((b"Sec-WebSocket-Accept", proof))
    if subprotocol:
        fields.append((b"Sec-WebSocket-Protocol", subprotocol.encode("latin-1")))
    return _head(HTTPStatus.SWITCHING_PROTOCOLS, [*fields, *headers])


def refuse(status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b"") -> bytes:
    """Any other answer; the connection ends with it."""
    fields = [field for field in headers if field[0].lower() not in _OURS]
    fields += [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    if status == HTTPStatus.UPGRADE_REQUIRED:
        fields += [(b"upgrade", b"websocket"), (b"sec-websocket-version", _VERSION)]
    return _head(HTTPStatus(status), fields) + body


def refusal(status: HTTPStatus) -> RoomError:
    """Why a handshake is refused that no application has judged."""
    version = status == HTTPStatus.UPGRADE_REQUIRED
    return RoomError(_REFUSALS[status], _OTHER_VERSION if version else "", status=status)


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.lower(), value.strip(b" \t")


def _key(request: bytes, headers: Headers) -> bytes:
    """The key of a request that has all that a handshake needs."""
    fields = dict(headers)
    tokens = [one.strip() for one in _joined(headers, b"connection").lower().split(b",")]
    upgrades = fields.get(b"upgrade", b"").lower() == b"websocket" and b"upgrade" in tokens
    if not (request.startswith(b"GET ") and upgrades and b"host" in fields):
        raise BadHandshake(HTTPStatus.BAD_REQUEST)
    if fields.get(b"sec-websocket-version") != _VERSION:
        raise BadHandshake(HTTPStatus.UPGRADE_REQUIRED)
    key = _joined(headers, b"sec-websocket-key")
    if _decoded_bytes(key) != _KEY_BYTES:
        raise BadHandshake(HTTPStatus.BAD_REQUEST)
    return key


def _decoded_bytes(key: bytes) -> int:
    try:
        return len(b64decode(key, validate=True))
    except NotBase64:
        return 0


def _subprotocols(headers: Headers) -> list[str]:
    offered = _joined(headers, b"sec-websocket-protocol").decode("latin-1")
    return [name for one in offered.split(",") if (name := one.strip())]


def _joined(headers: Headers, name: bytes) -> bytes:
    """A header's value; one that comes again goes on where it was."""
    return b",".join([value for key, value in headers if key == name])


def _head(status: HTTPStatus, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [name + b": " + value for name, value in fields]
    return b"\r\n".join([*lines, b"", b""])
