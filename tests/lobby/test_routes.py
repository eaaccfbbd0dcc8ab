"""Routes find what Django's own resolver finds."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import Resolver404, resolve

from lobby import api_urls
from lobby.routes import Routes

ROUTES = Routes(api_urls.urlpatterns)


def django_finds(path):
    try:
        match = resolve(path, "lobby.api_urls")
    except Resolver404:
        return None
    view: Any = match.func
    return view.view_class, match.kwargs


@pytest.mark.parametrize("room", ["abc234", "ABC234", "room_1", "x" * 64, "x" * 65, "a.b", "é", ""])
@pytest.mark.parametrize(
    "rest", ["", "/", "/join", "/join/", "/matches", "/other", "\n", "/join\n"]
)
def test_rooms(room, rest):
    path = f"/api/rooms/{room}{rest}"
    assert ROUTES.find(path) == django_finds(path)
    assert ROUTES.find(path) is not None


@pytest.mark.parametrize(
    "path",
    [
        *("/api/rooms", "/api/rooms/", "/api/matches/m_1", "/api/leaderboard", "/healthz"),
        *(
            "/readyz",
            "/status",
            "/status/",
            "/api",
            "/api/",
            "/api/nothing",
            "/api/schema/",
            "/api/docsx",
            "/healthz/",
        ),
        *("/api/schema", "/api/docs", "/", "", "*", "api/rooms", "//api/rooms", "/admin/", "/apix"),
        *("/api/rooms\n", "/healthz\x00", "\n/api/rooms"),
    ],
)
def test_others(path):
    assert ROUTES.find(path) == django_finds(path)
