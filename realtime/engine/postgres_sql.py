"""What a round says to PostgreSQL: one statement, which is a transaction of its own."""

ROOM_COLUMNS = ""
KEEP = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[],
        $14::bytea[], $15::float8[], $16::float8[], $17::float8[]
    ) AS w (id, base, version, party, code, visibility, status, phase, max_players, players, spectators,
        settings, seq, state, alarm_at, created_at, updated_at)
), locked AS MATERIALIZED (
    SELECT wanted.*, row FROM wanted CROSS JOIN LATERAL (
        SELECT ctid AS row FROM rooms WHERE room_id = id AND rooms.version = base FOR UPDATE
    ) AS lock
), updated AS (
    UPDATE rooms SET version = w.version, visibility = w.visibility, status = w.status,
        phase = w.phase, max_players = w.max_players, players = w.players,
        spectators = w.spectators, ruleset_config = w.settings::jsonb, seq = w.seq,
        state = w.state, alarm_at = to_timestamp(nullif(w.alarm_at, -1)), updated_at = to_timestamp(w.updated_at)
    FROM locked AS w
    WHERE rooms.ctid = row
    RETURNING rooms.room_id
), created AS (
    INSERT INTO rooms (room_id, party, code, version, visibility, status, phase, max_players, players, spectators,
        ruleset_id, ruleset_config, seq, state, alarm_at, created_at, updated_at)
    SELECT id, party, code, version, visibility, status, phase, max_players, players, spectators,
        party, settings::jsonb, seq, state, to_timestamp(nullif(alarm_at, -1)), to_timestamp(created_at), to_timestamp(updated_at)
    FROM wanted WHERE base = 0 ORDER BY party, code
    ON CONFLICT DO NOTHING RETURNING room_id
), kept AS MATERIALIZED (
    SELECT room_id FROM updated UNION ALL SELECT room_id FROM created
), recorded AS (
    INSERT INTO room_journal (room_id, version, at, command, actor, entry)
    SELECT id, version, to_timestamp(at), command, actor, entry FROM unnest(
        $18::uuid[], $19::bigint[], $20::float8[], $21::text[], $22::text[], $23::text[]
    ) AS j (id, version, at, command, actor, entry)
    WHERE (id IN (SELECT room_id FROM kept)) IS TRUE
), vacated AS (
    DELETE FROM room_seats WHERE ctid = ANY (ARRAY(
        SELECT row FROM unnest($24::uuid[], $25::text[]) AS changed (room, player)
        CROSS JOIN LATERAL (
            SELECT ctid AS row FROM room_seats WHERE room_id = room AND player_id = player OFFSET 0
        ) AS seat
        WHERE (room IN (SELECT room_id FROM kept)) IS TRUE
    ))
    RETURNING 1
), seated AS (
    INSERT INTO room_seats (room_id, player_id, username, username_key, role, token_hash, is_host,
        seat_index, joined_at)
    SELECT id, player_id, username, username_key, role, token_hash, is_host,
        nullif(seat_index, -1), to_timestamp(joined_at)
    FROM unnest($26::uuid[], $27::text[], $28::text[], $29::text[], $30::text[], $31::text[],
        $32::bool[], $33::bigint[], $34::float8[]
    ) AS s (id, player_id, username, username_key, role, token_hash, is_host, seat_index, joined_at)
    WHERE (id IN (SELECT room_id FROM kept)) IS TRUE AND (SELECT count(*) FROM vacated) >= 0
)
SELECT room_id FROM kept
"""
