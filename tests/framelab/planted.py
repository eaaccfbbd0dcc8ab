"""Our reader with a bug that the lab has to find: a line of it is replaced."""

from __future__ import annotations

from functools import partial
from inspect import getsource
from types import ModuleType
from typing import NamedTuple

from realtime.websocket import reader
from tests.framelab.readers import Make, Ours


class Planted(NamedTuple):
    """A bug, and what it takes to have it."""

    bug: str
    line: str
    instead: str


PLANTED = [
    Planted("takes frames that are not masked", "head[1] < _MASKED or ", ""),
    Planted("takes them when they are short texts", "data[at + 1] - _MASKED", "data[at + 1] & 127"),
    Planted("takes any text", "if opcode == TEXT:", "if False:"),
    Planted(
        "takes any short text", "payload.isascii() or _is_utf8(payload)", "payload is not None"
    ),
    Planted("takes surrogates", "payload.decode()", "payload.decode(errors='surrogatepass')"),
    Planted("takes any reason", "_check_text(payload[2:])", "pass"),
    Planted("takes any close code", "code not in _PROTOCOL_CODES and", "not code and"),
    Planted("takes 1004", "*range(1000, 1004)", "*range(1000, 1005)"),
    Planted("takes 1006", "*range(1007, 1015)", "*range(1006, 1015)"),
    Planted("takes 1015", "*range(1007, 1015)", "*range(1007, 1016)"),
    Planted("refuses 1014", "*range(1007, 1015)", "*range(1007, 1014)"),
    Planted("refuses 3000", "range(3000, 5000)", "range(3001, 5000)"),
    Planted("takes 5000", "range(3000, 5000)", "range(3000, 5001)"),
    Planted("goes on after CLOSE", "len(data) if self.closed else end", "end"),
    Planted("listens after CLOSE", "if self.failed or self.closed:", "if self.failed:"),
    Planted("goes on after a failure", "if self.failed or self.closed:", "if self.closed:"),
    Planted(
        "takes the end of nothing", "_BETWEEN_MESSAGES = ", "_BETWEEN_MESSAGES = bytes([128]) + "
    ),
    Planted(
        "takes messages within one",
        "_CONTROLS + bytes([0, _FINAL])",
        "_BETWEEN_MESSAGES + bytes(1)",
    ),
    Planted(
        "reads texts within a message",
        "if self._message is None:\n                    at",
        "if True:\n                    at",
    ),
    Planted("takes a reserved bit", "_CONTROLS + bytes([TEXT, ", "_CONTROLS + bytes([0xC1, TEXT, "),
    Planted(
        "takes a reserved opcode", "_CONTROLS + bytes([TEXT, ", "_CONTROLS + bytes([0x83, TEXT, "
    ),
    Planted("takes a PING in fragments", "_CONTROLS = bytes([", "_CONTROLS = bytes([PING, "),
    Planted(
        "takes long control frames",
        "CONTROL_MAX_BYTES: Final = 125",
        "CONTROL_MAX_BYTES: Final = 127",
    ),
    Planted(
        "refuses control frames of 125",
        "CONTROL_MAX_BYTES: Final = 125",
        "CONTROL_MAX_BYTES: Final = 124",
    ),
    Planted("reads lengths backwards", '2 + more], "big")', '2 + more], "little")'),
    Planted("takes any length", "if length >> 63:", "if False:"),
    Planted(
        "has no limit",
        '_CONTROL and length + len(self._message or b"") > self._max_bytes',
        "_CONTROL and False",
    ),
    Planted("has no limit for short texts", "0 <= length <= max_bytes", "0 <= length"),
    Planted("limits fragments only", ' + len(self._message or b"") >', " >"),
    Planted("limits control frames", "not head[0] & _CONTROL and ", ""),
    Planted("allows a byte too few", "> self._max_bytes", ">= self._max_bytes"),
    Planted("allows a byte too many", "> self._max_bytes", "> self._max_bytes + 1"),
    Planted(
        "forgets what a message is",
        "self._opcode, self._message = opcode",
        "self._opcode, self._message = 2",
    ),
    Planted(
        "forgets a fragment",
        "self._message += payload\n\n",
        "self._message = bytearray(payload)\n\n",
    ),
    Planted("forgets the last fragment", "self._message += payload\n            opcode", "opcode"),
    Planted(
        "never ends a message", "bytes(self._message), None", "bytes(self._message), self._message"
    ),
    Planted(
        "takes a key for the payload",
        "data[body:end], data[body - 4 : body])\n        first",
        "data[body - 1 : end - 1], data[body - 4 : body])\n        first",
    ),
    Planted("takes what is not whole", "<= max_bytes or end > size", "<= max_bytes"),
    Planted("takes any that is not whole", "if end > len(data):", "if False:"),
    Planted("loses what is not whole", "bytearray(memoryview(data)[at:])", "bytearray()"),
    Planted("loses what follows", 'b"".join((held, data))', 'b"".join((held, data))[: self._need]'),
    Planted(
        "waits for too much",
        "len(held) + len(data) < self._need",
        "len(held) + len(data) <= self._need",
    ),
]


def planted(bug: Planted) -> Make:
    """Readers with this bug."""
    source = getsource(reader)
    assert bug.line in source, f"there is no such line any more: {bug.line}"
    module = ModuleType(f"reader that {bug.bug}")
    exec(source.replace(bug.line, bug.instead), vars(module))
    return partial(Ours, reader=module.Reader)
