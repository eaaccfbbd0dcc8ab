"""A made-up room as storage would keep it, and what its sockets are sent."""

from __future__ import annotations

import copy

from tests.faultlab.checker.example.run import WALL, ExampleRun, Fields
from tests.faultlab.checker.names import name_key

SEAT_S, DURATION_S, WARMUP_S = 60.0, 30.0, 3.0


class KeptRoom:
    """A room of leet99. What is done to it here is done without a question."""

    def __init__(self, run: ExampleRun, code: str, cap: int = 4) -> None:
        self.run, self.code, self.version = run, code, 0
        self.settings: Fields = {"matchDurationSec": int(DURATION_S), "playerCap": cap}
        self.roster: Fields = {"players": {}, "host": None, "removed": []}
        self.chat: list[Fields] = []
        self.match: Fields | None = None
        self.phase, self.seq = "lobby", 0
        self.alarms: dict[str, Fields] = {}
        self.sockets: dict[str, str] = {}  # players by conn
        self.matches: list[Fields] = []
        self.arrived: set[str] = set()

    @property
    def place(self) -> Fields:
        """What records name it by."""
        return {"party": "leet99", "room": self.code}

    @property
    def members(self) -> dict[str, Fields]:
        """Who is in the room, by player id."""
        return self.roster["players"]

    def count(self, role: str = "player") -> int:
        """How many have this role."""
        return sum(one["role"] == role for one in self.members.values())

    def has(self, name: str) -> bool:
        """Whether the name is taken."""
        return name_key(name) in {name_key(one["username"]) for one in self.members.values()}

    def keep(self, command: str, **fields: object) -> None:
        """One more entry of the journal."""
        self.version += 1
        entry = {"command": {"command": command, **fields}, "seed": 1}
        actor = fields.get("player_id", "") if command in ("register", "receive") else ""
        record = {"version": self.version, "at": WALL + self.run.now, "command": command}
        self.run.add("journal", **self.place, **record, actor=actor, entry=entry)

    def broadcast(self, kind: str, payload: Fields) -> None:
        """A kept frame for everybody."""
        self.seq += 1
        for conn in self.sockets:
            self.frame(conn, kind, copy.deepcopy(payload), self.seq)

    def show_all(self) -> None:
        """A kept view for everybody."""
        self.seq += 1
        for conn, player in self.sockets.items():
            self.frame(conn, "ROOM_SNAPSHOT", self.view(player), self.seq)

    def frame(self, conn: str, kind: str, payload: Fields, seq: int | None = None) -> None:
        """One frame arrives."""
        self.run.add("frame", conn=conn, t=self.run.now, type=kind, seq=seq, payload=payload)

    def view(self, player: str) -> Fields:
        """ROOM_SNAPSHOT's payload."""
        players = [self.shown(one) for one in self.members]
        match = {"matchId": (self.match or {}).get("match_id"), "phase": self.phase}
        match["settings"] = dict(self.settings)
        me = self.shown(player)
        chat = copy.deepcopy(self.chat)
        return {"roomId": self.code, "players": players, "me": me, "match": match, "chat": chat}

    def shown(self, player: str) -> Fields:
        """A member as everybody sees it."""
        one = self.members[player]
        host = self.roster["host"] == player
        return {
            "playerId": player,
            "username": one["username"],
            "role": one["role"],
            "isHost": host,
        }

    def admit(self, player: str, name: str, role: str, *, founding: bool) -> None:
        """Somebody registers."""
        asked = {"player_id": player, "username": name, "role": role, "is_host": founding}
        self.keep("register", **asked, settings=dict(self.settings) if founding else {})
        joined_at = WALL + self.run.now
        self.members[player] = {**asked, "joined_at": joined_at, "retired": False}
        if founding:
            self.roster["host"] = player
        else:
            self.broadcast("PLAYER_UPDATE", {"player": self.shown(player)})
        if self.phase == "lobby":
            self.alarms[f"seat:{player}"] = {"at": joined_at + SEAT_S}

    def release(self, player: str, code: int) -> None:
        """Somebody is no member any more."""
        gone = self.shown(player)
        del self.members[player]
        self.alarms.pop(f"seat:{player}", None)
        for conn in [conn for conn, whose in self.sockets.items() if whose == player]:
            self.run.add("closed", conn=conn, t=self.run.now, code=code)
            del self.sockets[conn]
        self.broadcast("PLAYER_UPDATE", {"player": gone})
        self.elect()

    def elect(self) -> None:
        """Where the host is away, another takes its place, if there is one."""
        present = set(self.sockets.values())
        if self.roster["host"] in present:
            return
        heirs = [one for one in self.members if one in present]
        host = next((one for one in heirs if self.members[one]["role"] == "player"), None)
        if host or self.roster["host"] not in self.members:
            self.roster["host"] = host
            self.show_all()

    def begin(self) -> None:
        """A match starts; whoever is away keeps the seat."""
        started_at = WALL + self.run.now
        self.match = {"match_id": f"m_{self.code}_{self.version}", "started_at": started_at}
        self.phase = "warmup"
        self.alarms["main"] = {"at": started_at + WARMUP_S}
        self.alarms["end"] = {"at": started_at + DURATION_S}
        self.alarms = {name: due for name, due in self.alarms.items() if name[:5] != "seat:"}
        self.broadcast("MATCH_STARTED", {"match": self.view(next(iter(self.members)))["match"]})
        self.show_all()

    def ring(self, name: str) -> None:
        """An alarm takes effect, when it is due."""
        self.run.now = max(self.run.now, round(self.alarms.pop(name)["at"] - WALL + 0.01, 4))
        self.keep("alarm", name=name)
        match_id = self.match["match_id"] if self.match else ""
        if name == "end":
            self.matches.append({"matchId": match_id, "endReason": "timeExpired"})
            self.broadcast("MATCH_END", {"matchId": match_id, "endReason": "timeExpired"})
        if name in ("main", "end"):
            self.phase = "ended" if name == "end" else "main"
            self.broadcast("MATCH_PHASE_UPDATE", {"matchId": match_id, "phase": self.phase})
        else:
            self.release(name.removeprefix("seat:"), 1000)
        self.run.step()

    def poll(self, *, final: bool = False) -> None:
        """A second connection reads the row."""
        party = {"talk": {"chat": self.chat, "log": []}, "match": self.match, "bots": 0}
        state = {"settings": self.settings, "state": party, "phase": self.phase, "seq": self.seq}
        state |= {"roster": self.roster, "alarms": self.alarms, "expires_at": None}
        row: Fields = {
            "t0": self.run.now - 0.005,
            "t1": self.run.now + 0.005,
            "version": self.version,
        }
        row |= {"seq": self.seq, "status": "open" if self.phase == "lobby" else "in_game"}
        row |= {"phase": self.phase, "players": self.count(), "spectators": self.count("spectator")}
        row |= {"maxPlayers": self.settings["playerCap"], "state": copy.deepcopy(state)}
        self.run.add("row", **self.place, **row, final=final)
        self.run.step()

    def finish(self) -> None:
        """The run is over: what storage and the processes hold."""
        self.poll(final=True)
        for player, one in self.members.items():
            host, names = self.roster["host"] == player, ("username", "role")
            seat = {"playerId": player, "isHost": host, **{name: one[name] for name in names}}
            self.run.add("seat", **self.place, **seat)
        for match in self.matches:
            self.run.add("match", **self.place, **match)
        for process in ("realtime-1", "realtime-2"):
            self.run.add("served", process=process, **self.place, state=self.summary())

    def summary(self) -> Fields:
        """What GET …/state answers."""
        counts = {"players": self.count(), "spectators": self.count("spectator"), "bots": 0}
        return {"phase": self.phase, "playerCounts": counts, "settings": dict(self.settings)}
