"""`manage.py runserver`: ASGI on Daphne, in either tier."""

import asyncio
import sys
from typing import Any

from daphne.management.commands.runserver import Command as DaphneCommand
from daphne.server import Server
from django.conf import settings


class Command(DaphneCommand):
    """Daphne has no start-up event; the realtime service has to start by itself, for rooms whose
    alarms are due wait for no request."""

    def server_cls(self, **options: Any) -> Server:
        """The server that Daphne's command runs."""
        realtime = settings.GREENROOM.tier == "realtime"
        return Server(**options, ready_callable=start_realtime if realtime else None)


def start_realtime() -> None:
    """Start the room service on the event loop that is about to run."""
    from realtime.engine.store import StorageUnavailable
    from realtime.loading import UnusableParty
    from realtime.runtime import runtime

    async def start() -> None:
        try:
            await runtime()
        except (StorageUnavailable, UnusableParty) as problem:  # the next request tries again
            sys.stderr.write(f"greenroom: {problem}\n")

    starting = asyncio.get_event_loop().create_task(start())
    starting.add_done_callback(lambda task: task.result())
