"""The composition root: every part of the realtime service, wired on one screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from random import Random

from django.conf import settings as django_settings

from config.env import Environment
from contracts.complaints import Complaints
from contracts.paths import is_party
from realtime.auth import Origins, ServiceKeys
from realtime.core.party import Party
from realtime.core.turns import Surroundings
from realtime.engine.actor import Engine, Limits
from realtime.engine.hub import Hub
from realtime.engine.orm_store import OrmStore
from realtime.engine.rooms import Rooms
from realtime.engine.store import Store

PARTIES = ("realtime.parties.leet99.Leet99", "realtime.parties.chat.ChatParty")


class Runtime:
    """One process of the realtime service."""

    def __init__(self, settings: Environment, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.hub = Hub()
        self.service_keys = ServiceKeys(settings.service_keys)
        self.origins = Origins(settings.allowed_origins)
        self.strangers: set[object] = set()  # open sockets that have not entered a room yet
        engine = Engine(
            store=store,
            hub=self.hub,
            clock=time.time,
            surroundings=Surroundings(Random, settings.max_spectators),
            complaints=Complaints("commits or reads of rooms"),
            limits=Limits(
                mailbox_size=settings.mailbox_size,
                batch_size=settings.batch_size,
                commit_deadline_s=settings.commit_deadline_s,
                refresh_interval_s=settings.refresh_interval_s,
                room_idle_s=settings.room_idle_s,
            ),
        )
        self.rooms = Rooms(load_parties((*PARTIES, *settings.parties)), engine)
        self.draining = False

    async def start(self) -> None:
        """Open storage. Raises StorageUnavailable with a reason an operator can act on."""
        await self.store.start()

    async def close(self) -> None:
        """Finish what was taken on, then close storage."""
        self.draining = True
        try:
            async with asyncio.timeout(self.settings.drain_timeout_s):
                await self.rooms.close()
        except TimeoutError:
            pass  # what is left was not acknowledged
        await self.store.close()


class UnusableParty(Exception):
    """GREENROOM_PARTIES names something that is no room type; the message is a sentence."""


def load_parties(paths: Iterable[str]) -> dict[str, Party]:
    """Room types by slug, from the dotted paths of their classes. Raises UnusableParty."""
    parties: dict[str, Party] = {}
    for path in paths:
        party = _party_class(path)()
        if not is_party(getattr(party, "slug", "")) or party.slug in parties:
            raise UnusableParty(
                f"{path} needs a slug of its own: lower-case letters, digits and dashes."
            )
        parties[party.slug] = party
    return parties


def _party_class(path: str) -> type[Party]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        raise UnusableParty(f"{path} is not there: no module named {missing.name}.") from missing
    except AttributeError:
        raise UnusableParty(f"{path} is not there: {module} holds no {name}.") from None
    if not (isinstance(found, type) and issubclass(found, Party)):
        raise UnusableParty(f"{path} is not a room type: make it a subclass of Party.")
    return found


def orm_store(settings: Environment) -> Store:
    """Where rooms are kept: the database that Django's settings name."""
    return OrmStore(max_waiting=settings.commits_waiting)


class Process:
    """This process's runtime, started when it is first asked for: Daphne has no start-up event."""

    def __init__(self, make_store: Callable[[Environment], Store]) -> None:
        self.make_store = make_store
        self._started: Runtime | None = None
        self._starting = asyncio.Lock()

    async def runtime(self) -> Runtime:
        """The runtime, started. Raises StorageUnavailable; the next call tries again."""
        if self._started is None:
            async with self._starting:
                self._started = self._started or await self._start()
        return self._started

    async def _start(self) -> Runtime:
        settings: Environment = django_settings.GREENROOM
        made = Runtime(settings, self.make_store(settings))
        await made.start()
        return made


process = Process(orm_store)
runtime = process.runtime
