"""What people may say."""

from __future__ import annotations

from contracts.errors import bad_request
from contracts.limits import CHAT_TEXT_MAX


def spoken(text: str) -> str:
    """A chat line as it is kept, trimmed. Raises BAD_REQUEST when nothing or too much is left."""
    text = text.strip()
    if not 1 <= len(text) <= CHAT_TEXT_MAX:
        raise bad_request("payload.text", f"Write 1-{CHAT_TEXT_MAX} characters")
    if "\0" in text:
        raise bad_request("payload.text", "Must not hold the character NUL")
    return text
