"""The lobby, for an ASGI server (`python -m lobby` runs it on uvicorn)."""

from django.core.wsgi import get_wsgi_application

from config import env

env.enter("lobby")
django = get_wsgi_application()

from lobby.asgi import LobbyApplication  # noqa: E402  (it needs Django's apps to be ready)

application = LobbyApplication(django)
