"""ALLOWED_ORIGINS as it is read, and the pages that are let in."""

import logging

import idna
import pytest

from contracts.origins import IllegalOrigin, Origins, parse_origin

PAGE = "https://play.example.org"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://Play.Example.org/", PAGE),
        ("HTTPS://play.example.org:443", PAGE),
        ("https://play.example.org:0443", PAGE),
        ("http://play.example.org:443", "http://play.example.org:443"),
        ("http://play.example.org:80/", "http://play.example.org"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://my_machine:8000", "http://my_machine:8000"),
        ("http://192.168.1.5:5173", "http://192.168.1.5:5173"),
        ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
        ("http://[FE80::00A]", "http://[fe80::a]"),
        ("http://[::ffff:10.0.0.1]", "http://[::ffff:a00:1]"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost/", "ionic://localhost"),
        ("tauri://localhost:1420", "tauri://localhost:1420"),
        ("tauri://localhost:80", "tauri://localhost:80"),
        ("app://.", "app://."),
        ("chrome-extension://aBcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ("moz-extension://0f8fad5b-d9cb-469f", "moz-extension://0f8fad5b-d9cb-469f"),
        ("NULL", "null"),
        ("https://*.Preview.example.org:443", "https://*.preview.example.org"),
        ("capacitor://*.example.org", "capacitor://*.example.org"),
    ],
)
def test_an_entry_is_brought_into_the_form_in_which_browsers_send_it(written, sent):
    assert parse_origin(written) == sent
    assert parse_origin(sent) == sent


@pytest.mark.parametrize(
    "host",
    [
        "bücher.example",
        "BÜCHER.example",
        "straße.de",
        "παράδειγμα.δοκιμή",
        "例え.テスト",
        "ｐｌａｙ.example",
    ],
)
def test_a_host_beyond_ascii_is_the_one_that_browsers_make_of_it(host):
    made = idna.encode(host, uts46=True).decode()
    assert parse_origin(f"https://{host}") == f"https://{made}"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("*", "name the origins"),
        ("https://*", "first label"),
        ("https://*.org", "at least two labels"),
        ("https://*.10.0.0.1", "at least two labels"),
        ("https://a.*.example.org", "first label"),
        ("https://a*.example.org", "first label"),
        ("https://*.*.example.org", "first label"),
        ("play.example.org", "needs a scheme"),
        ("localhost:3000", "needs a scheme"),
        ("//play.example.org", "needs a scheme"),
        ("https:/play.example.org", "needs a scheme"),
        ("https://", "needs a host"),
        ("https:///", "needs a host"),
        ("https:////", "without a path"),
        ("https://:443", "needs a host"),
        ("https://play.example.org/game", "without a path"),
        ("https://play.example.org//", "without a path"),
        ("https://play.example.org?a", "without a path or query"),
        ("https://play.example.org#a", "without a path or query"),
        ("https://ann@play.example.org", "no user name"),
        ("https://play.example.org:port", "must be a number"),
        ("https://play.example.org:", "must be a number"),
        ("https://play.example.org:0", "from 1 to 65535"),
        ("https://play.example.org:65536", "from 1 to 65535"),
        ("https://play.example.org.", "ends with a dot"),
        ("https://play..example.org", "no host name"),
        ("https://play%2eexample.org", "no host name"),
        ("https://" + "a" * 64 + ".org", "no host name"),
        ("https://play example.org", "no spaces"),
        ("https:\\\\play.example.org", "no spaces and no backslashes"),
        ("https://127.1", "no IPv4 address"),
        ("https://0x7f.0.0.1", "no IPv4 address"),
        ("https://256.0.0.1", "no IPv4 address"),
        ("https://2130706433", "no IPv4 address"),
        ("https://::1", "needs brackets"),
        ("https://[::1", "needs brackets"),
        ("https://[::x]", "no IPv6 address"),
        ("https://[fe80::1%eth0]", "no IPv6 address"),
        ("https://☃.net", "xn-- form"),
        ("chrome-extension://<id>", "ASCII letters"),
        ("capacitor://bücher", "ASCII letters"),
        ("wss://play.example.org", "write https://"),
        ("ws://play.example.org", "write http://"),
        ("file:///home/ann/page.html", "write null"),
        ("data://x", "write null"),
    ],
)
def test_what_could_never_match_is_refused_with_a_reason(written, reason):
    with pytest.raises(IllegalOrigin, match=reason.replace("*", r"\*")):
        parse_origin(written)


def allowed_by(*entries: str, development: bool = False) -> Origins:
    return Origins([parse_origin(entry) for entry in entries], development=development)


@pytest.mark.parametrize("origin", [PAGE, "capacitor://localhost", "null"])
def test_what_is_named_is_allowed_and_nothing_like_it(origin):
    origins = allowed_by(origin)
    assert origins.allow(origin.encode())
    assert origins.allow(origin.upper().encode())
    for other in (f"{origin}:1", f"{origin}/", f"{origin}.evil.example", f"x{origin}", ""):
        assert not origins.allow(other.encode())


def test_a_wildcard_is_exactly_one_label():
    origins = allowed_by("https://*.preview.example.org", "https://*.example.org:8443")
    assert origins.allow(b"https://pr-17.preview.example.org")
    assert origins.allow(b"https://A_1.Preview.example.org")
    assert origins.allow(b"https://preview.example.org:8443")
    for other in (
        b"https://preview.example.org",
        b"https://.preview.example.org",
        b"https://a.b.preview.example.org",
        b"https://*.preview.example.org",
        b"https://a@b.preview.example.org",
        b"https://evil.example/.preview.example.org",
        b"https://a.preview.example.org:444",
        b"https://a.preview.example.org.evil.example",
        b"http://a.preview.example.org",
        b"a.preview.example.org",
        b"https://a\n.preview.example.org",
    ):
        assert not origins.allow(other)


LOOPBACK = [
    "http://localhost:5173",
    "https://localhost",
    "HTTP://LocalHost:3000",
    "http://app.localhost:8080",
    "http://127.0.0.1:4200",
    "http://127.8.9.10",
    "https://[::1]:3000",
    "null",
]


@pytest.mark.parametrize("origin", LOOPBACK)
def test_development_allows_every_loopback_page_and_those_from_files(origin):
    assert allowed_by(development=True).allow(origin.encode())
    assert not allowed_by(development=False).allow(origin.encode())


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.example",
        "http://evil-localhost",
        "http://127.0.0.1.evil.example",
        "http://128.0.0.1",
        "http://[::2]",
        "http://[::1].evil.example",
        "http://localhost:5173/",
        "http://localhost:",
        "http://localhost:5173@evil.example",
        "ws://localhost",
        "capacitor://localhost",
        "http://192.168.1.5:5173",
        "http://localhost\n",
        "nullnull",
    ],
)
def test_development_allows_nothing_else(origin):
    assert not allowed_by(development=True).allow(origin.encode())


def test_a_socket_is_open_to_native_clients_and_to_pages_of_its_own_host(caplog):
    origins = allowed_by(PAGE)
    assert origins.allow_socket(None, b"rooms.example.org")
    assert origins.allow_socket(PAGE.encode(), b"rooms.example.org")
    assert origins.allow_socket(b"https://rooms.example.org", b"rooms.example.org")
    assert caplog.records == []
    for origin in (b"https://evil.example", b"", b"http://[", b"app://rooms.example.org", b"\xff"):
        assert not origins.allow_socket(origin, b"rooms.example.org")


def test_a_page_reads_its_own_host_without_being_marked_or_logged(caplog):
    origins = allowed_by(PAGE)
    assert origins.allow_reading(PAGE.encode(), b"api.example.org")
    assert not origins.allow_reading(b"https://api.example.org", b"api.example.org")
    assert not origins.allow_reading(b"", b"api.example.org")
    assert caplog.records == []


@pytest.mark.parametrize("ask", [Origins.allow_reading, Origins.allow_socket])
def test_a_refused_page_is_logged_with_the_setting_that_lets_it_in(ask, caplog):
    origins = allowed_by(PAGE)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            ask(origins, b"http://192.168.1.5:5173", b"api.example.org")
    (line,) = caplog.messages
    value = line.partition("set ALLOWED_ORIGINS=")[2]
    assert value == f"{PAGE},http://192.168.1.5:5173"
    assert allowed_by(*value.split(",")).allow(b"http://192.168.1.5:5173")


def test_what_no_browser_sends_is_logged_without_advice(caplog):
    for origin in (b"https://*.example.org", b"https://evil.example/\nforged", b"x" * 5000):
        allowed_by(PAGE).allow_socket(origin, b"")
    assert "ALLOWED_ORIGINS" not in caplog.text
    assert all(len(line) < 400 and "\n" not in line for line in caplog.messages)
    assert len(caplog.messages) == 3
