"""The composition root: which room types there are."""

import pytest

from realtime.runtime import PARTIES, UnusableParty, load_parties


def test_the_built_in_parties_have_their_slugs():
    assert set(load_parties(PARTIES)) == {"leet99", "chat"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.Party", "no module named nowhere"),
        ("realtime.parties.chat.Nobody", "realtime.parties.chat holds no Nobody"),
        ("realtime.parties.chat.ChatState", "make it a subclass of Party"),
        ("realtime.core.party.Party", "needs a slug of its own"),
        (PARTIES[0], "needs a slug of its own"),
    ],
)
def test_what_is_no_room_type_is_refused_with_a_sentence(path, why):
    with pytest.raises(UnusableParty, match=why):
        load_parties([*PARTIES, path])
