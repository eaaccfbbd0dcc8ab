"""`scripts/serve`: the lobby and the realtime service, which live and end together."""

import argparse
import os
import re
import signal
import subprocess
import time

from config import env
from scripts.lib.bootstrap import ROOT, ready_python, say
from scripts.lib.fleet import NotAllowed, environ_of, require_allowed, tiers_of
from scripts.lib.tier import PortTaken, Tier

READY_WITHIN_S = 30.0
LOOK_EVERY_S = 0.05
REALTIME_MAX = 64  # processes

AS_JSON = "-H 'Content-Type: application/json'"
WELCOME = """
Greenroom is ready.

  API            {lobby}/api/rooms   (its documentation: {lobby}/api/docs)
  admin          {lobby}/admin/   (an account: .venv/bin/python manage.py createsuperuser)
  realtime       {realtime}

Create a room, then join it with the roomId of the answer:

  curl {lobby}/api/rooms {as_json} -d '{{"username": "alice"}}'
  curl {lobby}/api/rooms/ROOMID/join {as_json} -d '{{"username": "bob"}}'

Ctrl-C stops all of it.
"""


class CannotServe(Exception):
    """A service does not run, or no longer; the message is a sentence."""


class AskedToStop(Exception):
    """Ctrl-C, or a signal that asks."""


def arguments() -> argparse.Namespace:
    """A mistake in them, or `--help`, ends the process."""
    parser = argparse.ArgumentParser(
        prog="scripts/serve",
        description="Run the lobby and the realtime service here until Ctrl-C.",
        epilog="Everything else is set by environment variables: see docs/operations.md.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--realtime",
        type=process_count,
        default=1,
        metavar="N",
        help="realtime processes, on REALTIME_PORT and the ports after it (default: 1); "
        "several need PostgreSQL and Redis: DATABASE_URL and REDIS_URL",
    )
    return parser.parse_args()


def process_count(text: str) -> int:
    if re.fullmatch("[0-9]{1,2}", text) and 1 <= int(text) <= REALTIME_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {REALTIME_MAX}")


def migrate(python: str) -> None:
    command = [python, "manage.py", "migrate", "--noinput", "--verbosity=0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reasons = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Timeout): ", line)]
        reason = (reasons or lines or ["?"])[-1].removeprefix("greenroom: ")
        raise CannotServe(f"the database can't be migrated. {reason}")


def require_alive(tiers: list[Tier]) -> None:
    for tier in tiers:
        status = tier.leader.poll()
        if status is not None:
            others = [other.title for other in tiers if other is not tier]
            are = "is" if len(others) == 1 else "are"
            raise CannotServe(
                f"{tier.title} died with status {status}; {listed(others)} {are} stopped too."
            )


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([*filter(None, [", ".join(words[:-1])]), words[-1]])


def wait_until_ready(tiers: list[Tier]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    waiting = tiers
    while waiting := [tier for tier in waiting if not tier.ready()]:
        require_alive(tiers)
        if time.monotonic() > deadline:
            raise CannotServe(
                f"{waiting[0].title} did not say ready in {READY_WITHIN_S:.0f} s, "
                f"at {waiting[0].url}/readyz."
            )
        time.sleep(LOOK_EVERY_S)


def stop(tiers: list[Tier]) -> None:
    """Politely and all at once; a second Ctrl-C, or 30 s, and they are killed."""
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
            tier.start(python, environ_of(tiers, os.environ))
        wait_until_ready(tiers)
        lobby, *realtime = (tier.url for tier in tiers)
        places = {"lobby": lobby, "realtime": "  ".join(realtime)}
        print(WELCOME.format(as_json=AS_JSON, **places), flush=True)
        while True:
            require_alive(tiers)
            time.sleep(LOOK_EVERY_S)
    finally:
        stop(tiers)


def ask_to_stop(*_: object) -> None:
    raise AskedToStop


def main() -> int:
    """0: stopped when asked. 1: could not start, or a service died. 2: an argument or a variable
    is illegal, or they do not go together."""
    wanted, environment = arguments(), env.read()
    tiers = tiers_of(environment, wanted.realtime)
    try:
        require_allowed(environment, tiers)
        serve(tiers)
    except NotAllowed as problem:
        say(str(problem))
        return 2
    except (PortTaken, CannotServe) as problem:
        say(str(problem))
        return 1
    except AskedToStop:
        say("stopped.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
