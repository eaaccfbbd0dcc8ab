"""A made-up room and its clients: what they ask for, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.faultlab.checker.example.kept import KeptRoom
from tests.faultlab.checker.example.run import Fields


class ExampleRoom(KeptRoom):
    """Answers by the rules. `fate`: answered, lost (done, nobody knows) or never (not done)."""

    def ask(
        self, op: str, args: Fields, player: str | None, act: Callable[[], Any], fate: str
    ) -> Any:
        """Write an operation down. `act` returns a reply, or the code of a refusal."""
        run, number = self.run, len(self.run.records)
        record = run.add("op", id=number, op=op, **self.place, args=args, player=player)
        record |= {"client": f"c{number}", "process": "realtime-1", "t0": run.now - run.some()}
        answer = None if fate == "never" else act()
        refused = isinstance(answer, str)
        outcome = "unknown" if fate != "answered" else "err" if refused else "ok"
        known = fate == "answered"
        record |= {} if known or op != "create" else {"room": None}
        record |= {"outcome": outcome, "t1": run.now + run.some(), "status": None if known else 503}
        record |= {"code": answer if refused and known else None}
        record |= {"reply": answer if known and not refused else None}
        run.step()
        return None if refused else answer

    def join(
        self,
        name: str,
        role: str = "player",
        *,
        fate: str = "answered",
        force: bool = False,
        **extra: Any,
    ) -> str | None:
        """A register, which creates the room when nobody has. Returns the player's id."""
        founding, player_id = self.version == 0, f"p_{self.code}_{len(self.run.records)}"
        args = {"username": name, "role": role, **extra}
        if founding:
            args["settings"] = dict(self.settings)

        def act() -> Fields | str:
            code = None if force else self._refusal(name, role)
            return code or self._admitted(player_id, name, role, founding=founding)

        done = self.ask("create" if founding else "join", args, None, act, fate)
        return player_id if done else None

    def joined(self, name: str, role: str = "player", **extra: Any) -> str:
        """A join that is granted: the player's id."""
        player_id = self.join(name, role, **extra)
        assert player_id
        return player_id

    def _admitted(self, player: str, name: str, role: str, *, founding: bool) -> Fields:
        self.admit(player, name, role, founding=founding)
        label = f"tk-{player}"
        self.run.add("token", t=self.run.now, label=label, room=self.code, player=player)
        known = {"playerId": player, "roomId": self.code, "token": label}
        return {**known, "role": role, "isHost": founding}

    def _refusal(self, name: str, role: str) -> str | None:
        if role == "player" and self.phase != "lobby":
            return "MATCH_ALREADY_STARTED"
        if self.has(name):
            return "USERNAME_TAKEN"
        full = role == "player" and self.count() >= self.settings["playerCap"]
        return "ROOM_FULL" if full else None

    def enter(self, player: str) -> str:
        """A socket shows the player's token. Returns its name."""
        run = self.run
        conn = f"s{len(run.records)}"
        asked = run.now - run.some()
        run.add("open", conn=conn, t=asked - 0.01, **self.place)
        run.add("entered", conn=conn, player=player, asked=asked, t=run.now)
        first = player not in self.arrived
        if first:
            self.alarms.pop(f"seat:{player}", None)
            self.keep("connect", token_hash="")
        self.frame(conn, "ROOM_SNAPSHOT", self.view(player))
        self.sockets[conn] = player
        self.show_token(player, player=player)
        if first:
            self.arrived.add(player)
            self.broadcast("PLAYER_UPDATE", {"player": self.shown(player)})
        self.elect()
        run.step()
        return conn

    def show_token(self, whose: str, outcome: str = "opened", player: str | None = None) -> None:
        """A token is tried."""
        t0, t1 = self.run.now - 0.01, self.run.now + 0.005
        label = f"tk-{whose}"
        record = {"label": label, "t0": t0, "t1": t1, "outcome": outcome, "player": player}
        self.run.add("try", **self.place, **record)

    def say(self, player: str, text: str, *, fate: str = "answered", force: bool = False) -> None:
        """A chat line."""

        def act() -> Fields | str:
            if self.phase != "lobby" and not force:
                return "FORBIDDEN"
            self.keep("receive", player_id=player, type="SEND_CHAT", payload={"text": text})
            line = {"id": f"c{self.seq}", "kind": "user", "text": text, "fromPlayerId": player}
            self.chat = [*self.chat, line][-100:]
            self.broadcast("CHAT_APPEND", {"message": line})
            return {}

        self.ask("chat", {"text": text}, player, act, fate)

    def set_cap(self, player: str, cap: int, fate: str = "answered") -> None:
        """The host's patch."""

        def act() -> Fields | str:
            if self.roster["host"] != player or self.phase != "lobby":
                return "FORBIDDEN"
            if cap < self.count():
                return "BAD_REQUEST"
            patch = {"patch": {"playerCap": cap}}
            self.keep("receive", player_id=player, type="UPDATE_SETTINGS", payload=patch)
            self.settings["playerCap"] = cap
            self.broadcast("SETTINGS_UPDATE", {"settings": dict(self.settings)})
            return {}

        self.ask("settings", {"patch": {"playerCap": cap}}, player, act, fate)

    def start(self, player: str, fate: str = "answered") -> None:
        """The host begins a match of thirty seconds."""

        def act() -> Fields | str:
            if self.roster["host"] != player or self.phase != "lobby":
                return "FORBIDDEN"
            if self.count() < 2:
                return "BAD_REQUEST"
            self.keep("receive", player_id=player, type="START_MATCH", payload={})
            self.begin()
            return {}

        self.ask("start", {}, player, act, fate)

    def go_back(self, player: str) -> None:
        """RETURN_TO_LOBBY."""

        def act() -> Fields | str:
            if self.roster["host"] != player or self.phase != "ended":
                return "FORBIDDEN"
            self.keep("receive", player_id=player, type="RETURN_TO_LOBBY", payload={})
            self.match, self.phase = None, "lobby"
            self.show_all()
            return {}

        self.ask("return", {}, player, act, "answered")

    def leave(self, player: str, fate: str = "answered") -> None:
        """LEAVE_ROOM, in the lobby."""

        def act() -> Fields:
            self.keep("receive", player_id=player, type="LEAVE_ROOM", payload={})
            self.release(player, 1000)
            return {}

        self.ask("leave", {}, player, act, fate)

    def kick(self, host: str, player: str) -> None:
        """KICK, in the lobby."""

        def act() -> Fields | str:
            if player not in self.roster["players"]:
                return "PLAYER_NOT_FOUND"
            payload = {"playerId": player}
            self.keep("receive", player_id=host, type="KICK", payload=payload)
            self.roster["removed"].append(player)
            self.release(player, 4010)
            return {}

        self.ask("kick", {"playerId": player}, host, act, "answered")

    def look(self) -> None:
        """GET …/state."""
        self.ask(
            "state",
            {},
            None,
            lambda: self.summary() if self.version else "ROOM_NOT_FOUND",
            "answered",
        )
