"""Half of a room reads nothing: the others notice nothing, and it costs next to nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from benchmarks.cores import group
from config.env import DEV_SERVICE_KEY
from tests.e2e.conftest import places
from tests.support.members import Member, all_come, resident_kib
from tests.support.servers import server
from tests.support.site import Site, player

STALLED, READERS = 50, 50
SIGNAL_BYTES = 3900
SIGNALS = 1200  # the kernel takes 3 MB or so for who does not read
STEP_S = 0.003
HANGS_S = 120.0
PATIENCE_S = 30.0  # with one that reads nothing: others who waited for it would wait as long
MIB = 1024


@pytest.fixture(scope="module")
def house(any_migrated, tmp_path_factory):
    """A realtime service alone, with the limits of the default but those of rates and patience:
    who stalls is closed for what is queued to it."""
    folder = tmp_path_factory.mktemp("stalled")
    with any_migrated.copy(folder) as database:
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        environ["SOCKET_PATIENCE_S"] = str(PATIENCE_S)
        with server("realtime", environ, folder) as realtime:
            yield Site(realtime, database)


@pytest.mark.parametrize("they_talk", [False, True])
def test_the_others_are_served_and_who_stalls_is_closed(house, they_talk):
    room_id = f"half-{they_talk}"
    tokens = [token for one in range(STALLED + READERS) for token in [admit(house, room_id, one)]]
    url = house.realtime.url.replace("http", "ws", 1) + f"/parties/chat/{room_id}"
    pid = realtime_process(house)
    delays, codes, most_kib = asyncio.run(loud(url, tokens, they_talk, partial(resident_kib, pid)))
    assert max(delays) < PATIENCE_S  # benchmarks/run crowds has the figures
    assert codes.keys() <= {4011, None}, codes
    assert most_kib < STALLED * MIB


def admit(house, room_id, number):
    one = player(
        f"member {number}", isHost=number == 0, role="player" if number < 90 else "spectator"
    )
    answer = house.http.post(
        f"{house.realtime.url}/parties/chat/{room_id}/register",
        json=one,
        headers={"Authorization": f"Bearer {DEV_SERVICE_KEY}"},
    )
    assert answer.status_code == 200, answer.text
    return one["playerToken"]


def realtime_process(house):
    """The one that serves: of its group the largest."""
    return max(group(house.realtime.leader.pid), key=resident_kib)


async def loud(url, tokens, they_talk, memory_kib):
    """Delays of one reader, how the stalled ones were closed, and what memory they took."""
    stalled = [Member(url, token, stalls=True) for token in tokens[:STALLED]]
    readers = [Member(url, token) for token in tokens[STALLED:]]
    await all_come([*readers, *stalled])
    before_kib, most_kib, delays = memory_kib(), 0, []
    for number in range(SIGNALS):
        delays.append(await readers[number % READERS].hears_itself(f"#{number}#", SIGNAL_BYTES))
        if they_talk:
            stalled[number % STALLED].says("I talk", 100)
        most_kib = max(most_kib, memory_kib() - before_kib)
        await asyncio.sleep(STEP_S)
    async with asyncio.timeout(HANGS_S):
        codes = Counter([await one.reads_on() for one in stalled])
    assert not any(one.ended.done() for one in readers)
    for one in readers:
        one.transport.abort()
    return delays, codes, most_kib
