"""The lobby, for any ASGI server (`python -m lobby` runs it on uvicorn)."""

import django

from config import env

env.enter("lobby")
django.setup()

from lobby.asgi import LobbyApplication  # noqa: E402  (it needs Django's apps to be ready)

application = LobbyApplication()
