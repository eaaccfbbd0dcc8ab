"""Many who want into one room: three hundred at once, or all by the same names."""

from __future__ import annotations

import asyncio
from itertools import chain, cycle

from tests.faultlab.callers import Admission, Wish
from tests.faultlab.faults import Lab
from tests.faultlab.history import now
from tests.faultlab.load import eventually
from tests.faultlab.names import NAMES
from tests.faultlab.node import Node
from tests.faultlab.session import Session
from tests.faultlab.talk import Tongue

CAP, WISHES = 99, 300
LISTENERS = 8  # as many sockets as one player may have
ASKING_AT_ONCE = 60
DONE_WITHIN_S = 300.0


async def share_names(lab: Lab) -> None:
    """Every name in each of its spellings, into one room."""
    callers, nodes = lab.load.callers, cycle(lab.cluster.nodes)
    host, _ = await callers.ask(callers.wish("leet99", "host"), next(nodes))
    assert host
    for spelling in chain.from_iterable(NAMES):
        wish = callers.wish("leet99", spelling, room_id=host.room_id)
        await callers.ask(wish, next(nodes))


async def come_to_a_lost_version(lab: Lab) -> None:
    """Storage is set back under two processes: what one of them remembers has the version that the
    other comes to in the new history."""
    callers, (first, second) = lab.load.callers, lab.cluster.nodes
    host, _ = await callers.ask(callers.wish("chat", "host"), first)
    assert host

    async def join(name: str, node: Node) -> None:
        await callers.ask(callers.wish("chat", name, room_id=host.room_id), node)

    began = now()
    await asyncio.to_thread(lab.cluster.postgres.back_up)
    await join("lost", first)
    await asyncio.to_thread(lab.cluster.postgres.set_back, quietly=True)
    lab.history.rewound(began)
    await join("kept", second)
    await join("late", first)


async def fill(lab: Lab) -> tuple[int, list[int]]:
    """How many were admitted besides the host, and the last seq that each listener heard."""
    callers, nodes = lab.load.callers, lab.cluster.nodes
    wish = callers.wish("leet99", "host", settings={"playerCap": CAP})
    host, _ = await callers.ask(wish, nodes[0])
    assert host
    over = asyncio.Event()
    listeners = [Session(callers, host, Tongue(lab.chance)) for _ in range(LISTENERS)]
    async with asyncio.timeout(DONE_WITHIN_S), asyncio.TaskGroup() as group:
        for number, one in enumerate(listeners):
            group.create_task(one.run(nodes[number % len(nodes)], 0, until=over.is_set))
        await eventually(lambda: all(one.entered for one in listeners))
        admitted = await _all_ask(lab, host)
        await eventually(lambda: {one.seq for one in listeners} == {stored_seq(lab, host)})
        heard = [one.seq for one in listeners]
        over.set()
    return len(admitted), heard


def stored_seq(lab: Lab, host: Admission) -> int:
    """The last broadcast that the room has kept."""
    query = "SELECT seq FROM rooms WHERE code = %s"
    with lab.cluster.postgres.connect() as connection:
        ((seq,),) = connection.execute(query, [host.room_id]).fetchall()
    return int(seq)


async def _all_ask(lab: Lab, host: Admission) -> list[Admission]:
    gate, nodes = asyncio.Semaphore(ASKING_AT_ONCE), lab.cluster.nodes

    async def ask(number: int) -> Admission | None:
        wish: Wish = lab.load.callers.wish("leet99", f"player {number}", room_id=host.room_id)
        async with gate:
            return (await lab.load.callers.ask(wish, nodes[number % len(nodes)]))[0]

    answers = await asyncio.gather(*map(ask, range(WISHES)))
    return [one for one in answers if one]
