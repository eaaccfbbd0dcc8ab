"""One room's changes, in the order of their versions, whatever becomes of the news of them."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.effects import ToAll
from realtime.core.rows import Revision
from realtime.engine import feed as feeds
from realtime.engine.announcements import Announcement
from realtime.engine.feed import GAP_S, Feed
from tests.support.engine import KEY
from tests.support.virtual_time import VIRTUAL_TIME, told_at_once

pytestmark = pytest.mark.anyio

ROOM, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


class Reader:
    """A feed, and what it has shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, int]] = []
        self.texts: list[bytes] = []
        self.gaps = 0
        self.feed = Feed(self._show, self._gap)

    def _show(self, announcement: Announcement) -> None:
        self.shown.append((announcement.base.version, announcement.after.version))
        self.texts += [effect.frame for effect in announcement.effects if isinstance(effect, ToAll)]

    def _gap(self) -> None:
        self.gaps += 1

    def hears(
        self, base: int, version: int, text: bytes = b"", uuid: UUID = ROOM, tag: int = 0
    ) -> None:
        effects = (ToAll(text),) if text else ()
        before, after = Revision(base, tag), Revision(version, tag)
        self.feed.heard(Announcement(KEY, uuid, before, after, effects, frozenset()))


@pytest.fixture
async def reader():
    """Whose sockets were shown the room at version 3."""
    made = Reader()
    made.feed.shown(Revision(3, 0))
    return made


async def test_what_follows_is_shown_at_once(reader):
    reader.hears(3, 4)
    reader.hears(4, 7)
    assert reader.shown == [(3, 4), (4, 7)]


async def test_what_comes_late_is_waited_for(reader):
    reader.hears(5, 6)
    reader.hears(4, 5)
    assert reader.shown == []
    await asyncio.sleep(GAP_S / 2)
    reader.hears(3, 4)
    assert reader.shown == [(3, 4), (4, 5), (5, 6)]
    await asyncio.sleep(GAP_S)
    assert (reader.gaps, reader.feed.behind) == (0, False)


async def test_what_is_lost_is_a_gap_until_everybody_was_shown_the_room_anew(reader):
    reader.hears(4, 5)
    await asyncio.sleep(GAP_S)
    assert (reader.gaps, reader.feed.behind) == (1, True)
    reader.feed.shown(Revision(5, 0))
    assert not reader.feed.behind
    await asyncio.sleep(2 * GAP_S)
    assert (reader.shown, reader.gaps) == ([], 1)


async def test_a_gap_that_stays_is_told_again(reader):
    """The turn that was to show the room failed."""
    reader.hears(4, 5)
    await asyncio.sleep(3.5 * GAP_S)
    assert reader.gaps >= 1
    assert reader.feed.behind
    reader.feed.shown(Revision(4, 0))  # a fresh view, and what was heard follows it
    assert reader.shown == [(4, 5)]
    assert not reader.feed.behind


async def test_a_duplicate_is_shown_once(reader):
    for _ in range(2):
        reader.hears(3, 4)
        reader.hears(5, 6)
        reader.hears(5, 6)
    reader.hears(4, 5)
    reader.hears(4, 5)
    assert reader.shown == [(3, 4), (4, 5), (5, 6)]


async def test_what_was_shown_otherwise_is_not_shown_again(reader):
    reader.hears(4, 5)
    reader.feed.shown(Revision(6, 0))
    reader.hears(3, 4)
    reader.hears(5, 6)
    reader.hears(6, 7)
    assert reader.shown == [(6, 7)]


async def test_views_of_a_version_wait_for_it_and_are_shown_once(reader):
    reader.hears(4, 4, b"first")
    reader.hears(4, 4, b"second")
    assert reader.shown == []
    reader.hears(3, 4, b"four")
    assert reader.texts == [b"four", b"first", b"second"]
    reader.hears(4, 4, b"third")
    assert reader.texts[-1] == b"third"


async def test_a_view_of_an_older_version_is_not_shown(reader):
    reader.hears(2, 2)
    assert reader.shown == []
    await asyncio.sleep(GAP_S)
    assert reader.gaps == 0


async def test_a_view_of_a_version_that_is_lost_is_a_gap(reader):
    reader.hears(5, 5)
    await asyncio.sleep(GAP_S)
    assert reader.gaps == 1


async def test_a_version_that_storage_has_and_nobody_told_is_a_gap(reader):
    reader.feed.head(3)
    await asyncio.sleep(GAP_S)
    assert reader.gaps == 0
    reader.feed.head(4)
    await asyncio.sleep(GAP_S)
    assert reader.gaps == 1


async def test_too_much_that_waits_is_forgotten_and_a_view_is_owed(reader, monkeypatch):
    monkeypatch.setattr(feeds, "HELD_MAX", 10)
    for version in range(5, 100):
        reader.hears(version - 1, version)
        reader.hears(version, version)
    assert len(reader.feed._held) + len(reader.feed._views) <= 10
    await asyncio.sleep(GAP_S)
    assert reader.gaps == 1
    reader.feed.shown(Revision(99, 0))
    assert not reader.feed.behind


async def test_before_anybody_was_shown_the_room_news_only_wait():
    reader = Reader()
    reader.hears(4, 5)
    reader.hears(1, 2)
    await asyncio.sleep(2 * GAP_S)
    assert (reader.shown, reader.gaps) == ([], 0)
    reader.feed.shown(Revision(4, 0))
    assert reader.shown == [(4, 5)]


async def test_news_of_another_room_of_this_name_count_for_nothing():
    reader = Reader()
    reader.hears(400, 401, uuid=OTHER)
    reader.hears(4, 5)
    reader.feed.only(ROOM)
    reader.feed.shown(Revision(4, 0))
    assert reader.shown == [(4, 5)]
    await asyncio.sleep(2 * GAP_S)
    assert reader.gaps == 0


async def test_a_room_that_was_made_anew_begins_anew(reader):
    reader.feed.only(OTHER)
    reader.feed.shown(Revision(1, 0))
    reader.hears(1, 2, uuid=OTHER)
    assert reader.shown == [(1, 2)]


async def test_the_patient_wait_for_what_is_on_its_way(reader):
    waiting = asyncio.ensure_future(reader.feed.reached(5, patient=True))
    await asyncio.sleep(GAP_S / 2)
    reader.hears(3, 4)
    await asyncio.sleep(GAP_S / 4)
    assert not waiting.done()
    reader.hears(4, 5)
    assert await waiting


async def test_the_patient_wait_but_a_moment(reader):
    began = asyncio.get_running_loop().time()
    assert not await reader.feed.reached(5, patient=True)
    assert asyncio.get_running_loop().time() - began == pytest.approx(GAP_S, abs=0.01)


async def test_the_impatient_do_not_wait(reader):
    began = asyncio.get_running_loop().time()
    assert await reader.feed.reached(3, patient=False)
    assert not await reader.feed.reached(4, patient=False)
    assert await Reader().feed.reached(4, patient=True)  # nobody was shown anything
    assert asyncio.get_running_loop().time() == began


async def test_after_its_end_nothing_is_shown(reader):
    reader.hears(4, 5)
    reader.feed.close()
    reader.hears(3, 4)
    await asyncio.sleep(2 * GAP_S)
    assert (reader.shown, reader.gaps) == ([], 0)


Batch = tuple[int, int, bool]  # on which version, to which, and whether a peer decided it


@st.composite
def histories(draw) -> list[Batch]:
    """Batches of two writers: a peer, and this process."""
    version, batches = 0, []
    for turns, by_client in draw(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1)):
        batches.append((version, version + turns, by_client))
        version += turns
    return batches


@given(history=histories(), data=st.data())
def test_whatever_is_lost_doubled_or_turned_around_nothing_is_shown_twice_or_backwards(
    history, data
):
    arrivals = [data.draw(st.integers(0, 2)) if by_client else 1 for _, _, by_client in history]
    arriving = [(one, n) for one, n in zip(history, arrivals, strict=True) if one[2]]
    news = data.draw(st.permutations([one for one, n in arriving for _ in range(n)]))
    local = [one for one in history if not one[2]]
    known = max([to for (_, to, _), n in zip(history, arrivals, strict=True) if n], default=0)
    hidden = [one for one, n in arriving if not n and one[0] < one[1] <= known]

    async def story() -> None:
        reader = Reader()
        reader.feed.shown(Revision(0, 0))
        while news or local:
            if news and (not local or data.draw(st.booleans())):
                base, version, _ = news.pop(0)
                reader.hears(base, version)
            else:
                base, version, _ = local.pop(0)
                if not await reader.feed.reached(base, patient=data.draw(st.booleans())):
                    reader.gaps += 1  # whoever asked owes the view
                reader.feed.shown(Revision(version, 0))
            if data.draw(st.booleans()):
                await asyncio.sleep(data.draw(st.sampled_from([0, GAP_S / 3, 2 * GAP_S])))
        await asyncio.sleep(2 * GAP_S)
        changes = [one for one in reader.shown if one[0] < one[1]]
        assert changes == sorted(set(changes))
        assert all(before[1] <= after[0] for before, after in pairwise(changes))
        assert all(base >= 0 and (base, version, True) in history for base, version in changes)
        assert reader.gaps or not hidden
        reader.feed.close()

    told_at_once(story())
