"""The wire of `chat`, the smallest room."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from contracts.limits import CHAT_TEXT_MAX

Text = Annotated[str, Meta(max_length=CHAT_TEXT_MAX * 4)]  # trimmed, then held to CHAT_TEXT_MAX


class ChatSettings(Struct, frozen=True):
    """A chat room has nothing to set."""


class ChatSay(Struct, frozen=True):
    """chat.say: a line for everybody, kept."""

    text: Text


class ChatSignal(Struct, frozen=True):
    """chat.signal: any JSON for everybody, relayed as it was written and not kept."""

    data: msgspec.Raw


class ChatSaid(Struct, frozen=True, rename="camel"):
    """chat.said: a line and who said it when."""

    player_id: str
    username: str
    text: str
    at: str
