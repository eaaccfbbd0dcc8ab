"""What a server reads of RFC 6455: bytes in, whole messages and control frames out. Pure."""

from __future__ import annotations

from typing import Final, TypeAlias

from contracts.sockets import Close

try:
    from websockets.speedups import apply_mask
except ImportError:  # where no wheel has it: the same in Python, many times as slow
    from websockets.utils import apply_mask

# Opcodes. Plain integers: to compare members of an enum would cost as much as to unmask a frame.
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

CONTROL_MAX_BYTES: Final = 125  # of a control frame's payload

Received: TypeAlias = tuple[int, bytes]  # opcode, payload

_FINAL, _CONTROL, _OPCODE = 0x80, 0x08, 0x0F  # in a frame's first byte
_MASKED, _LENGTH = 0x80, 0x7F  # in its second one
_LENGTH_BYTES = {126: 2, 127: 8}  # of a length that stands behind those two
_LONGEST_HEADER = 14

# What a frame may begin with. All else is a reserved bit or opcode, a control frame in fragments,
# or a fragment that belongs to no message.
_FINAL_TEXT: Final = _FINAL | TEXT
_CONTROLS = bytes([_FINAL | CLOSE, _FINAL | PING, _FINAL | PONG])
_BETWEEN_MESSAGES = _CONTROLS + bytes([TEXT, BINARY, _FINAL | TEXT, _FINAL | BINARY])
_WITHIN_A_MESSAGE = _CONTROLS + bytes([0, _FINAL])

# The codes that a peer may close with: the protocol's own, and those of applications.
_PROTOCOL_CODES = frozenset({*range(1000, 1004), *range(1007, 1015)})
_APPLICATION_CODES = range(3000, 5000)


class Reader:
    """RFC 6455, what a server reads. Bytes in, whole messages and control frames out.

    It keeps the fragments of one message and the beginning of one frame: together never more than
    `max_bytes` and a header. An idle reader keeps nothing.
    """

    __slots__ = (
        "_held",
        "_max_bytes",
        "_message",
        "_need",
        "_opcode",
        "closed",
        "failed",
        "fragments",
    )

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes` is the limit of a message, and so of each of its frames."""
        self._max_bytes = max_bytes
        self._held: bytearray | None = None  # the beginning of a frame
        self._need = 0  # with so many bytes of that frame there is more to say
        self._message: bytearray | None = None  # the fragments so far
        self._opcode = 0  # and what they are fragments of
        self.failed = 0  # the close code, once the stream can't be read any further
        self.fragments = 0  # since somebody took their number: they may be many, and no message
        self.closed = False  # the peer's CLOSE was read: what comes after it means nothing

    def feed(self, data: bytes) -> list[Received]:
        """Take what has arrived. Returns what is whole now, in order. Never raises."""
        received: list[Received] = []
        if self.failed or self.closed:
            return received
        if self._held is not None:
            data = self._with_held(self._held, data)
        at, size = 0, len(data)
        try:
            while at < size:
                if self._message is None:
                    at = _read_texts(data, at, self._max_bytes, received)
                if at < size:
                    at = self._read_frame(data, at, received)
        except _Incomplete as frame:
            self._held, self._need = bytearray(memoryview(data)[at:]), frame.need
        except _Broken as stream:
            self.failed, self._message = stream.code, None
        return received

    def take_fragments(self) -> int:
        """The number of fragments since this was asked last."""
        fragments, self.fragments = self.fragments, 0
        return fragments

    def _with_held(self, held: bytearray, data: bytes) -> bytes:
        """A frame from its beginning, and what follows it; nothing, while that says no more."""
        if len(held) + len(data) < self._need:
            held += data
            return b""
        self._held, self._need = None, 0
        return b"".join((held, data))

    def _read_frame(self, data: bytes, at: int, received: list[Received]) -> int:
        """Read a frame of any kind. Returns where to go on. Raises _Incomplete and _Broken."""
        header, length = self._measure(data[at : at + _LONGEST_HEADER])
        body, end = at + header, at + header + length
        if end > len(data):
            raise _Incomplete(header + length)
        payload = apply_mask(data[body:end], data[body - 4 : body])
        first = data[at]
        if first & _CONTROL:
            received.append(self._control(first & _OPCODE, payload))
        elif first & _FINAL:
            received.append(self._finished(first & _OPCODE, payload))
        else:
            self._keep(first & _OPCODE, payload)
        return len(data) if self.closed else end

    def _measure(self, head: bytes) -> tuple[int, int]:
        """How long a frame's header and its payload are. Raises _Incomplete and _Broken."""
        if head[0] not in (_BETWEEN_MESSAGES if self._message is None else _WITHIN_A_MESSAGE):
            raise _Broken(Close.PROTOCOL_ERROR)
        header, length = _lengths(head)
        if not head[0] & _CONTROL and length + len(self._message or b"") > self._max_bytes:
            raise _Broken(Close.TOO_LARGE)
        return header, length

    def _control(self, opcode: int, payload: bytes) -> Received:
        """A control frame, if it may be. Raises _Broken."""
        if opcode == CLOSE:
            _check_close(payload)
            self.closed, self._message = True, None
        return opcode, payload

    def _finished(self, opcode: int, payload: bytes) -> Received:
        """A message, now that its last frame is here. Raises _Broken."""
        if self._message is not None:
            self._message += payload
            opcode, payload, self._message = self._opcode, bytes(self._message), None
        if opcode == TEXT:
            _check_text(payload)
        return opcode, payload

    def _keep(self, opcode: int, payload: bytes) -> None:
        """Keep a fragment, copied behind the others: endless empty ones take no room."""
        if self._message is None:
            self._opcode, self._message = opcode, bytearray()
        self.fragments += 1
        self._message += payload


class _Incomplete(Exception):
    """A frame of which more must be here: `need` bytes of it."""

    def __init__(self, need: int) -> None:
        self.need = need


class _Broken(Exception):
    """A stream that can't be read any further, and the close code that says why."""

    def __init__(self, code: Close) -> None:
        self.code = code


def close_code(payload: bytes) -> int | None:
    """The code of a CLOSE that a reader let through; None if its sender gave none."""
    return int.from_bytes(payload[:2], "big") if payload else None


def close_reason(payload: bytes) -> str:
    """What else that CLOSE says."""
    return payload[2:].decode()


def _read_texts(data: bytes, at: int, max_bytes: int, received: list[Received]) -> int:
    """Read the frames that nearly all are: texts in one piece, shorter than 64 KiB, all here, and
    good. Returns where another begins. `_read_frame` reads these too, at three times the cost.
    """
    size = len(data)
    while at + 8 < size and data[at] == _FINAL_TEXT:
        length = data[at + 1] - _MASKED  # negative: it isn't masked
        body = at + 6
        if length > 125:
            if length == 127:
                break
            length = data[at + 2] << 8 | data[at + 3]
            body = at + 8
        end = body + length
        if not 0 <= length <= max_bytes or end > size:
            break
        payload = apply_mask(data[body:end], data[body - 4 : body])
        if not (payload.isascii() or _is_utf8(payload)):
            break
        received.append((TEXT, payload))
        at = end
    return at


def _lengths(head: bytes) -> tuple[int, int]:
    """The bytes of a frame's header and of its payload. Raises _Incomplete and _Broken.

    A length that could have been said in fewer bytes is taken: senders must not do that, and nobody
    is harmed.
    """
    _require(head, 2)
    length = head[1] & _LENGTH
    if head[1] < _MASKED or (head[0] & _CONTROL and length > CONTROL_MAX_BYTES):
        raise _Broken(Close.PROTOCOL_ERROR)
    if length not in _LENGTH_BYTES:
        return 6, length
    more = _LENGTH_BYTES[length]
    _require(head, 2 + more)
    length = int.from_bytes(head[2 : 2 + more], "big")
    if length >> 63:
        raise _Broken(Close.PROTOCOL_ERROR)
    return 6 + more, length


def _require(head: bytes, need: int) -> None:
    if len(head) < need:
        raise _Incomplete(need)


def _check_close(payload: bytes) -> None:
    """Raises _Broken unless a CLOSE may say this."""
    code = close_code(payload)
    if code is None:
        return
    if code not in _PROTOCOL_CODES and code not in _APPLICATION_CODES:  # nor is half a code
        raise _Broken(Close.PROTOCOL_ERROR)
    _check_text(payload[2:])


def _check_text(payload: bytes) -> None:
    """Raises _Broken unless it is UTF-8."""
    if not (payload.isascii() or _is_utf8(payload)):
        raise _Broken(Close.BAD_UTF8)


def _is_utf8(payload: bytes) -> bool:
    """Python's decoder is as strict as RFC 3629: no surrogates, nothing overlong or too high."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
