"""What stands at which path of the service, and what it does there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import assert_never

from django.conf import settings

from config.env import Environment
from contracts import exchange, jsonio
from contracts.errors import Code, RoomError, bad_request
from contracts.http import (
    CloseRoom,
    Control,
    ControlReply,
    Health,
    RegisterRequest,
    RemovePlayer,
    RetryAlarms,
)
from contracts.limits import BODY_MAX_BYTES, SERVICE_BODY_MAX_BYTES
from contracts.paths import is_id
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery
from contracts.usernames import clean_username
from realtime.auth import fingerprint, token_hash
from realtime.core import commands
from realtime.http import Answer, HttpApplication, Request, Route
from realtime.newcomers import newcomers
from realtime.runtime import running, runtime


async def register(request: Request) -> Answer:
    """The lobby admits a player to a room, or creates the room with its host."""
    serving = await runtime()
    request.require_service_key(serving.service_keys)
    key = request.room_in(serving.rooms)
    ask = jsonio.decode(request.body(BODY_MAX_BYTES), RegisterRequest)
    username = clean_username(ask.username)
    if not serving.rooms.party(key.party).offers_lobby:
        raise bad_request("party", "This party's rooms are not created or joined through the lobby")
    command = commands.Register(
        player_id=ask.player_id,
        token_hash=token_hash(ask.player_token),
        fingerprint=fingerprint(ask),
        username=username,
        role=ask.role,
        is_host=ask.is_host,
        settings=ask.settings,
        visibility=ask.visibility,
    )
    return Answer(200, await serving.rooms.ask(key, command))


async def control(request: Request) -> Answer:
    """An administrator, through the lobby, closes a room, removes a member or retries alarms."""
    serving = await runtime()
    request.require_service_key(serving.service_keys)
    key = request.room_in(serving.rooms)
    body = request.body(SERVICE_BODY_MAX_BYTES)
    asked: Control = jsonio.decode(body, Control)  # type: ignore[arg-type]
    await serving.rooms.ask(key, _command(asked))
    return Answer(200, ControlReply())


def _command(asked: Control) -> commands.Command:
    match asked:
        case CloseRoom():
            return commands.EndRoom()
        case RemovePlayer(player_id):
            return commands.Remove(player_id)
        case RetryAlarms():
            return commands.RetryAlarms()
        case _:
            assert_never(asked)


async def state(request: Request) -> Answer:
    """A room's summary, for anybody who knows its id."""
    rooms = (await runtime()).rooms
    return Answer(200, await rooms.look(request.room_in(rooms)))


async def room_path(request: Request) -> Answer:
    """The path of a room's sockets, asked for by HTTP. Raises UPGRADE_REQUIRED."""
    request.room_in((await runtime()).rooms)
    raise RoomError(Code.UPGRADE_REQUIRED)


async def listed(request: Request) -> Answer:
    """The public rooms of a party, a page at a time."""
    serving = await runtime()
    party = serving.rooms.party(request.path["party"]).slug
    return Answer(200, await serving.listing.rooms(party, RoomsQuery.read(request.query)))


async def matches(request: Request) -> Answer:
    """The finished matches of a room."""
    serving = await runtime()
    key = request.room_in(serving.rooms)
    return Answer(200, await serving.listing.matches(key, MatchesQuery.read(request.query)))


async def match(request: Request) -> Answer:
    """A finished match, with its standings."""
    serving = await runtime()
    if not is_id(request.path["match_id"]):
        raise RoomError(Code.NOT_FOUND)
    return Answer(200, await serving.listing.match(request.path["match_id"]))


async def leaderboard(request: Request) -> Answer:
    """The best scores of a party's matches."""
    serving = await runtime()
    party = serving.rooms.party(request.query.get("party") or "leet99")
    query = LeaderboardQuery.read(request.query)
    return Answer(200, await serving.listing.leaderboard(party.slug, query))


async def healthz(request: Request) -> Answer:
    """The process runs."""
    return Answer(200, Health("ok"))


async def readyz(request: Request) -> Answer:
    """The process can do its work: storage answers, and its tables are as this code expects.
    Without its bus it is degraded and 200: rooms go on, and what peers do is seen later. So it is
    where the host's clock is far from the database's, for rooms go by that; and where it takes no
    more sockets: those that are open go on.

    A caller may show a service key: a wrong one is 401, so a lobby learns whether its own works."""
    serving = await runtime()
    if request.sent.header(b"authorization"):
        request.require_service_key(serving.service_keys)
    if serving.draining:  # said at once, whatever storage does
        return Answer(503, Health("unavailable", {"draining": "this process is shutting down"}))
    needed = await serving.store.check()
    wanted = serving.bus.check() | serving.time.check() | newcomers(serving)
    if not _good(needed):
        return Answer(503, Health("unavailable", needed | wanted))
    return Answer(200, Health("ok" if _good(wanted) else "degraded", needed | wanted))


def _good(checks: dict[str, str]) -> bool:
    return all(found == "ok" for found in checks.values())


def _of_services(limit_bytes: int) -> Callable[[exchange.Request], int]:
    """Of a stranger's body nothing is read. Who is one, is not known before the service runs."""

    def body_max(request: exchange.Request) -> int:
        serving = running()
        known = serving is None or serving.service_keys.allow(request.header(b"authorization"))
        return limit_bytes if known else exchange.NO_BODY

    return body_max


_PARTY = "/parties/(?P<party>[^/]+)"
_ROOM = _PARTY + "/(?P<room_id>[^/]+)"
ROUTES = [
    Route(re.compile(_ROOM + "/register"), "POST", register, _of_services(BODY_MAX_BYTES)),
    Route(re.compile(_ROOM + "/state"), "GET", state),
    Route(re.compile(_ROOM + "/matches"), "GET", matches),
    Route(re.compile(_ROOM + "/control"), "POST", control, _of_services(SERVICE_BODY_MAX_BYTES)),
    Route(re.compile(_ROOM), "GET", room_path),
    Route(re.compile(_PARTY), "GET", listed),
    Route(re.compile("/matches/(?P<match_id>[^/]+)"), "GET", match),
    Route(re.compile("/leaderboard"), "GET", leaderboard),
    Route(re.compile("/healthz"), "GET", healthz),
    Route(re.compile("/readyz"), "GET", readyz),
]
environment: Environment = settings.GREENROOM
http_application = HttpApplication(ROUTES, environment.origins)
