"""The lobby's paths. None ends in a slash, and none redirects."""

from django.urls import path, register_converter
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from contracts.paths import ID_PATTERN, canonical_room_id
from lobby.health import HealthView, ReadyView
from lobby.views import JoinView, RoomsView, RoomView


class RoomIdConverter:
    """A room id in its canonical spelling; anything that cannot be one is no path of ours."""

    regex = ID_PATTERN

    def to_python(self, value: str) -> str:
        return canonical_room_id(value)

    def to_url(self, value: str) -> str:
        return value


register_converter(RoomIdConverter, "room_id")

urlpatterns = [
    path("api/rooms", RoomsView.as_view()),
    path("api/rooms/<room_id:room_id>", RoomView.as_view()),
    path("api/rooms/<room_id:room_id>/join", JoinView.as_view()),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema")),
    path("healthz", HealthView.as_view()),
    path("readyz", ReadyView.as_view()),
]
