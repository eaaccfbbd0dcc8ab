"""What a view may ask of a request to the API."""

import pytest

from contracts.exchange import Ends, Request
from lobby.requests import ApiRequest


def test_a_bug_in_making_djangos_is_told_and_not_sought_for_ever(monkeypatch):
    def broken(_):
        raise AttributeError("a bug")

    monkeypatch.setattr("lobby.requests.django_request", broken)
    request = ApiRequest(Request("GET", "/api/rooms", b"", {}, Ends(None, None, "http")))
    with pytest.raises(AttributeError):
        _ = request.user


def test_one_that_was_never_made_has_nothing():
    with pytest.raises(AttributeError):
        _ = ApiRequest.__new__(ApiRequest).user
