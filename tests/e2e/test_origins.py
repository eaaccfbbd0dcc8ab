"""The same list of origins at both doors: what a page may read, and the socket that it may open."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.conftest import both_tiers
from tests.support.servers import Server, until

KEYS = {"GREENROOM_SERVICE_KEY": "k" * 40, "GREENROOM_SECRET_KEY": "abcdefgh" * 8}
WRITTEN = "https://Play.example.org:443/, capacitor://localhost, https://*.preview.example.org"
READ = "https://play.example.org,capacitor://localhost,https://*.preview.example.org"


@pytest.fixture(scope="module", params=["development", "production"])
def site(request, any_migrated, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    modes = {
        "development": {},
        "production": {**KEYS, "GREENROOM_ENV": "production", "ALLOWED_ORIGINS": WRITTEN},
    }
    environ: Any = {"RATE_LIMITS": "on", **modes[request.param]}
    with any_migrated.copy(folder) as database, both_tiers(database, folder, **environ) as site:
        yield request.param, site


def says(tier: Server, advice: str) -> bool:
    return advice in tier.said


def may_read(site, origin: str) -> bool:
    """Whether the page may read what the lobby answers, and whether it may send at all."""
    url, headers = site.lobby.url + "/api/rooms/ROOM23", {"Origin": origin}
    asked = httpx.options(url, headers={**headers, "Access-Control-Request-Method": "POST"})
    found = {
        answer.headers.get("access-control-allow-origin")
        for answer in (asked, httpx.get(url, headers=headers))
    }
    assert found in ({None}, {origin})
    return found == {origin}


def may_connect(site, origin: str) -> bool:
    url = site.realtime.url.replace("http", "ws") + "/parties/leet99/ROOM23"
    try:
        with connect(url, additional_headers={"Origin": origin}, proxy=None):
            pass
    except InvalidStatus as refused:
        return refused.response.status_code != 403
    return True


@pytest.mark.parametrize(
    ("origin", "modes"),
    [
        ("http://localhost:5173", ["development"]),
        ("http://127.0.0.1:4200", ["development"]),
        ("http://[::1]:3000", ["development"]),
        ("http://game.localhost:8080", ["development"]),
        ("null", ["development"]),
        ("https://play.example.org", ["production"]),
        ("capacitor://localhost", ["production"]),
        ("https://pr-17.preview.example.org", ["production"]),
        ("https://a.b.preview.example.org", []),
        ("https://preview.example.org", []),
        ("http://play.example.org", []),
        ("http://192.168.1.5:5173", []),
        ("https://localhost.evil.example", []),
    ],
)
def test_both_tiers_let_in_the_same_pages_and_say_how_to_let_in_others(site, origin, modes):
    mode, site = site
    expected = mode in modes
    assert (may_read(site, origin), may_connect(site, origin)) == (expected, expected)
    value = ",".join(([READ] if mode == "production" else []) + [origin])
    line = f"WARNING contracts.refused_origins: Refused a page of the origin '{origin}'. "
    advice = f"set ALLOWED_ORIGINS={value}\n"
    for tier in (site.lobby, site.realtime):
        if not expected:
            until(partial(says, tier, advice))
        assert tier.said.count(line) == (not expected)
