"""News of another deployment's room of the same name: never shown, and no reason for views."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from realtime.core.effects import ToAll
from realtime.core.rows import Revision
from realtime.engine.announcements import Announcement, encode
from realtime.engine.memory_store import MemoryStore
from tests.support.engine import KEY, Bench, settled
from tests.support.virtual_time import told_at_once

FOREIGN = UUID(int=1)


def foreign(base: Revision, uuid: UUID) -> bytes:
    frame = b'{"type":"CHAT_APPEND","seq":9,"payload":{"foreign":true}}'
    after = Revision(base.version + 1, 0)
    return encode(Announcement(KEY, uuid, base, after, (ToAll(frame),), frozenset("x")))


def test_news_of_our_own_room_is_shown_as_a_control():
    """The same way in, with our uuid: it must get through, or the tests below say nothing."""
    assert story(base=2, ours=True)[0]


@pytest.mark.parametrize("base", range(6))
def test_no_frame_of_another_deployment_is_shown(base):
    assert not story(base)[0]


def test_a_foreign_version_makes_nobody_look_for_ever():
    assert story(1000, wait_s=1.5)[1] <= 2


def story(base: int, *, ours: bool = False, wait_s: float = 0.0) -> tuple[bool, int]:
    """Whether a frame from elsewhere was shown, and how many views were."""

    async def heard_before_the_first_turn() -> tuple[bool, int]:
        bench = Bench(MemoryStore())
        await bench.create("alice")
        other = Bench(bench.engine.store, process="there")  # has no memory of the room yet
        other.rooms._actor(KEY).showing.follow()
        if not ours:
            other.rooms.heard(foreign(Revision(base, 0), FOREIGN))
        _, wire = await other.connect("alice")
        if ours:
            kept = await bench.engine.store.load(KEY)
            assert kept
            assert kept.version == base
            other.rooms.heard(foreign(kept.revision, kept.uuid))
        await settled()
        await asyncio.sleep(wait_s)
        shown = any("foreign" in frame["payload"] for frame in wire.frames)
        return shown, wire.kinds.count("ROOM_SNAPSHOT")

    return told_at_once(heard_before_the_first_turn())
