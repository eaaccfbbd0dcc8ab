from asyncio import run

import httpx
import msgspec
import pytest

from contracts.errors import Code, RoomError
from contracts.http import CreateRoom, JoinRoom

KEY = "abcdefghijklmnopqrstuv"


def wish(**more):
    return CreateRoom("alice", **more)


def refusal_of(call):
    with pytest.raises(RoomError) as caught:
        run(call)
    return caught.value


class TestCreate:
    def test_registers_the_host_and_answers_with_what_it_minted(self, service, realtime):
        admission = run(service.create(wish(settings=msgspec.Raw(b'{"playerCap": 8}'))))
        [asked] = realtime.asked
        assert asked.path == f"/parties/leet99/{admission.room_id}/register"
        assert asked.body == {
            "playerId": admission.player_id,
            "playerToken": admission.player_token,
            "username": "alice",
            "role": "player",
            "isHost": True,
            "settings": {"playerCap": 8},
            "visibility": "private",
        }
        assert admission.ws_url == f"wss://rt.example/parties/leet99/{admission.room_id}"
        assert (admission.role, admission.is_host) == ("player", True)

    def test_answers_with_the_rooms_settings_not_its_own_reading(self, service):
        assert msgspec.json.decode(run(service.create(wish())).settings)["decidedBy"] == "realtime"

    def test_draws_another_room_when_one_is_taken_for_the_same_player(self, service, realtime):
        realtime.refuses(Code.ROOM_ALREADY_EXISTS, times=4)
        admission = run(service.create(wish()))
        assert len({asked.room_id for asked in realtime.asked}) == 5
        assert {asked.body["playerId"] for asked in realtime.asked} == {admission.player_id}
        assert realtime.asked[-1].room_id == admission.room_id

    def test_gives_up_after_five(self, service, realtime):
        realtime.refuses(Code.ROOM_ALREADY_EXISTS, times=5)
        refusal = refusal_of(service.create(wish()))
        assert (refusal.code, refusal.status) == (Code.INTERNAL_ERROR, 500)
        assert len(realtime.asked) == 5

    @pytest.mark.parametrize("code", [Code.ROOM_FULL, Code.BAD_REQUEST, Code.ROOM_BUSY])
    def test_draws_no_other_room_for_any_other_refusal(self, service, realtime, code):
        realtime.refuses(code)
        assert refusal_of(service.create(wish())).code is code
        assert len(realtime.asked) == 1

    def test_retries_with_the_same_player_and_room(self, service, realtime):
        realtime.fails(httpx.ReadError("gone"))
        run(service.create(wish()))
        first, second = realtime.asked
        assert first == second

    def test_passes_the_visibility_on(self, service, realtime):
        run(service.create(wish(visibility="public")))
        assert realtime.asked[0].body["visibility"] == "public"


class TestJoin:
    def test_registers_a_guest(self, service, realtime):
        admission = run(service.join("ROOM23", JoinRoom("  bob ", role="spectator")))
        [asked] = realtime.asked
        assert asked.path == "/parties/leet99/ROOM23/register"
        assert asked.body["username"] == "bob"
        assert asked.body["isHost"] is False
        assert (admission.room_id, admission.role, admission.is_host) == (
            "ROOM23",
            "spectator",
            False,
        )

    @pytest.mark.parametrize(
        "code",
        [
            Code.ROOM_NOT_FOUND,
            Code.ROOM_FULL,
            Code.USERNAME_TAKEN,
            Code.MATCH_ALREADY_STARTED,
            Code.FORBIDDEN,
            Code.IDEMPOTENCY_KEY_REUSED,
            Code.ROOM_ALREADY_EXISTS,
        ],
    )
    def test_passes_refusals_on(self, service, realtime, code):
        realtime.refuses(code, "As the room says")
        refusal = refusal_of(service.join("ROOM23", JoinRoom("bob")))
        assert (refusal.code, refusal.message) == (code, "As the room says")


class TestSummary:
    def test_is_the_rooms_state_without_bots(self, service):
        summary = run(service.summary("room_1", "chat"))
        assert msgspec.to_builtins(summary.counts) == {"players": 2, "spectators": 1}
        assert (summary.room_id, summary.phase) == ("room_1", "main")


class TestWhatIsRefusedBeforeAnybodyIsAsked:
    @pytest.mark.parametrize("party", ["", "Leet99", "../x", "a/b", "x" * 33, "chat\n", "é"])
    def test_a_party_that_cannot_be(self, service, realtime, party):
        for refusal in (
            refusal_of(service.create(wish(party=party))),
            refusal_of(service.join("ROOM23", JoinRoom("bob", party=party))),
            refusal_of(service.summary("ROOM23", party)),
        ):
            assert (refusal.code, refusal.details[0].path) == (Code.BAD_REQUEST, "party")
        assert not realtime.asked

    @pytest.mark.parametrize("settings", [b"null", b"[]", b"5", b'"x"', b"true"])
    def test_settings_that_are_none(self, service, realtime, settings):
        refusal = refusal_of(
            service.create(wish(settings=msgspec.Raw(settings), party="unheard-of"))
        )
        assert (refusal.code, refusal.details[0].path) == (Code.BAD_REQUEST, "settings")
        assert not realtime.asked

    def test_settings_that_the_party_does_not_take(self, service, realtime):
        refusal = refusal_of(service.create(wish(settings=msgspec.Raw(b'{"playerCap": true}'))))
        assert refusal.details[0].path == "settings.playerCap"
        assert not realtime.asked

    def test_a_username_that_is_none(self, service, realtime):
        refusal = refusal_of(service.create(CreateRoom("x" * 17)))
        assert refusal.details[0].path == "username"
        assert not realtime.asked


class TestAPartyThatOnlyTheRealtimeServiceKnows:
    def test_has_its_settings_passed_on(self, service, realtime):
        run(service.create(wish(party="unheard-of", settings=msgspec.Raw(b'{"playerCap": "?"}'))))
        assert realtime.asked[0].body["settings"] == {"playerCap": "?"}

    def test_is_a_bad_field_when_it_does_not_know_it_either(self, service, realtime):
        realtime.refuses(Code.NOT_FOUND, times=3)
        for refusal in (
            refusal_of(service.create(wish(party="unheard-of"))),
            refusal_of(service.join("ROOM23", JoinRoom("bob", party="unheard-of"))),
            refusal_of(service.summary("ROOM23", "unheard-of")),
        ):
            assert (refusal.code, refusal.details[0].path) == (Code.BAD_REQUEST, "party")


class TestAnIdempotencyKey:
    def test_makes_a_repeated_create_the_same_call(self, service, realtime):
        assert msgspec.json.encode(run(service.create(wish(), KEY))) == msgspec.json.encode(
            run(service.create(wish(), KEY))
        )
        assert realtime.asked[0] == realtime.asked[1]

    def test_makes_a_repeated_join_the_same_call(self, service, realtime):
        for _ in range(2):
            run(service.join("ROOM23", JoinRoom("bob"), KEY))
        assert realtime.asked[0] == realtime.asked[1]

    def test_counts_for_one_room_only(self, service, realtime):
        for room_id in ("ROOM23", "ROOM24"):
            run(service.join(room_id, JoinRoom("bob"), KEY))
        assert realtime.asked[0].body["playerId"] != realtime.asked[1].body["playerId"]

    def test_says_nothing_about_the_body(self, service, realtime):
        for name in ("bob", "carl"):
            run(service.join("ROOM23", JoinRoom(name), KEY))
        assert realtime.asked[0].body["playerToken"] == realtime.asked[1].body["playerToken"]
