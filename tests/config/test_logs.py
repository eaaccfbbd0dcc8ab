"""What a log line looks like, whatever is logged."""

import logging
import sys
from typing import Any

import pytest

from config.logs import LineFormatter, StrangersNoise


def line(message: str, *args: object, exc_info: Any = None) -> str:
    record = logging.LogRecord("rooms", logging.INFO, "", 0, message, args, exc_info)
    record.created, record.msecs = 0.0, 0.0
    return LineFormatter().format(record)


def test_a_record_is_one_line_in_utc():
    assert line("room %s closed", "AB") == "1970-01-01T00:00:00.000Z INFO rooms: room AB closed"


def test_what_any_stranger_can_cause_is_no_error_of_ours():
    noise, news = (
        logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, (), None)
        for message in ("Invalid UTF-8 sequence received from client.", "Something else")
    )
    assert not StrangersNoise().filter(noise)
    assert StrangersNoise().filter(news)


def test_no_input_forges_a_line():
    forged = line("name %r and %s", "a\nb", "c\n1970 ERROR\x1b[31m\u2028")
    assert forged.endswith(r"name 'a\nb' and c\n1970 ERROR\x1b[31m\u2028")


@pytest.mark.parametrize(
    "secret",
    ["pt_abc-DEF_123", "Bearer k3y/+=", "eyJhbGciOi.eyJzdWIi.c2ln-_", "/ws?token=hush&a=b"],
)
def test_no_secret_is_written(secret):
    written = line("refused %s", secret)
    assert "***" in written
    assert not any(part in written for part in ("abc-DEF", "k3y", "eyJ", "hush"))


def test_a_traceback_follows_indented():
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        first, *rest = line("failed", exc_info=sys.exc_info()).splitlines()
    assert first.endswith("rooms: failed")
    assert rest
    assert all(each.startswith("    ") for each in rest)
