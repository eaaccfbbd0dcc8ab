"""What is answered on the event loop: the API and the health checks. No path ends in a slash."""

from django.urls import path, re_path, register_converter

from contracts.paths import ID_PATTERN, canonical_room_id
from lobby.api import NothingView
from lobby.health import HealthView, ReadyView
from lobby.status import StatusView
from lobby.views import (
    JoinView,
    LeaderboardView,
    MatchView,
    RoomMatchesView,
    RoomsView,
    RoomView,
)


class IdConverter:
    """An id; anything that cannot be one is no path of ours."""

    regex = ID_PATTERN

    def to_python(self, value: str) -> str:
        """As it is."""
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


class RoomIdConverter(IdConverter):
    """A room id in its canonical spelling."""

    def to_python(self, value: str) -> str:
        """Codes typed in lower case are the same codes."""
        return canonical_room_id(value)


register_converter(IdConverter, "id")
register_converter(RoomIdConverter, "room_id")

urlpatterns = [
    path("api/rooms", RoomsView.as_view()),
    path("api/rooms/<room_id:room_id>", RoomView.as_view()),
    path("api/rooms/<room_id:room_id>/join", JoinView.as_view()),
    path("api/rooms/<room_id:room_id>/matches", RoomMatchesView.as_view()),
    path("api/matches/<id:match_id>", MatchView.as_view()),
    path("api/leaderboard", LeaderboardView.as_view()),
    path("healthz", HealthView.as_view()),
    path("readyz", ReadyView.as_view()),
    path("status", StatusView.as_view()),
    re_path("^api(?!/(?:schema|docs)$)(?:/|$)", NothingView.as_view()),
]
