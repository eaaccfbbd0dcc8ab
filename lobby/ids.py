"""New ids: by chance, or derived from an idempotency key so that a repeat finds the same ones."""

from __future__ import annotations

import base64
import hmac
import secrets
import uuid
from collections.abc import Callable

from contracts.limits import ROOM_ID_ALPHABET, ROOM_ID_LENGTH

Draw = Callable[[str], bytes]  # a label to 32 bytes that nobody can guess


class Mint:
    """Makes the ids of one create or join from what `draw` gives for each label."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def player_id(self) -> str:
        """`p_` and a version 4 UUID."""
        return f"p_{uuid.UUID(bytes=self._draw('player id')[:16], version=4)}"

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
    """Ids that never come again."""
    return Mint(lambda _label: secrets.token_bytes(32))


def by_key(secret: bytes, key: str, party: str, path: str) -> Mint:
    """Ids that come again for the same idempotency key, party and canonical path.

    None of the three holds a line break, so no two sets of them read the same.
    """
    subject = f"{key}\n{party}\n{path}\n"
    return Mint(lambda label: hmac.digest(secret, (subject + label).encode(), "sha256"))
