"""What is measured: a service and how it is used, and Greenroom as `scripts/serve` runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from benchmarks import CLIENT_COUNT, JOINS, cores, databases
from benchmarks.cores import SERVERS, pinned
from benchmarks.databases import Make
from benchmarks.wire import Seat, Wire, ask, marked_json, marked_text, seats_by
from config.serving import GARBAGE_THRESHOLDS
from tests.support.servers import free_port, server

SWITCHES = {"RATE_LIMITS": "off", "VERIFY_STATE": "off"}  # all else is as it comes
HOLDS_SOCKETS = "realtime"  # the other processes of ours have none


def switches() -> str:
    """What is not as it comes, and how processes are tuned."""
    named = ", ".join(f"{name}={value}" for name, value in SWITCHES.items())
    tuned = f"both tiers: SCHED_BATCH, gc thresholds {GARBAGE_THRESHOLDS}"
    return f"{named}; {tuned}; all else as it comes"


class Workload(NamedTuple):
    """The client's requests, in its own words: see client/httpload.c."""

    create: str
    key: str
    join: str
    joins: int = JOINS
    clients: int = CLIENT_COUNT
    header: str = ""
    routes: Literal["sticky", "any"] = "sticky"


@dataclass(frozen=True)
class Running:
    """A service under way: where it answers, and which processes work for it."""

    ports: tuple[int, ...]
    processes: dict[str, Callable[[], list[int]]]
    confine: Callable[[], object] = lambda: None  # what was started by others, to the core

    def cpu_s(self) -> dict[str, float]:
        """CPU time so far, by what took it."""
        return {name: cores.cpu_s(find()) for name, find in self.processes.items()}

    def memory_kib(self) -> int:
        """What the processes hold that have the sockets."""
        only = self.processes.get(HOLDS_SOCKETS)
        found = [only] if only else self.processes.values()
        return sum(cores.memory_kib(find()) for find in found)


Start: TypeAlias = Callable[[Path], AbstractContextManager[Running]]  # with a folder for its data


class Service(NamedTuple):
    """One row of a table. What it is not measured at is None."""

    name: str
    start: Start
    lobby: Workload | None = None  # create and join
    talk: Wire | None = None  # say what is passed on
    keep: Wire | None = None  # say what is stored first
    lacks: str = ""  # why it can't run here; empty when it can


def greenroom(name: str, make: Make) -> Service:
    """Both tiers, on a database of its own."""
    return Service(
        name,
        partial(_greenroom, make),
        lobby=Workload(
            create='POST /api/rooms {"username":"host","settings":{"playerCap":8}}',
            key='"roomId":"',
            join='POST /api/rooms/%K/join {"username":"player %J"}',
        ),
        talk=chat_message("chat.signal", f'{{"data":{marked_json()}}}'),
        keep=chat_message("chat.say", f'{{"text":"{marked_text()}"}}'),
    )


def chat_message(kind: str, payload: str) -> Wire:
    """A message in a room of `chat`, from a member who has entered it with its token."""
    return Wire(
        seats=partial(seats_by, chat_room),
        steps=('>{"type":"JOIN_ROOM","payload":{"playerToken":"%K"}}', '<"ROOM_SNAPSHOT"'),
        message=f'{{"type":"{kind}","payload":{payload}}}',
    )


def chat_room(lobby: HTTPConnection, number: int, members: int) -> list[Seat]:
    """Create a room through the public API, and join it until it has so many members."""
    host = ask(lobby, "/api/rooms", {"party": "chat", "username": "member 0"})
    path = f"/api/rooms/{host['roomId']}/join"
    wishes = [{"party": "chat", "username": f"member {index}"} for index in range(1, members)]
    admitted = [host, *(ask(lobby, path, wish) for wish in wishes)]
    return [Seat(number, one["wsUrl"], one["playerToken"]) for one in admitted]


@contextmanager
def _greenroom(make: Make, folder: Path) -> Iterator[Running]:
    with make(folder) as database, ExitStack() as started:
        ports = {"LOBBY_PORT": str(free_port()), "REALTIME_PORT": str(free_port())}
        environ = {**database.environ, **SWITCHES, **ports}
        with pinned(SERVERS):
            realtime = started.enter_context(server("realtime", environ, folder))
            lobby = started.enter_context(server("lobby", environ, folder))
        yield Running(
            (lobby.port,),
            {
                "lobby": partial(cores.group, lobby.leader.pid),
                HOLDS_SOCKETS: partial(cores.group, realtime.leader.pid),
                "PostgreSQL": partial(databases.workers, database),
            },
            confine=partial(databases.confine, SERVERS, database),
        )
        lobby.stop()
        realtime.stop()
