"""A journal, as a database gives it back, is enough to run every turn again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from random import Random
from uuid import UUID

import pytest
from msgspec import UNSET

from contracts import jsonio
from realtime.core.commands import Alarm, Command, Presence, Receive, Remove
from realtime.core.surroundings import Surroundings
from realtime.core.turns import Entry, Turns
from realtime.parties.leet99 import Leet99
from tests.support.engine import KEY, Bench, register, settled, until
from tests.support.stores import DatabasePlace, on

NAMES = ["bob", "carl", "dora"]


def seconds(at) -> float:
    """A time of the database, which SQLite keeps as text in UTC."""
    moment = datetime.fromisoformat(str(at))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def last_kept(place: DatabasePlace) -> Command:
    """The command of the newest row."""
    query = "SELECT entry FROM room_journal ORDER BY version DESC LIMIT 1"
    ((entry,),) = place.rows(query)
    return jsonio.decode(entry.encode(), Entry).command


async def live(bench: Bench, last: Callable[[], Command]) -> None:
    """A bit of everything, at times as a system's clock tells them."""
    await bench.create("alice", matchDurationSec=30)
    alice, _ = await bench.connect("alice")
    connections = {}
    for name in NAMES:
        bench.now += 0.123456789
        await bench.ask(register(name))
        connections[name], _ = await bench.connect(name)

    async def says(kind: str, **payload) -> None:
        bench.now += 0.317317317
        await bench.rooms.ask(KEY, Receive("p_alice", kind, jsonio.raw(payload)))

    await says("SEND_CHAT", text="hello")
    await says("ADD_BOTS", count=3)
    await says("UPDATE_SETTINGS", patch={"matchDurationSec": 20})
    bench.hub.drop(connections["bob"], by_client=True)
    await settled()
    await says("START_MATCH")
    await bench.ask(Remove("p_carl"))
    bench.hub.drop(connections["dora"])
    await settled()
    bench.now += 25.000000321
    bench.rooms.wake(KEY)
    await until(lambda: last() == Alarm("end"))
    await says("RETURN_TO_LOBBY")
    bench.hub.drop(alice, by_client=True)
    await until(lambda: last() == Presence(left=("p_alice",)))
    bench.now += 5.1
    bench.rooms.wake(KEY)
    await until(lambda: last() == Alarm("host"))


def recorded(entry: Entry, known: dict[str, list[str]]) -> dict[str, list[str]]:
    """Who was connected: what the journal says, else what is known."""
    return known if entry.connected is UNSET else entry.connected


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_journal_that_was_read_back_makes_the_same_state(kind, request):
    place = request.getfixturevalue(kind)

    async def story(store):
        bench = Bench(store)
        bench.now = time.time()
        await live(bench, lambda: last_kept(place))
        await bench.rooms.close()
        return await store.load(KEY)

    kept = on(place, story)
    rows = place.rows("SELECT version, at, command, entry FROM room_journal ORDER BY version")
    assert {row[2] for row in rows} == {
        *("register", "connect", "receive", "presence", "remove", "alarm"),
    }
    turns = Turns(Leet99(), KEY, None, new_uuid=UUID(int=1), surroundings=Surroundings(Random))
    for version, at, _, text in rows:
        entry = jsonio.decode(text.encode(), Entry)
        turns.begin(seconds(at), partial(recorded, entry))
        assert turns.run(entry.command, entry.seed).error is None
        draft = turns.draft()
        assert draft
        assert draft.version == version
        turns.committed()
        state = draft.row.state
    assert state == kept.state
