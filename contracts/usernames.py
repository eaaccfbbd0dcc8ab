"""What a username may be, and when two of them are the same."""

from __future__ import annotations

import unicodedata

from contracts.errors import RoomError, bad_request
from contracts.limits import USERNAME_MAX

# Unicode's White_Space property, and U+FEFF, which people paste without seeing it.
_TRIMMED = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    chr(point) for point in range(0x2000, 0x200B)
)
_BLANK_LETTERS = frozenset("\u3164\u115f\uffa0\u2800\u034f")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean_username(typed: str) -> str:
    """`typed` as it is stored and shown: NFC, trimmed. Raises BAD_REQUEST when it may not be."""
    name = unicodedata.normalize("NFC", typed).strip(_TRIMMED)
    if not 1 <= len(name) <= USERNAME_MAX:
        raise _refused(f"must be 1-{USERNAME_MAX} characters")
    if name.isascii() and name.isprintable() and "  " not in name:
        return name
    if "  " in name:
        raise _refused("must not hold two spaces in a row")
    if not all(_allowed(character) for character in name):
        raise _refused("must not hold invisible or control characters")
    return name


def username_key(name: str) -> str:
    """The identity of a cleaned username: equal keys are the same name to a human reader."""
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)


def _allowed(character: str) -> bool:
    category = unicodedata.category(character)
    if category in _REFUSED_CATEGORIES or character in _BLANK_LETTERS:
        return False
    if category == "Zs" and character != " ":
        return False
    return not _is_variation_selector(ord(character))


def _is_variation_selector(point: int) -> bool:
    return (
        0xFE00 <= point <= 0xFE0F
        or 0xE0100 <= point <= 0xE01EF
        or point in (0x180B, 0x180C, 0x180D, 0x180F)
    )


def _refused(reason: str) -> RoomError:
    headline = f"Username must be 1-{USERNAME_MAX} characters"
    return bad_request("username", f"Username {reason}", headline=headline)
