"""The environment, in one table: the only module that reads `os.environ`.

`load` turns strings into a frozen record and refuses a bad value with one sentence. Standard
library only: `scripts/serve` asks before anything is installed. docs/operations.md explains each.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any, NoReturn

from config import kinds
from config.addresses import Database
from config.kinds import Kind
from config.spellings import Illegal, require_plain, slips
from contracts.origins import Origins

DEV_SERVICE_KEY = "dev-service-key-change-me"
DEV_SECRET_KEY = "dev-secret-key-change-me"


class BadEnvironment(Exception):
    """A variable says something illegal; the message is a sentence for the person who set it."""


@dataclass(frozen=True)
class Variable:
    """One environment variable. An unset or empty one has its default, in which `$NAME` stands for
    an earlier variable: the first of several values, and of a listener an address to reach it."""

    name: str
    kind: Kind
    default: str

    def parse(self, text: str) -> Any:
        """The value that `text` stands for. Raises BadEnvironment."""
        if not text:
            return self.kind.absent
        try:
            require_plain(self.name, text)
            return self.kind.parse(text)
        except Illegal as problem:
            raise BadEnvironment(f"{self.name} {problem}.") from None
        except ValueError:
            hidden = self.kind.secret or "@" in text
            found = "has an illegal value" if hidden else f"is {text[:80]!r}"
            raise BadEnvironment(f"{self.name} {found}; it must be {self.kind.legal}.") from None


def variable(name: str, kind: Kind, default: str | float = "") -> Any:
    """A field of `Environment` and the variable it is read from."""
    return field(metadata={"variable": Variable(name, kind, str(default))}, repr=not kind.secret)


@dataclass(frozen=True)
class Environment:
    """What the environment says. Durations are seconds."""

    mode: str = variable("GREENROOM_ENV", kinds.choice("development", "production"), "development")
    tier: str = variable("GREENROOM_TIER", kinds.choice("lobby", "realtime"), "lobby")
    lobby_host: str = variable("LOBBY_HOST", kinds.HOST, "127.0.0.1")
    lobby_port: int = variable("LOBBY_PORT", kinds.PORT, 8000)
    realtime_host: str = variable("REALTIME_HOST", kinds.HOST, "127.0.0.1")
    realtime_port: int = variable("REALTIME_PORT", kinds.PORT, 1999)
    realtime_urls: tuple[str, ...] = variable(
        "REALTIME_URL", kinds.HTTP_URLS, "http://$REALTIME_HOST:$REALTIME_PORT"
    )
    realtime_public_url: str = variable("REALTIME_PUBLIC_URL", kinds.PUBLIC_URL, "$REALTIME_URL")

    data: Path = variable("GREENROOM_DATA", kinds.FOLDER, "var")
    database: Database | None = variable("DATABASE_URL", kinds.DATABASE)
    redis_url: str | None = variable("REDIS_URL", kinds.REDIS)

    service_keys: tuple[str, ...] = variable("GREENROOM_SERVICE_KEY", kinds.KEYS, DEV_SERVICE_KEY)
    secret_key: str = variable("GREENROOM_SECRET_KEY", kinds.SECRET, DEV_SECRET_KEY)
    allowed_hosts: tuple[str, ...] = variable(
        "ALLOWED_HOSTS", kinds.HOSTS, "localhost,127.0.0.1,[::1],$LOBBY_HOST"
    )
    allowed_origins: tuple[str, ...] = variable("ALLOWED_ORIGINS", kinds.ORIGINS)
    trusted_proxies: int = variable("TRUSTED_PROXIES", kinds.whole(0, 16), 0)
    rate_limits: bool = variable("RATE_LIMITS", kinds.SWITCH, "on")

    parties: tuple[str, ...] = variable("GREENROOM_PARTIES", kinds.CLASSES)
    verify_state: bool | None = variable("VERIFY_STATE", kinds.SWITCH)
    log_level: str = variable(
        "LOG_LEVEL", kinds.choice("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"
    )

    join_timeout_s: float = variable("JOIN_TIMEOUT_S", kinds.SECONDS, 10)
    commit_deadline_s: float = variable("COMMIT_DEADLINE_S", kinds.SECONDS, 2)
    slow_turn_s: float = variable("SLOW_TURN_S", kinds.SECONDS, 0.5)
    realtime_connect_timeout_s: float = variable("REALTIME_CONNECT_TIMEOUT_S", kinds.SECONDS, 0.5)
    realtime_try_timeout_s: float = variable("REALTIME_TRY_TIMEOUT_S", kinds.SECONDS, 4)
    realtime_total_timeout_s: float = variable("REALTIME_TOTAL_TIMEOUT_S", kinds.SECONDS, 8.5)
    room_idle_s: float = variable("ROOM_IDLE_S", kinds.SECONDS, 60)
    refresh_interval_s: float = variable("REFRESH_INTERVAL_S", kinds.SECONDS, 0.25)
    realtime_calls_max: int = variable("REALTIME_CALLS_MAX", kinds.COUNT, 1000)
    clock_interval_s: float = variable("CLOCK_INTERVAL_S", kinds.SECONDS, 1)
    prune_interval_s: float = variable("PRUNE_INTERVAL_S", kinds.SECONDS, 60)
    host_left_grace_s: float = variable("HOST_LEFT_GRACE_S", kinds.SECONDS, 5)
    host_lost_grace_s: float = variable("HOST_LOST_GRACE_S", kinds.SECONDS, 15)
    seat_grace_s: float = variable("SEAT_GRACE_S", kinds.SECONDS_OR_NEVER, 60)
    empty_room_s: float = variable("EMPTY_ROOM_S", kinds.SECONDS, 3600)
    closed_room_s: float = variable("CLOSED_ROOM_S", kinds.SECONDS, 86_400)
    roll_call_s: float = variable("ROLL_CALL_S", kinds.SECONDS, 60)
    late_absence_s: float = variable("LATE_ABSENCE_S", kinds.SECONDS, 5)
    process_lives_s: float = variable("PROCESS_LIVES_S", kinds.SECONDS, 6)
    versions_interval_s: float = variable("VERSIONS_INTERVAL_S", kinds.SECONDS, 10)
    drain_timeout_s: float = variable("DRAIN_TIMEOUT_S", kinds.SECONDS, 10)
    drain_sockets_per_s: int = variable("DRAIN_SOCKETS_PER_S", kinds.COUNT, 250)

    max_spectators: int = variable("MAX_SPECTATORS", kinds.COUNT, 1000)
    mailbox_size: int = variable("MAILBOX_SIZE", kinds.COUNT, 1024)
    batch_size: int = variable("BATCH_SIZE", kinds.COUNT, 64)
    commits_waiting: int = variable("COMMITS_WAITING", kinds.COUNT, 10_000)
    socket_queue_bytes: int = variable("SOCKET_QUEUE_BYTES", kinds.COUNT, 262_144)
    socket_patience_s: float = variable("SOCKET_PATIENCE_S", kinds.SECONDS, 5)
    socket_frames_per_s: int = variable("SOCKET_FRAMES_PER_S", kinds.COUNT, 20)
    socket_frames_burst: int = variable("SOCKET_FRAMES_BURST", kinds.COUNT, 40)
    socket_frames_any_per_s: int = variable("SOCKET_FRAMES_ANY_PER_S", kinds.COUNT, 500)
    unauthenticated_sockets: int = variable("UNAUTHENTICATED_SOCKETS", kinds.COUNT, 1000)

    @property
    def production(self) -> bool:
        return self.mode == "production"

    @cached_property
    def origins(self) -> Origins:
        """The pages that this process lets in: one object, so a refused page is logged once."""
        return Origins(self.allowed_origins, development=not self.production)

    @property
    def verifies_state(self) -> bool:
        """What VERIFY_STATE says; where it says nothing, parties are verified while they grow."""
        return not self.production if self.verify_state is None else self.verify_state

    @property
    def weaknesses(self) -> list[str]:
        """What may not be so in production, a clause each."""
        found = {
            "GREENROOM_SERVICE_KEY is the development key": DEV_SERVICE_KEY in self.service_keys,
            "GREENROOM_SECRET_KEY is the development secret": self.secret_key == DEV_SECRET_KEY,
            "RATE_LIMITS is off": not self.rate_limits,
        }
        return [clause for clause, true in found.items() if true]


VARIABLES: dict[str, Variable] = {
    each.name: each.metadata["variable"] for each in fields(Environment)
}


def load(environ: Mapping[str, str]) -> Environment:
    """Read every variable. Raises BadEnvironment: an illegal value, or a weakness in production."""
    firsts: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, one in VARIABLES.items():
        given = environ.get(one.name, "").strip()
        text = given or Template(one.default).substitute(firsts)
        values[name] = one.parse(text)
        firsts[one.name] = one.kind.refer(text)
    environment = Environment(**values)
    if environment.production and environment.weaknesses:
        reasons = "; ".join(environment.weaknesses)
        raise BadEnvironment(f"GREENROOM_ENV=production refuses to start: {reasons}.")
    return environment


def read() -> Environment:
    """Read this process's environment. A bad one ends the process."""
    names = [one.name for one in VARIABLES.values()]
    for name, meant in slips(os.environ, names).items():
        print(f"greenroom: {name} is no variable of ours; is {meant} meant?", file=sys.stderr)
    try:
        return load(os.environ)
    except BadEnvironment as problem:
        end_process(problem)


def end_process(problem: BadEnvironment) -> NoReturn:
    """End this process with a sentence on stderr and status 2."""
    print(f"greenroom: {problem}", file=sys.stderr)
    raise SystemExit(2) from None


def enter(tier: str = "") -> None:
    """For an entry point: name Django's settings and, where it serves one tier only, that tier."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if tier:
        os.environ["GREENROOM_TIER"] = tier
