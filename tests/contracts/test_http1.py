import httpx
import pytest

from contracts.http1 import Answer, request_bytes

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def fed(*chunks, max_bytes=1000):
    answer = Answer(max_bytes)
    for chunk in chunks:
        answer.feed(chunk)
    return answer


def test_a_request_is_one_piece():
    request = httpx.Request("POST", "http://h:1/a?b", content=b"{}", headers={"Host": "h:1"})
    head, _, body = request_bytes(request).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?b HTTP/1.1\r\n")
    assert b"Content-Length: 2" in head
    assert body == b"{}"


def test_a_request_may_name_its_target_apart():
    request = httpx.Request("GET", "http://h", extensions={"target": b"/elsewhere"})
    assert request_bytes(request).startswith(b"GET /elsewhere HTTP/1.1\r\n")


@pytest.mark.parametrize("at", range(1, len(OK)))
def test_an_answer_may_come_in_any_pieces(at):
    answer = fed(OK[:at])
    assert not answer.complete
    answer.feed(OK[at:])
    assert answer.complete
    assert answer.keep_alive
    assert answer.response.status_code == 200
    assert answer.response.read() == b"{}"


def test_an_answer_may_be_chunked():
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert fed(chunked).response.read() == b"{}"


def test_an_interim_answer_is_passed_over():
    answer = fed(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", OK)
    assert answer.response.status_code == 200
    assert "link" not in answer.response.headers


def test_an_answer_without_a_length_ends_with_the_connection():
    answer = fed(b"HTTP/1.1 200 OK\r\n\r\n{}", b"")
    assert answer.complete
    assert not answer.keep_alive


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
