"""`scripts/serve`: the lobby and the realtime service, which live and end together."""

import os
import re
import signal
import subprocess
import time

from config import env
from scripts.lib.bootstrap import ROOT, ready_python, say
from scripts.lib.tier import PortTaken, Tier

READY_WITHIN_S = 30.0
LOOK_EVERY_S = 0.05

AS_JSON = "-H 'Content-Type: application/json'"
WELCOME = """
Greenroom is ready.

  API            {lobby}/api/rooms   (its documentation: {lobby}/api/docs)
  admin          {lobby}/admin/   (an account: .venv/bin/python manage.py createsuperuser)
  realtime       {realtime}

Create a room, then join it with the roomId of the answer:

  curl {lobby}/api/rooms {as_json} -d '{{"username": "alice"}}'
  curl {lobby}/api/rooms/ROOMID/join {as_json} -d '{{"username": "bob"}}'

Ctrl-C stops both services.
"""


class CannotServe(Exception):
    """A service does not run, or no longer; the message is a sentence."""


class AskedToStop(Exception):
    """Ctrl-C, or a signal that asks."""


def tiers_of(environment: env.Environment) -> list[Tier]:
    return [
        Tier("lobby", environment.lobby_host, environment.lobby_port, ["-m", "lobby"]),
        Tier("realtime", environment.realtime_host, environment.realtime_port, ["-m", "realtime"]),
    ]


def migrate(python: str) -> None:
    command = [python, "manage.py", "migrate", "--noinput", "--verbosity=0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reasons = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Timeout): ", line)]
        raise CannotServe(f"the database can't be migrated. {(reasons or lines or ['?'])[-1]}")


def require_alive(tiers: list[Tier]) -> None:
    for tier in tiers:
        status = tier.leader.poll()
        if status is not None:
            others = " and ".join(other.name for other in tiers if other is not tier)
            raise CannotServe(f"{tier.name} died with status {status}; {others} is stopped too.")


def wait_until_ready(tiers: list[Tier]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    waiting = tiers
    while waiting := [tier for tier in waiting if not tier.ready()]:
        require_alive(tiers)
        if time.monotonic() > deadline:
            raise CannotServe(
                f"{waiting[0].url}/readyz did not say ready in {READY_WITHIN_S:.0f} s."
            )
        time.sleep(LOOK_EVERY_S)


def stop(tiers: list[Tier]) -> None:
    """Politely and both at once; a second Ctrl-C, or 30 s, and they are killed."""
    started = [tier for tier in tiers if hasattr(tier, "leader")]
    try:
        for tier in started:
            tier.ask_to_stop()
        for tier in started:
            tier.wait()
    except AskedToStop:
        say("killing what still runs.")
    finally:
        for tier in started:
            tier.kill()


def serve(tiers: list[Tier]) -> None:
    """Run until asked to stop. Raises PortTaken, CannotServe, AskedToStop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask_to_stop)
    for tier in tiers:
        tier.require_free_port()
    python = ready_python()
    migrate(python)
    try:
        for tier in tiers:
            tier.start(python, os.environ)
        wait_until_ready(tiers)
        urls = {tier.name: tier.url for tier in tiers}
        print(WELCOME.format(as_json=AS_JSON, **urls), flush=True)
        while True:
            require_alive(tiers)
            time.sleep(LOOK_EVERY_S)
    finally:
        stop(tiers)


def ask_to_stop(*_: object) -> None:
    raise AskedToStop


def main() -> int:
    """0: stopped when asked. 1: could not start, or a service died. 2: an illegal variable."""
    try:
        serve(tiers_of(env.read()))
    except (PortTaken, CannotServe) as problem:
        say(str(problem))
        return 1
    except AskedToStop:
        say("stopped.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
