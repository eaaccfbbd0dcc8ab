"""The rooms of this process: finds or starts the actor of a room, and lets idle ones go."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping

from msgspec import UNSET, MsgspecError, Raw, UnsetType

from contracts.errors import Code, RoomError
from realtime.core.commands import Command, Connect
from realtime.core.messages import Message
from realtime.core.party import Party
from realtime.core.relay import Relay
from realtime.core.rows import Revision, RoomKey
from realtime.engine import announcements
from realtime.engine.actor import Actor
from realtime.engine.deadlines import Deadlines
from realtime.engine.hub import Connection
from realtime.engine.memory import Engine
from realtime.engine.posts import Post
from realtime.engine.stopwatch import Stopwatch


class Rooms:
    """Takes commands for any room of any party."""

    def __init__(self, parties: Mapping[str, Party], engine: Engine) -> None:
        self.parties = parties
        self._engine = engine
        self._deadlines = Deadlines(engine.limits.commit_deadline_s)
        self.stopwatch = Stopwatch(self._deadlines, engine.limits.slow_turn_s)
        self._actors: dict[RoomKey, Actor] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closing = False
        engine.hub.on_absence = self._absent

    def party(self, slug: str) -> Party:
        """The room type of this name. Raises NOT_FOUND."""
        try:
            return self.parties[slug]
        except KeyError:
            raise RoomError(Code.NOT_FOUND, "There is no such party") from None

    async def ask(
        self,
        key: RoomKey,
        command: Command,
        connection: Connection | None = None,
        request_id: str | UnsetType = UNSET,
    ) -> object:
        """Run a command and return its reply. Raises RoomError."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._post(key, Post(command, answer, connection, request_id))
        try:
            return await answer
        finally:
            del answer  # it holds its exception, whose traceback holds this frame

    async def look(self, key: RoomKey) -> object:
        """The room's summary, read once for all who wait for it. Raises RoomError."""
        if self._closing:
            raise RoomError(Code.REALTIME_UNAVAILABLE)
        return await asyncio.shield(self._actor(key).look())

    def tell(
        self, connection: Connection, command: Command, request_id: str | UnsetType = UNSET
    ) -> None:
        """Run a command for a connection, which gets its replies and refusals as frames."""
        self._post(connection.key, Post(command, None, connection, request_id))

    async def enter(
        self, connection: Connection, token_hash: str, request_id: str | UnsetType = UNSET
    ) -> None:
        """Show the room to a connection, as the player whose token it has. Raises RoomError."""
        if self._closing:
            raise RoomError(Code.REALTIME_UNAVAILABLE)
        self._actor(connection.key).showing.follow()
        command = Connect(token_hash, self._engine.peers.process)
        await self.ask(connection.key, command, connection, request_id)

    def heard(self, encoded: bytes) -> None:
        """A peer has something to tell of one of the rooms."""
        try:
            news = announcements.decode(encoded)
        except MsgspecError:
            return  # of another version of this program: the room's version tells what is missing
        if actor := self._actors.get(news.key):
            actor.showing.heard(news)

    def shown(self) -> dict[RoomKey, Revision]:
        """The rooms that are shown to somebody here, and up to which revision."""
        present = self._engine.hub.present
        told = {key: one.showing.revision for key, one in self._actors.items() if present(key)}
        return {key: revision for key, revision in told.items() if revision}

    def compare(self, key: RoomKey, told: Revision, stored: Revision) -> None:
        """Storage has the room at `stored`, and was asked when those here knew `told`."""
        if actor := self._actors.get(key):
            actor.compare(told, stored)

    def forget(self) -> None:
        """Remember no room's state: storage may be another one than before."""
        for actor in self._actors.values():
            actor.forget()

    def note_deaths(self, living: Container[str]) -> None:
        """Have every room note it, if a peer that had sockets of it is not among the living."""
        for actor in () if self._closing else self._actors.values():
            actor.note_deaths(living)

    def wake(self, key: RoomKey) -> None:
        """Let the alarms of a room that are due take effect."""
        if not self._closing:
            self._actor(key).wake()

    def relay(self, connection: Connection, message: Message, payload: Raw) -> None:
        """Hand a volatile message of this connection to its party. Raises what the handler does."""
        actor, engine = self._actor(connection.key), self._engine
        relay = Relay(
            connection.player_id, connection.username, engine.clock(), actor.showing.relay
        )
        with self.stopwatch.on(connection.key):
            message.handle(payload, self.party(connection.key.party), relay)

    def count(self) -> int:
        """Rooms that this process holds in memory."""
        return len(self._actors)

    async def close(self) -> None:
        """Take no more commands, and wait until every mailbox is empty. Cancelled: work is, too."""
        self._closing = True
        if self._sweep:
            self._sweep.cancel()
        await asyncio.gather(*(actor.close() for actor in self._actors.values()))

    def _post(self, key: RoomKey, post: Post) -> None:
        if self._closing:
            raise RoomError(Code.REALTIME_UNAVAILABLE)
        self._actor(key).post(post)

    def _absent(self, key: RoomKey, player_id: str, by_client: bool) -> None:
        """While this process ends, nobody is absent: all are about to come back."""
        if not self._closing:
            self._actor(key).absent(player_id, by_client=by_client)

    def _actor(self, key: RoomKey) -> Actor:
        actor = self._actors.get(key)
        if actor is None:
            party = self.party(key.party)
            actor = Actor(
                party, key, self._engine, self._deadlines, self.stopwatch, on_empty=self._forget
            )
            self._actors[key] = actor
            self._plan_sweep()
        return actor

    def _forget(self, key: RoomKey) -> None:
        if self._actors[key].idle and not self._engine.hub.present(key):
            self._actors.pop(key).rest()

    def _plan_sweep(self) -> None:
        if self._sweep is None:
            delay = self._engine.limits.room_idle_s / 4
            self._sweep = asyncio.get_running_loop().call_later(delay, self._let_go)

    def _let_go(self) -> None:
        """Drop actors nobody used for a while: the store has all they know. Those whose rooms are
        shown to somebody stay, and doze."""
        self._sweep = None
        since = self._engine.clock() - self._engine.limits.room_idle_s
        for key, actor in list(self._actors.items()):
            if actor.used_at < since:
                self._forget(key)
                actor.doze()
        if self._actors:
            self._plan_sweep()
