"""Which view a path of the API leads to: Django's patterns, read once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.urls import URLPattern

from lobby.api import ApiView

Found = tuple[type[ApiView], dict[str, str]]


class Pattern(NamedTuple):
    """A pattern with what its parts are read by."""

    regex: re.Pattern[str]
    readers: dict[str, Callable[[str], str]]
    view: type[ApiView]


class Routes:
    """Finds what Django's own `resolve` would find, for patterns of a path's whole length. That
    costs several times as much, for it could also include, translate and name."""

    def __init__(self, patterns: Sequence[URLPattern]) -> None:
        self._patterns = [_read(one) for one in patterns]

    def find(self, path: str) -> Found | None:
        """The view, and its arguments; None when no pattern fits."""
        if not path.startswith("/"):
            return None
        path = path[1:]
        for regex, readers, view in self._patterns:
            if match := regex.search(path):
                return view, {name: read(match[name]) for name, read in readers.items()}
        return None


def _read(pattern: URLPattern) -> Pattern:
    converters = pattern.pattern.converters
    readers = {name: converter.to_python for name, converter in converters.items()}
    view: Any = pattern.callback
    return Pattern(pattern.pattern.regex, readers, view.view_class)
