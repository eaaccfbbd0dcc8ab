"""One room from its creation to its end: who wants in, who talks, who plays and who goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from tests.faultlab import talk
from tests.faultlab.callers import Admission, Callers
from tests.faultlab.history import now
from tests.faultlab.names import some_name
from tests.faultlab.session import FOR_GOOD, Session
from tests.faultlab.talk import Tongue

LIFE_S = (8.0, 16.0)
INSIST_S = 20.0  # how long callers ask again for what nobody answered
QUIET_S = (0.05, 0.6)  # between two things that one player does
WISH_EVERY_S = {"leet99": (0.02, 0.5), "chat": (0.2, 2.0)}  # the one has few places
BACK_AFTER_S = (0.05, 0.4)


class RoomLife:
    """The people of one room."""

    def __init__(
        self, callers: Callers, chance: Random, party: str, sessions: set[Session]
    ) -> None:
        """`sessions` are all that are open now, in all rooms."""
        self._callers = callers
        self._chance = chance
        self._party = party
        self._sessions = sessions
        self._tongue = Tongue(chance)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends_at = now() + chance.uniform(*LIFE_S)
        self._starts_at = now() + chance.uniform(2, 8)
        self._cap = chance.randrange(3, 9)
        self._names = 0
        self._leaving: set[str] = set()
        self.hushed = self.dismissed = False

    @property
    def talkative(self) -> bool:
        """Whether anything new may be asked."""
        return not self.hushed and now() < self._ends_at

    async def run(self) -> None:
        """Until its time is over, or everybody was dismissed."""
        wish = self._callers.wish(self._party, self._name(), settings=self._settings())
        host = await self._callers.insist(wish, now() + INSIST_S)
        if host:
            self._spawn(self._stay(host))
            self._spawn(self._come(host.room_id))
        while self._tasks:
            await asyncio.wait(self._tasks)
            for task in [one for one in self._tasks if one.done()]:
                self._tasks.discard(task)
                task.result()

    def over(self) -> bool:
        """Whether sockets may end: nobody looks at them any more."""
        return self.dismissed or (not self.hushed and now() > self._ends_at)

    # -- joining ----------------------------------------------------------------------------

    async def _come(self, room_id: str) -> None:
        """Wishes, as long as the room lives; more than it has places."""
        while self.talkative:
            self._spawn(self._wish(room_id))
            if self._chance.random() < 0.2:
                node = self._callers.any_node()
                await self._callers.look(node, self._party, self._chance.choice([room_id]))
            await self._pause(WISH_EVERY_S[self._party])

    async def _wish(self, room_id: str) -> None:
        role = "spectator" if self._chance.random() < 0.1 else "player"
        where = room_id if self._chance.random() > 0.02 else f"{room_id}x"  # no such room
        wish = self._callers.wish(self._party, self._name(), room_id=where, role=role)
        admission = await self._callers.insist(wish, now() + INSIST_S)
        if self._chance.random() < 0.2:  # the same again, of another process too
            again = await self._callers.insist(wish, now() + INSIST_S)
            admission = admission or again
        if admission:
            await self._stay(admission)

    # -- staying ----------------------------------------------------------------------------

    async def _stay(self, admission: Admission) -> None:
        """One socket after the other, until one is closed for good."""
        while not self.over():
            session = Session(self._callers, admission, self._tongue)
            talking = asyncio.create_task(self._talk(session))
            self._sessions.add(session)
            lurk_s = self._chance.choice([0, 0, 0, 0, 0.5])
            try:
                await session.run(self._callers.any_node(), lurk_s, until=self.over)
            finally:
                self._sessions.discard(session)
                talking.cancel()
            if session.code in FOR_GOOD:
                await self._haunt(admission)
                return
            await self._pause(BACK_AFTER_S)

    async def _talk(self, session: Session) -> None:
        while self.talkative:
            await self._pause(QUIET_S)
            acts = ACTS if self._party == "leet99" else CHAT_ACTS
            act = self._chance.choices([one for one, _ in acts], [odds for _, odds in acts])[0]
            if self.talkative and session.entered:
                await act(self, session)

    async def _say(self, session: Session) -> None:
        if session.phase != "lobby" and self._chance.random() < 0.9:
            return  # it would be refused
        text = self._callers.history.new_text()
        await session.send(talk.say(self._party, text, session.admission.player_id))

    async def _set_up(self, session: Session) -> None:
        if session.is_host and (patch := self._tongue.patch()):
            await session.send(talk.set_up(patch))

    async def _play(self, session: Session) -> None:
        if session.is_host and session.phase == "lobby" and now() > self._starts_at:
            await session.send(talk.start())
        elif session.is_host and session.phase == "ended":
            await session.send(talk.go_back())

    async def _add_bots(self, session: Session) -> None:
        if session.is_host:
            await session.send(talk.add_bots(self._chance.randrange(1, 3)))

    async def _kick(self, session: Session) -> None:
        others = [one for one in session.others if one not in self._tongue.kicks]
        if session.is_host and others:
            await session.send(talk.kick(self._chance.choice(others)))

    async def _leave(self, session: Session) -> None:
        player_id = session.admission.player_id
        if player_id not in self._leaving:  # of two at a time, nobody could say which was kept
            self._leaving.add(player_id)
            await session.send(talk.leave())

    async def _signal(self, session: Session) -> None:
        await session.signal()

    async def _hang_up(self, session: Session) -> None:
        session.hang_up()

    async def _haunt(self, admission: Admission) -> None:
        """Who is gone tries the old token."""
        await Session(self._callers, admission, self._tongue).run(
            self._callers.any_node(), 0, until=self.over
        )

    async def _trespass(self, session: Session) -> None:
        """A token of this room, at the door of another."""
        elsewhere = [
            one.room_id
            for one in self._sessions
            if one.party == self._party and one.room_id != session.room_id
        ]
        if elsewhere:
            door = self._chance.choice(elsewhere)
            stranger = Session(self._callers, session.admission, self._tongue, door)
            await stranger.run(self._callers.any_node(), 0, until=self.over)

    # -- odds and ends ----------------------------------------------------------------------

    def _name(self) -> str:
        self._names += 1
        alike = some_name(self._chance)
        return alike if self._chance.random() < 0.3 else f"player {self._names}"

    def _settings(self) -> dict[str, Any]:
        if self._party == "chat":
            return {}
        return {"playerCap": self._cap, "matchDurationSec": self._chance.randrange(3, 6)}

    async def _pause(self, between: tuple[float, float]) -> None:
        await asyncio.sleep(self._chance.uniform(*between))

    def _spawn(self, work: Any) -> None:
        self._tasks.add(asyncio.create_task(work))


Act = Callable[[RoomLife, Session], Awaitable[None]]
ACTS: tuple[tuple[Act, float], ...] = (
    (RoomLife._say, 60),
    (RoomLife._set_up, 30),
    (RoomLife._play, 8),
    (RoomLife._add_bots, 4),
    (RoomLife._kick, 3),
    (RoomLife._leave, 2),
    (RoomLife._hang_up, 5),
    (RoomLife._trespass, 1),
)
CHAT_ACTS = (ACTS[0], (RoomLife._signal, 20), *ACTS[-3:])  # all that a chat room takes
