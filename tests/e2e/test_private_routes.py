"""The realtime service's own routes are not there for whoever comes through nginx."""

from __future__ import annotations

import http.client
import json

import pytest

from config.env import DEV_SERVICE_KEY
from tests.support.servers import PATIENCE_S, until

ROOM = "/parties/leet99/{room}"
PRIVATE = [
    *(f"{ROOM}/{route}" for route in ("register", "control", "init", "publish", "admin")),
    *(f"{ROOM}/{route}" for route in ("player-joined", "matches", "scheduled-tasks")),
    f"{ROOM}//register",
    f"{ROOM}/%72egister",
    f"{ROOM}/register/",
    f"{ROOM}/register?x=/state",
    f"{ROOM}?x=/register",
    f"{ROOM}%2Fregister",
    f"{ROOM}%2fregister",
    f"{ROOM}%252Fregister",
    f"{ROOM}/REGISTER",
    f"{ROOM}/./register",
    f"{ROOM}/state/../register",
    f"{ROOM}/x/..%2Fregister",
    f"{ROOM}/register/x/..",
    f"{ROOM}/register/..",
    f"{ROOM}/register;x",
    f"{ROOM}/register%00",
    f"{ROOM}/register%20",
    f"{ROOM}/register%0a",
    f"{ROOM}\\register",
    f"{ROOM}/register#",
    f"{ROOM}#/register",
    f"/{ROOM}/register",
    f"/x/..{ROOM}/register",
    f"/api/..{ROOM}/register",
    f"/api/%2e%2e{ROOM}/register",
    f"/api/..%2F..{ROOM}/register",
    f"/static/..{ROOM}/register",
    f"/healthz/..{ROOM}/register",
    f"http://127.0.0.1{ROOM}/register",
    "/PARTIES/leet99/{room}/register",
    ROOM,
    f"{ROOM}/state",
    "/parties/leet99",
    "/metrics",
    "/metrics/",
    "/%6detrics",
    "/readyz",
    "//readyz",
    "/readyz/",
    "/%72eadyz",
    "/api/../readyz",
    "/healthz/../readyz",
    "/matches/m_1",
    "/leaderboard?party=leet99",
]
READ_BY_ALL = (ROOM, f"{ROOM}/state", f"{ROOM}?x=/register", f"{ROOM}#/register")
READS = ("GET", "HEAD", "OPTIONS")
CALLS = [
    (method, path)
    for path in PRIVATE
    for method in ("POST", "PUT", *READS)
    if method not in READS or path not in READ_BY_ALL
]
PLAYER = {"playerId": "p_1", "playerToken": "t", "username": "eve", "role": "player"}
BODY = json.dumps({**PLAYER, "isHost": False}).encode()  # it would admit her


@pytest.fixture(scope="module")
def room(proxied):
    return proxied.site.room()["roomId"]


def ask(proxied, method, path, **headers):
    """The request as it is written, by somebody who has even got hold of the service key."""
    connection = http.client.HTTPConnection("127.0.0.1", proxied.nginx.port, timeout=PATIENCE_S)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    key = {"Authorization": f"Bearer {DEV_SERVICE_KEY}", "Content-Type": "application/json"}
    length = {"Content-Length": str(len(BODY)), "Host": f"127.0.0.1:{proxied.nginx.port}"}
    for name, value in {**key, **length, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(BODY)
    answer = connection.getresponse()
    told = answer.status, answer.read()
    connection.close()
    return told


def ports_asked(proxied, already):
    """The ports behind nginx that heard of the requests after so many."""
    until(lambda: len(proxied.nginx.passed) > already)
    return {address for one in proxied.nginx.passed[already:] for address in one.upstream}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_private_route_is_not_there_however_it_is_written(proxied, room, method, path):
    already = len(proxied.nginx.passed)
    status, body = ask(proxied, method, path.format(room=room))
    assert status in (400, 404, 405)
    assert status != 404 or method == "HEAD" or b'"NOT_FOUND"' in body
    realtime = {f"127.0.0.1:{one.port}" for one in proxied.realtime}
    assert not ports_asked(proxied, already) & realtime
    assert proxied.state(room).json()["playerCount"] == 1
    until(lambda: len(proxied.nginx.passed) == already + 2)  # nginx logs after it has answered


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
@pytest.mark.parametrize("path", [ROOM, f"{ROOM}/register"])
def test_an_upgrade_opens_nothing_else(proxied, room, path, upgrade):
    headers = {"Upgrade": upgrade, "Connection": "Upgrade, HTTP2-Settings"}
    assert ask(proxied, "POST", path.format(room=room), **headers)[0] == 404
    assert proxied.state(room).json()["playerCount"] == 1
