import base64
import re
import uuid

from lobby import ids

KEY = "k" * 22


def by_key(secret=b"s", key=KEY, party="leet99", path="/api/rooms"):
    return everything(ids.by_key(secret, key, party, path))


def everything(mint):
    return (mint.player_id(), mint.player_token(), *(mint.room_id(n) for n in range(5)))


def test_ids_have_the_protocols_form():
    for mint in (ids.by_chance(), ids.by_key(b"s", KEY, "leet99", "/api/rooms")):
        player_id, token, *room_ids = everything(mint)
        assert uuid.UUID(player_id.removeprefix("p_")).version == 4
        assert len(base64.urlsafe_b64decode(token.removeprefix("pt_") + "=")) == 32
        assert all(re.fullmatch("[ABCDEFGHJKMNPQRSTVWXYZ234567]{6}", each) for each in room_ids)


def test_a_player_id_is_the_uuid_of_its_bytes():
    drawn = bytes(range(200, 232))
    expected = uuid.UUID(bytes=drawn[:16], version=4)
    assert ids.Mint(lambda _label: drawn).player_id() == f"p_{expected}"


def test_chance_repeats_nothing():
    assert not set(everything(ids.by_chance())) & set(everything(ids.by_chance()))


def test_five_attempts_are_five_rooms():
    assert len(set(by_key()[2:])) == 5


def test_a_key_repeats_everything():
    assert by_key() == by_key()


def test_another_secret_key_party_or_path_repeats_nothing():
    for other in (
        by_key(secret=b"t"),
        by_key(key="K" * 22),
        by_key(party="chat"),
        by_key(path="/api/rooms/ROOM23/join"),
    ):
        assert not set(by_key()) & set(other)


def test_the_derivation_is_fixed():
    """A changed derivation would forget every key that is less than a day old."""
    assert by_key()[2:] == ("H2H67E", "SPYY4P", "AWZAS2", "GPJXEA", "FC7MJZ")


def test_room_ids_use_their_whole_alphabet():
    drawn = "".join(ids.by_chance().room_id(0) for _ in range(500))
    assert set(drawn) == set("ABCDEFGHJKMNPQRSTVWXYZ234567")
