"""Which bodies are read as JSON, and what is said of the others."""

import gzip

import pytest

from contracts.errors import Code, RoomError
from contracts.exchange import Ends, Request
from contracts.json_body import json_body

LIMIT = 64
TEXT = '{"username": "é"}'
SENT = TEXT.encode()
BOM = b"\xef\xbb\xbf"


def request(body=SENT, kind=b"application/json", **headers):
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    made = Request("POST", "/", b"", {b"content-type": kind, **named}, Ends(None, None, "http"))
    made.body = body
    return made


def refused(made):
    with pytest.raises(RoomError) as caught:
        json_body(made, LIMIT)
    return caught.value


@pytest.mark.parametrize(
    "kind",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b'application/json;charset="UTF-8"',
    ],
)
def test_json_in_utf_8_is_taken(kind):
    assert json_body(request(kind=kind), LIMIT) == TEXT.encode()


@pytest.mark.parametrize("body", [b"", b"[]", b" {}", b"{", b"x", b"null", b"\xff"])
def test_what_it_says_is_not_looked_at(body):
    assert json_body(request(body), LIMIT) == body


def test_a_byte_order_mark_is_passed_over():
    assert json_body(request(BOM + TEXT.encode()), LIMIT) == TEXT.encode()
    assert json_body(request(BOM), LIMIT) == b""
    assert json_body(request(BOM + BOM), LIMIT) == BOM  # the second one is no JSON


@pytest.mark.parametrize(
    "kind",
    [
        b"",
        b"text/plain",
        b"application/jsonp",
        b"application/x-www-form-urlencoded",
        b"application/json; charset=utf-16",
        b"application/json; charset=latin-1",
        b"application/json\xff",
    ],
)
def test_another_kind_is_refused(kind):
    assert refused(request(kind=kind)).code is Code.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize(
    "coding", [b"gzip", b"GZIP", b"br", b"deflate", b"gzip, identity", b"zstd"]
)
def test_a_compressed_body_is_refused_by_name(coding):
    error = refused(request(gzip.compress(TEXT.encode()), content_encoding=coding))
    assert (error.status, error.code) == (415, Code.UNSUPPORTED_MEDIA_TYPE)
    assert "Content-Encoding" in error.message
    assert error.headers == {"Accept-Encoding": "identity"}


@pytest.mark.parametrize("coding", [b"identity", b"Identity", b""])
def test_no_compression_may_be_said(coding):
    assert json_body(request(content_encoding=coding), LIMIT) == TEXT.encode()


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_another_encoding_is_refused_by_name(encoding):
    error = refused(request('{"a": 1}'.encode(encoding)))
    assert error.code is Code.BAD_REQUEST
    assert "UTF-8" in error.message


def test_what_is_too_large_is_refused():
    assert json_body(request(b"{" * LIMIT), LIMIT) == b"{" * LIMIT
    assert refused(request(b"{" * (LIMIT + 1))).code is Code.PAYLOAD_TOO_LARGE
