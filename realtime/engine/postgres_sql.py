"""What a round says to PostgreSQL: one statement, which is a transaction of its own.

Every value of a commit comes in an array with one element for each row. The arrays hold no nulls:
-1 stands for "no seat" and "no time", '' for "no token". The connection's settings leave the
planner one way for each step, whatever it knows about the tables: they are empty when the plan is
made, and the plan stays.
"""

# 1. Lock the rooms. One with another version or tag is left alone, and so is one that another
#    process has locked: it is about to win, and the other rooms of this round don't wait for it.
#    No key changes: a foreign key to a room, and the room's turns, don't wait for each other.
# 2. Update what was locked, insert what is new: a conflict there is a lost race. Creations come
#    after all locks, and in one order too.
# 3. Journal and seats follow only for the rooms kept. Seats are inserted after all deletions: the
#    count has to be known first. Otherwise two players who swap names would collide.
_KEEPING = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[],
        $14::bytea[], $15::float8[], $16::bigint[], $17::float8[], $18::float8[], $19::float8[],
        $20::bigint[], $21::bigint[]
    ) AS commit (
        uuid, base, version, party, code, visibility, status, phase, max_players, players,
        spectators, settings, seq, state, alarm_at, alarms_parked, expires_at, first_at, last_at,
        base_tag, tag
    )
    ORDER BY uuid
), locked AS MATERIALIZED (
    SELECT wanted.*, place FROM wanted CROSS JOIN LATERAL (
        SELECT ctid AS place FROM rooms
        WHERE room_id = uuid AND rooms.version = base AND rooms.tag = base_tag
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS room
), updated AS (
    UPDATE rooms SET
        version = locked.version, visibility = locked.visibility, status = locked.status,
        phase = locked.phase, max_players = locked.max_players, players = locked.players,
        spectators = locked.spectators, ruleset_config = settings::jsonb, seq = locked.seq,
        state = locked.state, alarm_at = to_timestamp(nullif(locked.alarm_at, -1)),
        alarms_parked = locked.alarms_parked,
        expires_at = to_timestamp(nullif(locked.expires_at, -1)),
        updated_at = to_timestamp(last_at), tag = locked.tag
    FROM locked WHERE rooms.ctid = place
    RETURNING room_id
), created AS (
    INSERT INTO rooms (
        room_id, version, party, code, visibility, status, phase, max_players, players,
        spectators, ruleset_id, ruleset_config, seq, state, alarm_at, alarms_parked, expires_at,
        created_at, updated_at, tag
    )
    SELECT uuid, version, party, code, visibility, status, phase, max_players, players,
        spectators, party, settings::jsonb, seq, state, to_timestamp(nullif(alarm_at, -1)),
        alarms_parked, to_timestamp(nullif(expires_at, -1)), to_timestamp(first_at),
        to_timestamp(last_at), tag
    FROM wanted WHERE base = 0 ORDER BY party, code
    ON CONFLICT DO NOTHING
    RETURNING room_id
), kept AS MATERIALIZED (
    SELECT room_id FROM updated UNION ALL SELECT room_id FROM created
), recorded AS (
    INSERT INTO room_journal (room_id, version, at, command, actor, entry, tag)
    SELECT uuid, version, to_timestamp(at), command, actor, entry, tag
    FROM unnest(
        $22::uuid[], $23::bigint[], $24::float8[], $25::text[], $26::text[], $27::text[],
        $28::bigint[]
    ) AS turn (uuid, version, at, command, actor, entry, tag)
    WHERE (uuid IN (SELECT room_id FROM kept)) IS TRUE
), vacated AS (
    DELETE FROM room_seats WHERE ctid = ANY (ARRAY(
        SELECT place FROM unnest($29::uuid[], $30::text[]) AS changed (uuid, player)
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
    SELECT uuid, player_id, username, username_key, role, nullif(token_hash, ''), is_host,
        nullif(seat_index, -1), to_timestamp(joined_at)
    FROM unnest(
        $31::uuid[], $32::text[], $33::text[], $34::text[], $35::text[], $36::text[], $37::bool[],
        $38::bigint[], $39::float8[]
    ) AS seat (
        uuid, player_id, username, username_key, role, token_hash, is_host, seat_index, joined_at
    )
    WHERE (uuid IN (SELECT room_id FROM kept)) IS TRUE AND (SELECT count(*) FROM vacated) >= 0
)"""
_FINISHED = """, finished AS (
    INSERT INTO matches (room_id, party, code, match_id, start_at, end_at, end_reason, settings)
    SELECT uuid, party, code, match_id, to_timestamp(started_at), to_timestamp(ended_at),
        end_reason, settings::jsonb
    FROM unnest(
        $40::uuid[], $41::text[], $42::text[], $43::text[], $44::float8[], $45::float8[],
        $46::text[], $47::text[]
    ) AS match (uuid, party, code, match_id, started_at, ended_at, end_reason, settings)
    WHERE (uuid IN (SELECT room_id FROM kept)) IS TRUE
), placed AS (
    INSERT INTO match_players (match_id, party, place, rank, player_id, username, role, score)
    SELECT match_id, party, place, rank, player_id, username, role, score
    FROM unnest(
        $48::uuid[], $49::text[], $50::text[], $51::bigint[], $52::bigint[], $53::text[],
        $54::text[], $55::text[], $56::bigint[]
    ) AS standing (uuid, match_id, party, place, rank, player_id, username, role, score)
    WHERE (uuid IN (SELECT room_id FROM kept)) IS TRUE
)"""
_KEPT = """
SELECT room_id FROM kept
"""

KEEP = _KEEPING + _KEPT
KEEP_WITH_MATCHES = _KEEPING + _FINISHED + _KEPT  # apart, so that other rounds don't pay for it

FIND = """
SELECT wanted.party, wanted.code, room_id, version, state, tag, at
FROM unnest($1::text[], $2::text[], $3::bool[]) AS wanted (party, code, whole)
CROSS JOIN LATERAL (
    SELECT room_id, version, CASE WHEN whole THEN state ELSE '' END AS state, tag,
        extract(epoch FROM updated_at)::float8 AS at
    FROM rooms WHERE rooms.party = wanted.party AND rooms.code = wanted.code OFFSET 0
) AS room
"""

# IS TRUE keeps the planner from going by party and sorting what it finds there.
DUE = """
SELECT party, code FROM rooms
WHERE alarm_at <= to_timestamp($1::float8) AND (party = ANY ($2::text[])) IS TRUE
ORDER BY alarm_at LIMIT $3::bigint
"""

# A room that somebody writes right now is left for another time. So is one that was written since
# this statement began, for which the version is asked again: its newest entries can't be seen here.
# A room with a seat that somebody locks waits with it. Entries are taken in the order of their
# versions, so that a room whose newest was taken is done.
PRUNE = """
WITH expired AS MATERIALIZED (
    SELECT room_id AS uuid, version AS seen FROM rooms
    WHERE expires_at <= to_timestamp($1::float8)
    ORDER BY expires_at LIMIT $2::bigint
), locked AS MATERIALIZED (
    SELECT uuid FROM expired CROSS JOIN LATERAL (
        SELECT FROM rooms WHERE room_id = uuid AND version = seen FOR UPDATE SKIP LOCKED
    ) AS room
), seats AS MATERIALIZED (
    SELECT uuid AS room FROM locked CROSS JOIN LATERAL (
        SELECT FROM room_seats WHERE room_id = uuid FOR UPDATE SKIP LOCKED
    ) AS seat
), seated AS MATERIALIZED (
    SELECT room, count(*) AS locked FROM seats GROUP BY room
), free AS MATERIALIZED (
    SELECT uuid FROM locked
    WHERE (SELECT count(*) FROM room_seats WHERE room_id = uuid)
        = coalesce((SELECT seated.locked FROM seated WHERE room = uuid), 0)
), taken AS MATERIALIZED (
    SELECT uuid, version, place FROM free CROSS JOIN LATERAL (
        SELECT version, ctid AS place FROM room_journal WHERE room_id = uuid ORDER BY version
    ) AS entry
    LIMIT $3::bigint
), newest AS MATERIALIZED (
    SELECT uuid AS room, max(version) AS version FROM taken GROUP BY uuid
), done AS MATERIALIZED (
    SELECT uuid FROM free WHERE NOT EXISTS (
        SELECT FROM room_journal WHERE room_id = uuid
        AND version > coalesce((SELECT newest.version FROM newest WHERE room = uuid), 0)
    )
), forgotten AS (
    DELETE FROM room_journal WHERE ctid = ANY (ARRAY(SELECT place FROM taken))
), vacated AS (
    DELETE FROM room_seats USING done WHERE room_id = uuid
), pruned AS (
    DELETE FROM rooms USING done WHERE room_id = uuid
)
SELECT (SELECT count(*) FROM taken) = $3::bigint
    OR (SELECT count(*) FROM expired) = $2::bigint AND EXISTS (SELECT FROM free)
"""
POSTPONE = """
UPDATE rooms SET expires_at = to_timestamp($1::float8) + interval '1 day' WHERE room_id = (
    SELECT room_id FROM rooms WHERE expires_at <= to_timestamp($1::float8)
    ORDER BY expires_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING room_id
"""

# Those who want to hold a room wait for each other, nearly in the order they came.
HOLD = """
SELECT room_id, version, state, tag, extract(epoch FROM updated_at)::float8
FROM rooms WHERE party = $1::text AND code = $2::text FOR NO KEY UPDATE
"""

# An entry of before has the tag 0, which fits every revision of its version.
PASSED = """
SELECT 1 FROM rooms
JOIN room_journal USING (room_id)
WHERE party = $1::text AND code = $2::text
    AND room_journal.version = $3::bigint AND room_journal.tag IN ($4::bigint, 0)
"""

# By the database's clock: those of the hosts may differ.
BEAT = """
WITH beat AS (
    INSERT INTO realtime_processes (process_id, expires_at)
    VALUES ($1::text, clock_timestamp() + make_interval(secs => $2::float8))
    ON CONFLICT (process_id) DO UPDATE SET expires_at = excluded.expires_at
), forgotten AS (
    DELETE FROM realtime_processes WHERE process_id IN (
        SELECT process_id FROM realtime_processes
        WHERE expires_at < clock_timestamp() - interval '1 day' FOR UPDATE SKIP LOCKED
    )
)
SELECT process_id FROM realtime_processes
WHERE expires_at > clock_timestamp() AND process_id <> $1::text
"""

NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"

MIGRATIONS = "SELECT app::text, name::text FROM django_migrations"

# What the statements above need; the standings of matches are read by the ORM. Seats are never
# updated, but who locks them has to be allowed to.
INSPECT = """
SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool,
    (
        SELECT string_agg(privilege || ' on ' || name, ', ') FROM (VALUES
            ('rooms', '{SELECT,INSERT,UPDATE,DELETE}'::text[]),
            ('room_seats', '{SELECT,INSERT,UPDATE,DELETE}'),
            ('room_journal', '{SELECT,INSERT,DELETE}'),
            ('matches', '{SELECT,INSERT}'),
            ('match_players', '{SELECT,INSERT}'),
            ('realtime_processes', '{SELECT,INSERT,UPDATE,DELETE}')
        ) AS needed (name, privileges) CROSS JOIN unnest(privileges) AS privilege
        WHERE NOT has_table_privilege(name, privilege)
    ),
    (
        SELECT string_agg(name, ' and ' ORDER BY name)
        FROM unnest('{fsync,full_page_writes}'::text[]) AS safety (name)
        WHERE NOT current_setting(name)::bool
    )
"""
