"""Numbers that clients can observe. Each is part of the wire, not a setting."""

USERNAME_MAX = 16  # code points
CHAT_TEXT_MAX = 200  # code points, after trimming
CHAT_KEPT = 100  # the last messages a snapshot shows
SIGNAL_MAX_BYTES = 4 * 1024  # `data` of chat.signal
JSON_DEPTH_MAX = 16
BODY_MAX_BYTES = 16 * 1024  # public routes and register
SERVICE_BODY_MAX_BYTES = 1024 * 1024  # routes of the service key other than register
ANSWER_MAX_BYTES = 2 * 1024 * 1024  # what the lobby reads of an answer: 100 matches, large settings
ROOMS_PAGE = 50  # rooms in one page of a listing
LISTED_MAX = 100  # matches or entries; a `limit` above it is taken for it
MATCHES_LISTED = 20  # without a `limit`
LEADERS_LISTED = 50  # without a `limit`
FRAME_MAX_BYTES = 64 * 1024
SOCKETS_PER_PLAYER = 8
PLAYER_CAP_MAX = 99
PHASE_MAX = 32  # characters
BOTS_ADDED_MAX = 10  # by one ADD_BOTS
BOTS_MAX = 99  # in a room
ROOM_ID_LENGTH = 6
ROOM_ID_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ234567"  # valid in RFC 4648 and Crockford base 32
ROOM_ID_ATTEMPTS = 5
INTEGER_MAX, BIG_INTEGER_MAX = 2**31 - 1, 2**63 - 1  # what databases can hold
IDENTITY_MAX = 128  # printable ASCII characters of a playerId or playerToken
