"""What a round says to PostgreSQL: one statement, which is a transaction of its own.

Every value comes in an array with one element for each row. The arrays hold no nulls: -1 stands
for "no seat" and "no alarm". The connection's settings leave the planner one way for each step,
whatever it knows about the tables: they are empty when the plan is made, and the plan stays.
"""

# 1. Lock the rooms in one order for all processes, so that two rounds never wait for each other.
#    Rows are locked as the lateral join reaches them. A room with another version is left alone.
# 2. Update what was locked, insert what is new: a conflict there is a lost race. Creations come
#    after all locks, and in one order too.
# 3. Journal and seats follow only for the rooms kept. Seats are inserted after all deletions: the
#    count has to be known first. Otherwise two players who swap names would collide.
KEEP = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[],
        $14::bytea[], $15::float8[], $16::float8[], $17::float8[]
    ) AS commit (
        uuid, base, version, party, code, visibility, status, phase, max_players, players,
        spectators, settings, seq, state, alarm_at, first_at, last_at
    )
    ORDER BY uuid
), locked AS MATERIALIZED (
    SELECT wanted.*, place FROM wanted CROSS JOIN LATERAL (
        SELECT ctid AS place FROM rooms WHERE room_id = uuid AND rooms.version = base FOR UPDATE
    ) AS room
), updated AS (
    UPDATE rooms SET
        version = locked.version, visibility = locked.visibility, status = locked.status,
        phase = locked.phase, max_players = locked.max_players, players = locked.players,
        spectators = locked.spectators, ruleset_config = settings::jsonb, seq = locked.seq,
        state = locked.state, alarm_at = to_timestamp(nullif(locked.alarm_at, -1)),
        updated_at = to_timestamp(last_at)
    FROM locked WHERE rooms.ctid = place
    RETURNING room_id
), created AS (
    INSERT INTO rooms (
        room_id, version, party, code, visibility, status, phase, max_players, players,
        spectators, ruleset_id, ruleset_config, seq, state, alarm_at, created_at, updated_at
    )
    SELECT uuid, version, party, code, visibility, status, phase, max_players, players,
        spectators, party, settings::jsonb, seq, state, to_timestamp(nullif(alarm_at, -1)),
        to_timestamp(first_at), to_timestamp(last_at)
    FROM wanted WHERE base = 0 ORDER BY party, code
    ON CONFLICT DO NOTHING
    RETURNING room_id
), kept AS MATERIALIZED (
    SELECT room_id FROM updated UNION ALL SELECT room_id FROM created
), recorded AS (
    INSERT INTO room_journal (room_id, version, at, command, actor, entry)
    SELECT uuid, version, to_timestamp(at), command, actor, entry
    FROM unnest($18::uuid[], $19::bigint[], $20::float8[], $21::text[], $22::text[], $23::text[])
        AS turn (uuid, version, at, command, actor, entry)
    WHERE (uuid IN (SELECT room_id FROM kept)) IS TRUE
), vacated AS (
    DELETE FROM room_seats WHERE ctid = ANY (ARRAY(
        SELECT place FROM unnest($24::uuid[], $25::text[]) AS changed (uuid, player)
        CROSS JOIN LATERAL (
            SELECT ctid AS place FROM room_seats
            WHERE room_id = uuid AND player_id = player OFFSET 0
        ) AS seat
        WHERE (uuid IN (SELECT room_id FROM kept)) IS TRUE
    ))
    RETURNING 1
), seated AS (
    INSERT INTO room_seats (
        room_id, player_id, username, username_key, role, token_hash, is_host, seat_index, joined_at
    )
    SELECT uuid, player_id, username, username_key, role, token_hash, is_host,
        nullif(seat_index, -1), to_timestamp(joined_at)
    FROM unnest(
        $26::uuid[], $27::text[], $28::text[], $29::text[], $30::text[], $31::text[], $32::bool[],
        $33::bigint[], $34::float8[]
    ) AS seat (
        uuid, player_id, username, username_key, role, token_hash, is_host, seat_index, joined_at
    )
    WHERE (uuid IN (SELECT room_id FROM kept)) IS TRUE AND (SELECT count(*) FROM vacated) >= 0
)
SELECT room_id FROM kept
"""

FIND = """
SELECT wanted.party, wanted.code, room_id, version, state
FROM unnest($1::text[], $2::text[], $3::bool[]) AS wanted (party, code, whole)
CROSS JOIN LATERAL (
    SELECT room_id, version, CASE WHEN whole THEN state ELSE '' END AS state
    FROM rooms WHERE rooms.party = wanted.party AND rooms.code = wanted.code OFFSET 0
) AS room
"""

MIGRATIONS = "SELECT app::text, name::text FROM django_migrations"
