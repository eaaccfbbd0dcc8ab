"""The composition root: every part of the realtime service, wired on one screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from secrets import token_hex
from typing import Protocol

from channels.layers import get_channel_layer
from django.conf import settings as django_settings

from config.env import Environment
from contracts.complaints import Complaints
from realtime.auth import ServiceKeys
from realtime.core.surroundings import Graces, Surroundings
from realtime.drain import SOCKETS_S, STORAGE_S, Socket, send_away
from realtime.engine.bus import Bus, NoBus
from realtime.engine.channels_bus import ChannelsBus
from realtime.engine.clock import Clock
from realtime.engine.hub import Hub
from realtime.engine.memory import Engine, Limits
from realtime.engine.orm_store import OrmStore
from realtime.engine.peers import Peers
from realtime.engine.postgres_connection import Claim
from realtime.engine.rooms import Rooms
from realtime.engine.store import Busy, StorageUnavailable, Store
from realtime.engine.timekeeper import Timekeeper
from realtime.engine.watch import Watch
from realtime.listing import Listing
from realtime.loading import load_parties

PARTIES = ("realtime.parties.leet99.Leet99", "realtime.parties.chat.ChatParty")


class Stranger(Protocol):
    """An open socket that has not entered a room yet."""

    address: str  # where it comes from, or ""


class Runtime:
    """One process of the realtime service."""

    def __init__(
        self,
        settings: Environment,
        store: Store,
        listing: Listing | None = None,
        bus: Bus | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.bus = bus or NoBus()
        self.process = token_hex(8)
        self.hub = Hub()
        self.service_keys = ServiceKeys(settings.service_keys)
        self.strangers: set[Stranger] = set()
        self.peers = Peers(self.process, store, lives_s=settings.process_lives_s)
        self.time = Timekeeper(store, self.peers.interval_s, settings.commit_deadline_s)
        self.listing = listing or Listing(clock=self.time)
        self.sockets: set[Socket] = set()  # of all that are open, strangers too
        engine = Engine(
            store=store,
            hub=self.hub,
            bus=self.bus,
            peers=self.peers,
            clock=self.time,
            surroundings=Surroundings(
                Random, settings.max_spectators, _graces(settings), verify=settings.verifies_state
            ),
            complaints=Complaints("commits or reads of rooms"),
            limits=Limits(
                mailbox_size=settings.mailbox_size,
                batch_size=settings.batch_size,
                commit_deadline_s=settings.commit_deadline_s,
                refresh_interval_s=settings.refresh_interval_s,
                room_idle_s=settings.room_idle_s,
                clock_interval_s=settings.clock_interval_s,
                prune_interval_s=settings.prune_interval_s,
                slow_turn_s=settings.slow_turn_s,
            ),
        )
        self.rooms = Rooms(load_parties((*PARTIES, *settings.parties)), engine)
        self.clock = Clock(self.rooms, engine)
        self.watch = Watch(self.rooms, engine, settings.versions_interval_s)
        self.draining = False

    async def start(self) -> None:
        """Open storage. Raises StorageUnavailable with a reason an operator can act on."""
        await self.store.start()
        self.listing.start()
        try:
            await self.time.start()
            await self.watch.start()
        except (StorageUnavailable, Busy, TimeoutError) as problem:
            await asyncio.gather(self.time.close(), self.listing.close(), self.store.close())
            raise StorageUnavailable(str(problem) or "storage does not answer") from problem
        self.rooms.stopwatch.start()
        self.clock.start()

    async def close(self) -> None:
        """Finish what was taken on, send the sockets away, then close storage."""
        self.draining = True
        limit_s = self.settings.drain_timeout_s
        until = asyncio.get_running_loop().time() + limit_s + SOCKETS_S
        with suppress(TimeoutError):  # what is left was not acknowledged
            async with asyncio.timeout(limit_s):
                await asyncio.gather(self.rooms.close(), self.clock.close())
        self.hub.flush()
        await send_away(self.sockets, self.settings.drain_sockets_per_s, until)
        self.rooms.stopwatch.close()
        with suppress(TimeoutError):  # it hangs, and has nothing left to keep
            async with asyncio.timeout(STORAGE_S):
                await asyncio.gather(self.time.close(), self.watch.close())
                await asyncio.gather(self.listing.close(), self.store.close())


def _graces(settings: Environment) -> Graces:
    return Graces(
        host_left_s=settings.host_left_grace_s,
        host_lost_s=settings.host_lost_grace_s,
        seat_s=settings.seat_grace_s,
        empty_s=settings.empty_room_s,
        roll_call_s=settings.roll_call_s,
        late_s=settings.late_absence_s,
        closed_s=settings.closed_room_s,
    )


def orm_store(settings: Environment) -> Store:
    """Where rooms are kept: the database that Django's settings name."""
    claim = Claim.TOGETHER if settings.redis_url else Claim.ALONE
    return OrmStore(
        claim=claim, lives_s=settings.process_lives_s, max_waiting=settings.commits_waiting
    )


def bus_of(settings: Environment) -> Bus:
    """How this process hears of others: through Redis, where several may use one database."""
    if settings.redis_url and settings.database:
        return ChannelsBus(get_channel_layer())
    return NoBus()


class Process:
    """This process's runtime, started when it is first asked for: Daphne has no start-up event."""

    def __init__(self, make_store: Callable[[Environment], Store]) -> None:
        self.make_store = make_store
        self.running: Runtime | None = None
        self._starting: asyncio.Task[Runtime] | None = None

    async def runtime(self) -> Runtime:
        """The runtime, started once for all who ask. Raises StorageUnavailable; the next call tries
        again. A caller that goes away stops nothing: storage is claimed for the others."""
        if self.running:
            return self.running
        if self._starting is None or _failed(self._starting):
            self._starting = asyncio.create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> Runtime:
        settings: Environment = django_settings.GREENROOM
        made = Runtime(settings, self.make_store(settings), bus=bus_of(settings))
        await made.start()
        self.running = made
        return made


def _failed(task: asyncio.Task[Runtime]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


process = Process(orm_store)
runtime = process.runtime


def running() -> Runtime | None:
    """This process's runtime, once it has started."""
    return process.running
