"""The realtime service, for any ASGI server (`python -m realtime` runs it on uvicorn)."""

import django

from config import env

env.enter("realtime")
django.setup()

from realtime.asgi import application  # noqa: E402  (it needs Django's apps to be ready)

__all__ = ["application"]
