import httpx
import pytest

from contracts.http1 import AnswerReader

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def reading(max_bytes=1000):
    reader = AnswerReader()
    reader.expect(max_bytes)
    return reader


def fed(*chunks, max_bytes=1000):
    """What the last of these chunks completed."""
    reader = reading(max_bytes)
    return [reader.feed(chunk) for chunk in chunks][-1]


@pytest.mark.parametrize("at", range(1, len(OK)))
def test_an_answer_may_come_in_any_pieces(at):
    reader = reading()
    assert reader.feed(OK[:at]) is None
    answer = reader.feed(OK[at:])
    assert (answer.status, answer.body, answer.keep_alive) == (200, b"{}", True)


def test_a_connection_brings_one_answer_after_the_other():
    reader = reading()
    assert reader.feed(OK).body == b"{}"
    reader.expect(1000)
    assert reader.feed(OK.replace(b"{}", b"[]")).body == b"[]"
    with pytest.raises(httpx.RemoteProtocolError):
        reader.feed(OK)


def test_an_answer_may_be_chunked():
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert fed(chunked).body == b"{}"


def test_an_interim_answer_is_passed_over():
    answer = fed(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", OK)
    assert answer.status == 200
    assert b"link" not in answer.headers


def test_an_answer_without_a_length_ends_with_the_connection():
    answer = fed(b"HTTP/1.1 200 OK\r\n\r\n{}", b"")
    assert (answer.body, answer.keep_alive) == (b"{}", False)


@pytest.mark.parametrize(
    "raw", [OK.replace(b"1.1", b"1.0"), OK.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)]
)
def test_a_connection_is_kept_only_when_the_server_keeps_it(raw):
    assert not fed(raw).keep_alive


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\n", OK[:-1], INTERIM])
def test_an_answer_that_ends_early_is_a_broken_connection(cut):
    with pytest.raises(httpx.ReadError):
        fed(cut, b"") if cut else fed(b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"220 smtp.example ESMTP\r\n",
        b"<html>",
        OK + OK,
        OK + b"more",
        OK.replace(b"\r\n", b"\r\ncontent-encoding: gzip\r\n", 1),
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    ],
)
def test_what_is_no_answer(raw):
    with pytest.raises(httpx.RemoteProtocolError):
        fed(raw)


def test_an_answer_beyond_the_limit_is_not_read_to_its_end():
    with pytest.raises(httpx.RemoteProtocolError):
        fed(OK, max_bytes=len(OK) - 1)
