"""The client in C beside servers that pass on what they should, too much, and nothing."""

import re
import shutil
import threading
from collections import defaultdict
from contextlib import contextmanager

import pytest
from websockets.sync.server import serve

from benchmarks.load import NoFigures
from benchmarks.services import Running
from benchmarks.sockets import Crowd, measure, members
from benchmarks.wire import Seat, Wire, marked_json

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler (cc)")

CROWD = Crowd(rooms=2, members=3, all_send=True)
PACED = "paced:rate=100,warm=0.1,measure=0.3"


class Rooms:
    """A server whose members show a key, and hear each message so many times."""

    def __init__(self, times=1):
        self.times = times
        self.keys = []
        self._rooms, self._lock = defaultdict(list), threading.Lock()

    def __call__(self, socket):
        self.keys.append(socket.recv())
        socket.send("welcome ~T before anything is measured")
        with self._lock:
            self._rooms[socket.request.path].append(socket)
        for said in socket:
            self.tell(self._rooms[socket.request.path], said)

    def tell(self, room, said):
        with self._lock:
            for member in room:
                for _ in range(self.times):
                    member.send(said)

    def hang_up(self):
        for room in self._rooms.values():
            for member in room:
                member.close(1001)


def seats(port, rooms, members):
    for room in range(rooms):
        for member in range(members):
            yield Seat(room, f"ws://127.0.0.1:{port}/{room}", f"key-{member}")


WIRE = Wire(seats, marked_json(), steps=(">I am %K of %G", "<welcome"))


@contextmanager
def running(rooms):
    with serve(rooms, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Running((server.socket.getsockname()[1],), {"rooms": list})
        finally:
            server.shutdown()
            thread.join()


def test_members_enter_with_their_keys_and_hear_what_is_said(tmp_path):
    rooms = Rooms()
    with running(rooms) as server:
        told = measure(server, WIRE, CROWD, PACED, tmp_path)
    assert sorted(rooms.keys) == [f"I am key-{m} of {r:04}" for m in range(3) for r in range(2)]
    assert 0 < told["deliveries"] <= 1.5 * 100 * 3 * 0.3
    assert 0 < told["p50_ms"] <= told["p99_ms"]
    assert told["cpu_s"] == {"rooms": 0}


@pytest.mark.parametrize(
    "phase",
    ["burst:window=2,warm=0.1,measure=0.2", "search:low=600,factor=8,fine=9,warm=0.1,measure=0.1"],
)
def test_other_phases_measure_too(phase, tmp_path):
    with running(Rooms()) as server:
        assert measure(server, WIRE, CROWD, phase, tmp_path)["deliveries"] > 0


def test_a_delivery_too_many_leaves_no_figures(tmp_path, capfd):
    with running(Rooms(times=2)) as server, pytest.raises(NoFigures):
        measure(server, WIRE, CROWD, PACED, tmp_path)
    due, came = map(int, re.findall(r"\d+", capfd.readouterr().err))
    assert came > due


def test_a_lost_connection_leaves_no_figures(tmp_path, capfd):
    rooms = Rooms()
    with running(rooms) as server, members(server, WIRE, CROWD, ["hold"], tmp_path) as client:
        assert client.hear("open")["members"] == 6
        client.hear("hold")
        rooms.hang_up()
        with pytest.raises(NoFigures):
            client.hear("hold")
    assert "was closed with 1001" in capfd.readouterr().err
