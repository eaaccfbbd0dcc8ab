import httpx
import pytest
from django.apps import apps

from contracts.client import RealtimeClient
from lobby.asgi import LobbyApplication
from lobby.service import Lobby
from lobby.wiring import Wiring
from tests.support.browser import AsgiTransport
from tests.support.realtime_double import RealtimeDouble

PUBLIC_URL = "https://rt.example/"


@pytest.fixture
def realtime():
    return RealtimeDouble()


@pytest.fixture
def service(realtime):
    client = RealtimeClient(
        ["http://realtime"],
        "a-service-key",
        transport=realtime,
        try_timeout_s=4,
        total_timeout_s=8.5,
        calls_max=1000,
    )
    return Lobby(client, PUBLIC_URL, "a-secret")


@pytest.fixture
def limits():
    """RATE_LIMITS=off, unless a test brings its own."""
    return


@pytest.fixture
def browser(service, limits, monkeypatch):
    """An HTTP client of the whole lobby. Outside tests marked for it, a query is an error."""
    monkeypatch.setitem(apps.get_app_config("lobby").__dict__, "wiring", Wiring(service, limits))
    transport = AsgiTransport(LobbyApplication())
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        yield client
