"""Numbers that clients can observe. Each is part of the wire, not a setting."""

USERNAME_MAX = 16  # code points
CHAT_TEXT_MAX = 200  # code points, after trimming
CHAT_KEPT = 100  # the last messages a snapshot shows
SIGNAL_MAX_BYTES = 4 * 1024  # `data` of chat.signal
JSON_DEPTH_MAX = 16
BODY_MAX_BYTES = 16 * 1024  # public routes and register
ANSWER_MAX_BYTES = 64 * 1024  # what the lobby reads of the realtime service's answer
FRAME_MAX_BYTES = 64 * 1024
SOCKETS_PER_PLAYER = 8
PLAYER_CAP_MAX = 99
ROOM_ID_LENGTH = 6
ROOM_ID_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ234567"  # valid in RFC 4648 and Crockford base 32
ROOM_ID_ATTEMPTS = 5
IDENTITY_MAX = 128  # printable ASCII characters of a playerId or playerToken
