"""chat: the smallest room. People come, talk, and leave; the last hundred lines stay."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from contracts.chat import ChatSaid, ChatSay, ChatSettings, ChatSignal
from contracts.errors import bad_request
from contracts.limits import CHAT_KEPT, SIGNAL_MAX_BYTES
from contracts.texts import spoken
from realtime.core.instants import iso
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.relay import Relay
from realtime.core.room import Room
from realtime.core.roster import Player


class ChatState(Struct):
    """The lines that a newcomer still sees."""

    messages: list[ChatSaid] = []


class ChatParty(Party):
    """A room to talk in."""

    slug = "chat"
    Settings = ChatSettings
    State = ChatState

    def view(self, room: Room) -> Mapping[str, object]:
        """Members and the last lines."""
        return {**super().view(room), "messages": room.state.messages}

    @message("chat.say", ChatSay)
    def say(self, room: Room, player: Player, chat: ChatSay) -> None:
        """A line for everybody, kept."""
        line = ChatSaid(player.player_id, player.username, spoken(chat.text), iso(room.now))
        room.state.messages = [*room.state.messages, line][-CHAT_KEPT:]
        room.broadcast("chat.said", line)

    @message("chat.signal", ChatSignal, volatile=True)
    def signal(self, relay: Relay, signal: ChatSignal) -> None:
        """Any JSON for everybody, as it was written."""
        if len(memoryview(signal.data)) > SIGNAL_MAX_BYTES:
            raise bad_request("payload.data", f"At most {SIGNAL_MAX_BYTES} bytes")
        relay.broadcast("chat.signalled", {"playerId": relay.player_id, "data": signal.data})
