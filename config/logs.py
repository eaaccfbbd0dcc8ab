"""How a log record is written: one readable line, inert, and never a secret."""

import logging
import re
import time

SECRETS = re.compile(r"pt_[\w-]+|eyJ[\w-]+\.[\w.-]+|(?<=[Bb]earer )\S+|(?<=[?&]token=)[^&\s]+")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

NOISE = (
    "ASGI callable returned without completing handshake.",  # it was refused, and answered
    "Invalid UTF-8 sequence received from client.",  # closed with 1007
    "Invalid HTTP request received.",  # answered with 400
    "Unsupported upgrade request.",  # answered as if it had asked for none,
    "No supported WebSocket library detected.",  # which in the lobby is on purpose
)


class StrangersNoise(logging.Filter):
    """Drops what uvicorn logs as errors though any stranger can cause it, and it was answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(NOISE)


class LineFormatter(logging.Formatter):
    """`time level logger: message`. Control characters are escaped: no input can forge a line.

    A traceback follows on indented lines. Player tokens, bearer keys and JWTs become `***`.
    """

    converter = staticmethod(time.gmtime)
    default_msec_format = "%s.%03dZ"
    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return CONTROLS.sub(lambda found: repr(found[0])[1:-1], super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        return "    " + super().formatException(ei).replace("\n", "\n    ")  # type: ignore[arg-type]

    def format(self, record: logging.LogRecord) -> str:
        return SECRETS.sub("***", super().format(record))
