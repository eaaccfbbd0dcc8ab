"""Any history of a match room, against a model small enough to believe."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts import jsonio
from contracts.errors import Code
from contracts.usernames import username_key
from realtime.core.commands import Receive
from realtime.core.presence import Sight
from realtime.parties.leet99 import Leet99
from realtime.testing import RoomOnTrial
from realtime.trial import Outcome

NAMES = st.sampled_from(["ann", "ANN", "\uff41nn", "bob", "Bob", "cy", "straße", "STRASSE", "dé"])
ROLES = st.sampled_from(["player", "spectator"])
CAP = 3


class MatchRoom(RuleBasedStateMachine):
    """Players come, talk, start and leave; processes forget, and lose races."""

    @initialize()
    def nobody_is_here(self):
        self.room = RoomOnTrial(Leet99(), max_spectators=2)
        self.members: dict[str, tuple[str, str]] = {}  # player id: name key, role
        self.retired: set[str] = set()  # members who left the match
        self.removed: set[str] = set()  # who may not come back
        self.created = self.started = self.ended = False

    def says(self, number: int, kind: str, **payload: object) -> Outcome:
        """It was in the mailbox already, whoever is connected by now."""
        return self.room.run(Receive(f"p_{number}", kind, jsonio.raw(payload)))

    def expected(self, player_id: str, name: str, role: str, host: bool) -> Code | None:
        """The first reason of the wire's list to refuse, if any."""
        if host and role == "spectator":
            return Code.BAD_REQUEST
        if not self.created:
            return None if host else Code.ROOM_NOT_FOUND
        if player_id in self.removed:
            return Code.FORBIDDEN
        if player_id in self.members:
            if self.asked[player_id] != (name, role, host):
                return Code.IDEMPOTENCY_KEY_REUSED
            return Code.MATCH_ALREADY_STARTED if player_id in self.retired else None
        return Code.ROOM_ALREADY_EXISTS if host else self.refused(name, role)

    def refused(self, name: str, role: str) -> Code | None:
        """Why a stranger is not admitted."""
        if role == "player" and self.started:
            return Code.MATCH_ALREADY_STARTED
        if any(key == username_key(name) for key, _ in self.members.values()):
            return Code.USERNAME_TAKEN
        limit = CAP if role == "player" else 2
        full = sum(taken == role for _, taken in self.members.values()) >= limit
        return Code.ROOM_FULL if full else None

    @rule(number=st.integers(0, 7), name=NAMES, role=ROLES, host=st.booleans())
    def register(self, number, name, role, host):
        player_id = f"p_{number}"
        before = self.room.snapshot
        expected = self.expected(player_id, name, role, host)
        outcome = self.room.register(
            name,
            host=host,
            player_id=player_id,
            token=f"t_{number}",
            role=role,
            settings={"playerCap": CAP},
        )
        assert outcome.code == expected
        if expected or player_id in self.members:
            assert self.room.snapshot == before, "a refusal or a repeat changed something"
            return
        if not self.created:
            self.created, self.asked = True, {}
        self.members[player_id] = (username_key(name), role)
        self.asked[player_id] = (name, role, host)
        counts = outcome.reply["counts"]
        assert sum(counts.values()) == len(self.members)

    @rule(number=st.integers(0, 7))
    def connect(self, number):
        outcome = self.room.connect(str(number), f"t_{number}")
        known = f"p_{number}" in self.members.keys() - self.retired
        expected = None if known else Code.UNAUTHORIZED if self.created else Code.ROOM_NOT_FOUND
        assert outcome.code == expected

    @rule(number=st.integers(0, 7))
    def disconnect(self, number):
        self.room.disconnect(str(number))

    @precondition(lambda self: self.created)
    @rule(number=st.integers(0, 7))
    def leave(self, number):
        player_id = f"p_{number}"
        known = player_id in self.members and player_id not in self.retired
        assert self.says(number, "LEAVE_ROOM").ok == known
        self.room.disconnect(str(number))
        if known and self.started and not self.ended and self.members[player_id][1] == "player":
            self.retired.add(player_id)
            self.ended = len(self.alive) <= 1
        elif known:
            del self.members[player_id]

    @property
    def alive(self) -> set[str]:
        players = {player for player, (_, role) in self.members.items() if role == "player"}
        return players - self.retired

    @precondition(lambda self: self.created)
    @rule(number=st.integers(0, 7))
    def return_to_lobby(self, number):
        expected = f"p_{number}" == self.room.host and self.ended
        assert self.says(number, "RETURN_TO_LOBBY").ok == expected
        if expected:
            self.started = self.ended = False
            for player_id in self.retired:
                del self.members[player_id]
            self.retired = set()

    @precondition(lambda self: self.created)
    @rule(number=st.integers(0, 7), whom=st.integers(0, 7))
    def kick(self, number, whom):
        target = f"p_{whom}"
        host, known = f"p_{number}" == self.room.host, target in self.members.keys() - self.retired
        kicked = self.says(number, "KICK", playerId=target)
        assert kicked.ok == (host and known and number != whom)
        if kicked.ok:
            self.removed.add(target)
            if self.started and not self.ended and self.members[target][1] == "player":
                self.retired.add(target)
                self.ended = len(self.alive) <= 1
            else:
                del self.members[target]

    @precondition(lambda self: self.created)
    @rule(number=st.integers(0, 7))
    def start(self, number):
        host = self.room.host
        players = [role for _, role in self.members.values() if role == "player"]
        expected = f"p_{number}" == host and len(players) >= 2 and not self.started
        assert self.says(number, "START_MATCH").ok == expected
        self.started = self.started or expected

    @precondition(lambda self: self.created)
    @rule(number=st.integers(0, 7), seconds=st.floats(0, 1))
    def chat(self, number, seconds):
        self.room.advance(seconds)
        before = self.room.version
        outcome = self.says(number, "SEND_CHAT", text="hello")
        assert self.room.version == before + outcome.ok
        if f"p_{number}" not in self.members.keys() - self.retired:
            assert outcome.code == Code.UNAUTHORIZED
        elif self.started:
            assert outcome.code == Code.FORBIDDEN
        else:
            assert outcome.code in (None, Code.RATE_LIMITED)

    @rule()
    def the_process_forgets(self):
        self.room.reload(self.room.snapshot)

    @precondition(lambda self: self.created)
    @rule()
    def a_race_is_lost(self):
        """Turns run, but their commit does not happen: memory is thrown away."""
        self.room.turns.begin(self.room.now, Sight(here=frozenset(self.room.connected)).correct)
        host = self.room.host or "p_0"
        self.room.turns.run(Receive(host, "SEND_CHAT", jsonio.raw({"text": "lost"})), seed=1)
        self.room.reload(self.room.snapshot)

    @invariant()
    def seats_names_and_tokens_are_unique(self):
        if not self.created:
            assert self.room.commits == []
            return
        players = self.room.stored["roster"]["players"]
        assert set(players) == set(self.members)
        known = self.room.stored["roster"]["credentials"]
        assert set(known) == set(players)
        assert len({one["token_hash"] for one in known.values()}) == len(players)
        assert len({one["username_key"] for one in players.values()}) == len(players)
        seats = [player["seat"] for player in players.values() if player["role"] == "player"]
        assert len(set(seats)) == len(seats) <= CAP
        assert all(0 <= seat < CAP for seat in seats)

    @invariant()
    def there_is_one_host_and_a_connected_player_has_one(self):
        if not self.created:
            return
        host = self.room.host
        assert host is None or self.members[host][1] == "player"
        assert host not in self.retired
        there = (self.room.connected - self.retired) & {
            player for player, (_, role) in self.members.items() if role == "player"
        }
        assert host is not None or not there

    @invariant()
    def the_journal_has_no_gap_and_rows_follow_the_state(self):
        versions = [row.version for commit in self.room.commits for row in commit.journal]
        assert versions == list(range(1, len(versions) + 1))
        assert self.room.version == len(versions)
        rows: dict[str, str] = {}
        for commit in self.room.commits:
            for player_id in commit.changed:
                rows.pop(player_id, None)
            rows |= {seat.player_id: seat.username_key for seat in commit.seats}
        assert rows == {player: key for player, (key, _) in self.members.items()}

    @invariant()
    def columns_that_are_not_written_are_as_they_were(self):
        for before, commit in pairwise(self.room.commits):
            assert not commit.alike or commit.row.resembles(before.row)
        assert not any(commit.alike for commit in self.room.commits[:1])

    @invariant()
    def seq_never_goes_back(self):
        seqs = [commit.row.seq for commit in self.room.commits]
        assert seqs == sorted(seqs)


MatchRoom.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestMatchRoom = MatchRoom.TestCase
