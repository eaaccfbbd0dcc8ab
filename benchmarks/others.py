"""Other people's room services, each behind the smallest server that we could write on it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from benchmarks import cores, node
from benchmarks.cores import SERVERS, pinned
from benchmarks.load import NoFigures
from benchmarks.services import Running, Service, Start, Workload
from benchmarks.wire import MESSAGE_BYTES, Seat, Wire, ask, marked_json, seats_at, seats_by
from scripts.lib.bootstrap import ROOT
from scripts.lib.tier import Tier
from tests.support.servers import bare_environ, free_port, until

SERVERS_FOLDER = ROOT / "benchmarks" / "peers"
HOST = "127.0.0.1"
REDIS = "redis-server"
STARTED_WITHIN_S = 30.0
CHANNELS = "benchmarks.peers.channels_rooms:application"
UVICORN = (
    *("-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio"),
    *("--ws-per-message-deflate", "false", "--log-level", "warning", "--no-access-log"),
)

COLYSEUS_PACKAGES = ("@colyseus/core", "@colyseus/ws-transport", "express")
PARTY_PACKAGES = ("partyserver", "miniflare", "workerd", "esbuild")
NODE_PACKAGES = ("ws", "socket.io", *COLYSEUS_PACKAGES, *PARTY_PACKAGES, node.BUN)
PYTHON_PACKAGES = ("channels", "channels_redis", "uvicorn", "uvloop")

PLAIN = Wire(partial(seats_at, "/rooms/%d"), marked_json())  # what is said comes back as it is


class Peer(Tier):
    """A server that is ready when it listens."""

    log: Path

    def ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def launch(self, program: str, environ: Mapping[str, str], folder: Path) -> None:
        """Start, and write down what it says."""
        self.log = folder / f"{self.name}-{self.port}.log"
        with self.log.open("wb") as log:
            self.leader = subprocess.Popen(
                [sys.executable, "-m", "scripts.lib.tier", program, *self.arguments],
                cwd=ROOT,
                env=dict(environ),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        try:
            until(lambda: self.ready() or self.leader.poll() is not None, STARTED_WITHIN_S)
        except AssertionError:
            raise NoFigures(f"{self.name} does not listen: {self.said}") from None
        if self.leader.poll() is not None:
            raise NoFigures(f"{self.name} ended at once: {self.said}")

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")[-1000:].strip() or "it said nothing"


def services() -> dict[str, Service]:
    """All of them, under the names that `--peers` takes."""
    return {
        "ws": node_ws(),
        "socket.io": socketio(),
        "colyseus": colyseus(),
        "partyserver": partyserver(),
        "channels-redis": channels_on_redis(),
        "channels-memory": Service("Channels, memory", _channels_in_memory, talk=PLAIN),
        "bun": bun(),
        "node-workerd": party_lobby(),
    }


def versions() -> str:
    """Of whatever is installed."""
    ours = [f"{package} {version(package)}" for package in PYTHON_PACKAGES]
    theirs = [package for package in NODE_PACKAGES if not node.lacks(package)]
    return ", ".join([*node.versions(theirs), *ours])


def node_ws() -> Service:
    return Service("ws", on_node("ws", "ws_rooms.js"), talk=PLAIN, lacks=node.lacks("ws"))


def bun() -> Service:
    """Its own WebSockets are uWebSockets."""
    arguments = [str(SERVERS_FOLDER / "bun_rooms.js"), "PORT"]
    start = partial(_one, "Bun", node.bun(), arguments, node.environ())
    return Service("Bun", start, talk=PLAIN, lacks=node.lacks(node.BUN))


def socketio() -> Service:
    """Each message is an event with one argument; a member joins its room by an event too."""
    wire = Wire(
        partial(seats_at, "/socket.io/?EIO=4&transport=websocket"),
        steps=("<0{", ">40", "<40", '>42["join","%G"]', "<joined"),
        message=f'42["say",{marked_json()}]',
    )
    start = on_node("socket.io", "socketio_rooms.js")
    return Service("socket.io", start, talk=wire, lacks=node.lacks("socket.io"))


def colyseus() -> Service:
    """Rooms of eight seats in memory, and rooms to talk in. A message is a type and a string, in
    MessagePack; the server's first one says that it may begin."""
    start = on_node("Colyseus", "colyseus_rooms.js")
    lobby = Workload(
        create="POST /matchmake/create/lobby {}",
        key='"roomId":"',
        join="POST /matchmake/joinById/%K {}",
    )
    talk = Wire(
        partial(seats_by, colyseus_room),
        steps=("<\\x0a", ">\\x0a"),
        message=f"\\x0d\\xa3say\\xd9\\x{MESSAGE_BYTES:02x}{marked_json()}",
        binary=True,
    )
    return Service("Colyseus", start, lobby, talk, lacks=node.lacks(*COLYSEUS_PACKAGES))


def colyseus_room(matchmaker: HTTPConnection, number: int, members: int) -> list[Seat]:
    """Seats in the room of a number; the first one creates it."""
    path, wish = "/matchmake/joinOrCreate/chat", {"number": number}
    reserved = [ask(matchmaker, path, wish) for _ in range(members)]
    address = f"ws://{matchmaker.host}:{matchmaker.port}"
    return [
        Seat(number, f"{address}/{one['processId']}/{one['roomId']}?sessionId={one['sessionId']}")
        for one in reserved
    ]


def partyserver() -> Service:
    """On workerd: each room is a Durable Object."""
    talk = Wire(partial(seats_at, "/parties/chat/%d"), marked_json())
    return Service("partyserver", _workerd, talk=talk, lacks=node.lacks(*PARTY_PACKAGES))


def party_lobby() -> Service:
    """A lobby on Node.js that tells a Durable Object of every seat."""
    lobby = Workload(
        create='POST /api/rooms {"username":"host","settings":{"playerCap":8}}',
        key='"roomId":"',
        join='POST /api/rooms/%K/join {"username":"player %J"}',
    )
    return Service("Node + workerd", _node_and_workerd, lobby, lacks=node.lacks(*PARTY_PACKAGES))


def channels_on_redis() -> Service:
    """The layer that Channels recommends, on a Redis of its own."""
    lacks = "" if shutil.which(REDIS) else f"there is no {REDIS}"
    return Service("Channels, Redis", _channels_on_redis, talk=PLAIN, lacks=lacks)


def on_node(name: str, file: str) -> Start:
    return partial(_one, name, "node", [str(SERVERS_FOLDER / file), "PORT"], node.environ())


# How they are started. Each has the servers' core, and has ended after its block.

Environ: TypeAlias = Mapping[str, str]


@contextmanager
def started(
    name: str, program: str, arguments: Sequence[str], environ: Environ, folder: Path
) -> Iterator[Peer]:
    """A server that listens. `PORT` among its arguments becomes a free one."""
    port = free_port()
    peer = Peer(name, HOST, port, [str(port) if one == "PORT" else one for one in arguments])
    with pinned(SERVERS):
        peer.launch(program, environ, folder)
    try:
        peer.wait_until_ready()
        yield peer
        peer.ask_to_stop()
        peer.wait()
    finally:
        peer.kill()


def running(*peers: Peer) -> Running:
    """Clients talk to the first of them."""
    groups = {peer.name: partial(cores.group, peer.leader.pid) for peer in peers}
    return Running((peers[0].port,), {**groups})


@contextmanager
def _one(
    name: str, program: str, arguments: Sequence[str], environ: Environ, folder: Path
) -> Iterator[Running]:
    with started(name, program, arguments, environ, folder) as peer:
        yield running(peer)


@contextmanager
def _party(folder: Path) -> Iterator[Peer]:
    """workerd, and the Node.js that made it ready."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        arguments = [str(SERVERS_FOLDER / "party_run.js"), "PORT", own]
        environ = {**node.environ(), "TMPDIR": own}  # where it keeps the rooms
        with started("workerd", "node", arguments, environ, folder) as peer:
            yield peer


@contextmanager
def _workerd(folder: Path) -> Iterator[Running]:
    with _party(folder) as peer:
        yield running(peer)


@contextmanager
def _node_and_workerd(folder: Path) -> Iterator[Running]:
    with _party(folder) as party:
        arguments = [str(SERVERS_FOLDER / "party_lobby.js"), "PORT", str(party.port)]
        with started("Node", "node", arguments, node.environ(), folder) as lobby:
            yield running(lobby, party)


@contextmanager
def _channels_in_memory(folder: Path) -> Iterator[Running]:
    with _channels(bare_environ(), folder) as peer:
        yield running(peer)


@contextmanager
def _channels_on_redis(folder: Path) -> Iterator[Running]:
    arguments = ["--port", "PORT", "--bind", HOST, "--save", "", "--dir", str(folder)]
    with started("Redis", REDIS, arguments, os.environ, folder) as redis:
        environ = {**bare_environ(), "CHANNELS_REDIS": f"redis://{HOST}:{redis.port}/0"}
        with _channels(environ, folder) as peer:
            yield running(peer, redis)


def _channels(environ: Environ, folder: Path) -> AbstractContextManager[Peer]:
    arguments = [*UVICORN, "--host", HOST, "--port", "PORT", CHANNELS]
    return started("Channels", sys.executable, arguments, environ, folder)
