"""`python -m lobby`: the lobby on uvicorn."""

import sys

import uvicorn
from django.conf import settings

from config import env
from config.serving import server_config, tune_process

KEEP_ALIVE_S = 75  # longer than proxies keep a connection (nginx: 60 s), who else meet a closed one


def main() -> int:
    """Serve until SIGINT or SIGTERM. Returns the process's exit status."""
    env.enter("lobby")
    greenroom = settings.GREENROOM
    config = server_config(
        "config.lobby_asgi:application",
        greenroom.lobby_host,
        greenroom.lobby_port,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=greenroom.drain_timeout_s,
    )
    config.load()
    tune_process()
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
