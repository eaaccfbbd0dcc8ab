"""New ids: by chance, or derived from an idempotency key so that a repeat finds the same ones."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable
from io import BytesIO

from contracts.limits import ROOM_ID_ALPHABET, ROOM_ID_LENGTH

Draw = Callable[[str], bytes]  # a label to 32 bytes that nobody can guess


class Mint:
    """Makes the ids of one create or join from what `draw` gives for each label."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def player_id(self) -> str:
        """`p_` and a version 4 UUID (RFC 9562, 5.4), written as `str` of one is."""
        chance = bytearray(self._draw("player id")[:16])
        chance[6] = chance[6] & 0x0F | 0x40  # the version
        chance[8] = chance[8] & 0x3F | 0x80  # and the variant
        text = chance.hex()
        return f"p_{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def player_token(self) -> str:
        """`pt_` and 256 bits."""
        return "pt_" + base64.urlsafe_b64encode(self._draw("player token")).decode().rstrip("=")

    def room_id(self, attempt: int) -> str:
        """The code of one attempt; each is as likely as any other (28**6 is tiny beside 2**256)."""
        number, code = int.from_bytes(self._draw(f"room id {attempt}"), "big"), ""
        for _ in range(ROOM_ID_LENGTH):
            number, digit = divmod(number, len(ROOM_ID_ALPHABET))
            code += ROOM_ID_ALPHABET[digit]
        return code


def by_chance() -> Mint:
    """Ids that never come again. The chance for the first two, enough for a join, is one call of
    the system's."""
    chance = BytesIO(secrets.token_bytes(64))
    return Mint(lambda _label: chance.read(32) or secrets.token_bytes(32))


def by_key(secret: bytes, key: str, party: str, path: str) -> Mint:
    """Ids that come again for the same idempotency key, party and canonical path.

    None of the three holds a line break, so no two sets of them read the same.
    """
    subject = f"{key}\n{party}\n{path}\n"
    return Mint(lambda label: hmac.digest(secret, (subject + label).encode(), "sha256"))
