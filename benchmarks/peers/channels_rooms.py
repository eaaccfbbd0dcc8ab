"""Rooms on Django Channels as its tutorial makes them: a JSON consumer, and `group_send`.

An ASGI application. CHANNELS_REDIS names the Redis of its layer; without it the layer is in memory.
"""

from __future__ import annotations

import os
from typing import Any

import django
from django.conf import settings

CAPACITY = 20_000  # messages that wait for a socket; above it the layer drops them


def layer() -> dict[str, Any]:
    redis = os.environ.get("CHANNELS_REDIS")
    if redis:
        config = {"capacity": CAPACITY, "hosts": [redis]}
        return {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": config}
    return {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": CAPACITY}}


settings.configure(
    SECRET_KEY="no secret",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": layer()},
)
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402  needs the settings
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402


class Room(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        self.group = "room_" + self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: object, **_: object) -> None:
        await self.channel_layer.group_send(self.group, {"type": "room.said", "said": content})

    async def room_said(self, event: dict[str, Any]) -> None:
        await self.send_json(event["said"])


application = ProtocolTypeRouter(
    {"websocket": URLRouter([re_path(r"^rooms/(?P<room>\w+)$", Room.as_asgi())])}
)
