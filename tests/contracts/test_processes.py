import httpx
import pytest

from contracts.connection import Origin
from contracts.processes import Call, Process


def request(call, url="http://realtime:1999"):
    return Process.at(httpx.URL(url), "a-key").request(call)


def test_a_request_is_one_piece():
    head, _, body = request(Call("POST", "/a", "", b"{}")).partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a HTTP/1.1",
        b"Host: realtime:1999",
        b"Authorization: Bearer a-key",
        b"Content-Type: application/json",
        b"Content-Length: 2",
    ]
    assert body == b"{}"


def test_what_only_reads_shows_no_key():
    assert request(Call("GET", "/a?b")) == (
        b"GET /a?b HTTP/1.1\r\nHost: realtime:1999\r\nContent-Length: 0\r\n\r\n"
    )


def test_what_asks_for_the_key_shows_it():
    assert request(Call("GET", "/a", shows_key=True)) == (
        b"GET /a HTTP/1.1\r\nHost: realtime:1999\r\n"
        b"Authorization: Bearer a-key\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize("url", ["http://h/base", "http://h/base/"])
def test_a_server_may_stand_below_a_path(url):
    assert request(Call("GET", "/a"), url).startswith(b"GET /base/a HTTP/1.1\r\nHost: h\r\n")


def test_each_leads_to_its_server():
    assert Process.at(httpx.URL("https://h"), "k").origin == Origin("https", "h", 443)
