"""hot-potato: pass it on before it explodes; who holds it then is out. The last one left wins."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.party import Code, Party, Player, Relay, Room, RoomError, bad_request, message

BANG = "bang"  # the alarm
FUSE_MIN_S, HOT_S = 3, 3


class PotatoSettings(Struct, frozen=True, rename="camel"):
    """What the host may choose when creating the room."""

    fuse_max_s: Annotated[int, Meta(ge=FUSE_MIN_S, le=60)] = 20


class PotatoState(Struct):
    """What the room keeps. When the potato explodes is kept too: in its alarm, and in no view."""

    alive: list[str] = []  # ids of the players who are still in
    holder: str | None = None  # the id of one of them
    winner: str | None = None  # the name: its owner may leave


class Pass(Struct, frozen=True):
    """PASS: to whom, a player's id."""

    to: str


class Taunt(Struct, frozen=True):
    """TAUNT: a face to make."""

    face: Literal["grin", "sweat", "wave"]


class HotPotato(Party):
    """Two phases: the lobby, where people gather, and the game."""

    slug = "hot-potato"
    Settings = PotatoSettings
    State = PotatoState

    @message("START")
    def start(self, room: Room, player: Player) -> None:
        """Everybody who is here plays. Nobody can register until the lobby is back."""
        if room.phase != "lobby" or not room.is_host(player):
            raise RoomError(Code.FORBIDDEN, "Only the host starts, in the lobby")
        here = [one.player_id for one in room.present if one.role == "player"]
        if len(here) < 2:
            raise RoomError(Code.BAD_REQUEST, "It takes two")
        room.phase, room.state = "game", PotatoState(alive=here)
        self._toss(room)
        room.broadcast_view()

    @message("PASS", Pass)
    def pass_on(self, room: Room, player: Player, wish: Pass) -> None:
        if player.player_id != room.state.holder:
            raise RoomError(Code.FORBIDDEN, "You do not hold the potato")
        to = room.player(wish.to)
        if to is None or to == player or wish.to not in room.state.alive:
            raise bad_request("payload.to", "Name another player who is still in")
        self._hand(room, to)

    @message("TAUNT", Taunt, volatile=True)
    def taunt(self, relay: Relay, taunt: Taunt) -> None:
        relay.broadcast("TAUNTED", {"playerId": relay.player_id, "face": taunt.face})

    def on_alarm(self, room: Room, name: str) -> None:
        self._lose(room, room.state.holder, "EXPLODED")

    def on_leave(self, room: Room, player: Player) -> None:
        """Who leaves is out. Who is only absent plays on, and the potato explodes all the same."""
        if player.player_id in room.state.alive:
            self._lose(room, player.player_id, "GAVE_UP")
        super().on_leave(room, player)

    def view(self, room: Room) -> dict[str, object]:
        return {**super().view(room), "phase": room.phase, "game": room.state}

    def own_view(self, room: Room, player: Player) -> dict[str, object]:
        """Only the holder feels how hot it is."""
        holds = player.player_id == room.state.holder
        return {**super().own_view(room, player), "heat": self._heat(room) if holds else None}

    def _heat(self, room: Room) -> str:
        explodes_at = room.due(BANG) or 0.0
        return "hot" if explodes_at - room.now <= HOT_S else "warm"

    def _alive(self, room: Room) -> list[Player]:
        return [one for one in room.players if one.player_id in room.state.alive]

    def _toss(self, room: Room) -> None:
        if room.due(BANG) is None:  # the last potato has exploded
            tenths = room.random.randint(FUSE_MIN_S * 10, room.settings.fuse_max_s * 10)
            room.alarm(BANG, tenths / 10)
        self._hand(room, room.random.choice(self._alive(room)))

    def _hand(self, room: Room, to: Player) -> None:
        room.state.holder = to.player_id
        room.broadcast("POTATO", {"playerId": to.player_id})
        room.send(to, "HEAT", {"heat": self._heat(room)})

    def _lose(self, room: Room, player_id: str, how: str) -> None:
        room.state.alive.remove(player_id)
        room.broadcast(how, {"playerId": player_id})
        if len(room.state.alive) == 1:
            self._end(room, self._alive(room)[0])
        elif player_id == room.state.holder:
            self._toss(room)

    def _end(self, room: Room, winner: Player) -> None:
        room.cancel_alarm(BANG)
        room.phase, room.state = "lobby", PotatoState(winner=winner.username)
        room.broadcast("WON", {"username": winner.username})
        room.broadcast_view()
