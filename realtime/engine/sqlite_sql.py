"""What is said to SQLite: a round's transaction takes one statement of each kind per row."""

UPDATE = """
    UPDATE rooms SET visibility = ?, status = ?, phase = ?, max_players = ?, players = ?,
        spectators = ?, ruleset_config = ?, seq = ?, state = ?, alarm_at = ?, alarms_parked = ?,
        expires_at = ?, updated_at = ?, version = ?, tag = ?
    WHERE room_id = ? AND version = ? AND tag = ?"""
UPDATE_ALIKE = """
    UPDATE rooms SET players = ?, spectators = ?, seq = ?, state = ?, updated_at = ?, version = ?,
        tag = ?
    WHERE room_id = ? AND version = ? AND tag = ?"""
CREATE = """
    INSERT INTO rooms (visibility, status, phase, max_players, players, spectators, ruleset_config,
        seq, state, alarm_at, alarms_parked, expires_at, updated_at, version, tag, room_id, party,
        code, ruleset_id, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
RECORD = """
    INSERT INTO room_journal (room_id, version, at, command, actor, entry, tag)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
VACATE = "DELETE FROM room_seats WHERE room_id = ? AND player_id = ?"
SEAT = """
    INSERT INTO room_seats (room_id, player_id, username, username_key, role, token_hash, is_host,
        seat_index, joined_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
FINISH = """
    INSERT INTO matches (room_id, party, code, match_id, start_at, end_at, end_reason, settings)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
PLACE = """
    INSERT INTO match_players (match_id, party, place, rank, player_id, username, role, score)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

FIND = """
    SELECT party, code, room_id, version,
        CASE WHEN json_extract(wanted.value, '$[2]') THEN state ELSE x'' END, tag,
        CAST(updated_at AS TEXT)
    FROM json_each(?) AS wanted
    JOIN rooms ON party = json_extract(wanted.value, '$[0]')
        AND code = json_extract(wanted.value, '$[1]')"""

# An entry of before has the tag 0, which fits every revision of its version.
PASSED = """
    SELECT 1 FROM rooms JOIN room_journal USING (room_id)
    WHERE party = ? AND code = ? AND room_journal.version = ? AND room_journal.tag IN (?, 0)"""

# The plus keeps the planner from going by party and sorting what it finds there.
DUE = """
    SELECT party, code FROM rooms
    WHERE alarm_at <= ? AND +party IN (SELECT value FROM json_each(?))
    ORDER BY alarm_at LIMIT ?"""

EXPIRED = "SELECT room_id FROM rooms WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
POSTPONE = """
    UPDATE rooms SET expires_at = ? WHERE room_id = (
        SELECT room_id FROM rooms WHERE expires_at <= ? ORDER BY expires_at LIMIT 1)"""
FORGET = """
    DELETE FROM room_journal WHERE rowid IN (
        SELECT rowid FROM room_journal WHERE room_id = ? ORDER BY version LIMIT ?)"""
PRUNE = (
    "DELETE FROM room_seats WHERE room_id = ?",
    "DELETE FROM rooms WHERE room_id = ?",
)

MIGRATIONS = "SELECT app, name FROM django_migrations"
NO_CHANGE = "DELETE FROM rooms WHERE false"  # refused like any other where none is taken
