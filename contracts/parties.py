"""Which parties' settings the lobby can read before it asks; the realtime service has them all."""

from __future__ import annotations

import msgspec

from contracts.chat import ChatSettings
from contracts.leet99 import Leet99Settings

SETTINGS: dict[str, type[msgspec.Struct]] = {"leet99": Leet99Settings, "chat": ChatSettings}
