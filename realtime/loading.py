"""Room types by the dotted paths of their classes. What is wrong with one is said in a sentence."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

import msgspec
from msgspec import inspect

from contracts.paths import is_party
from realtime.core.party import Party


class UnusableParty(Exception):
    """GREENROOM_PARTIES names something that is no room type; the message is a sentence."""


def load_parties(paths: Iterable[str]) -> dict[str, Party]:
    """Room types by slug. Raises UnusableParty."""
    parties: dict[str, Party] = {}
    named: dict[str, str] = {}  # the path of each slug
    for path in paths:
        party = _party(path)
        if party.slug in parties:
            raise UnusableParty(
                f"{named[party.slug]} and {path} both have the slug {party.slug!r}."
            )
        parties[party.slug], named[party.slug] = party, path
    return parties


def _party(path: str) -> Party:
    """The one instance of a party that serves all its rooms."""
    found = _class(path)
    for name in ("State", "Settings"):
        if _holds_set(_type_info(getattr(found, name), f"{path}'s {name}")):
            raise UnusableParty(f"{path} can't keep a set: use a list or a dict.")
    _try_empty(found, path)
    try:
        return found()
    except Exception as problem:
        raise UnusableParty(f"{path} can't be made: {_told(problem)}.") from problem


def _class(path: str) -> type[Party]:
    module, _, name = path.rpartition(".")
    found = getattr(_module(module, path), name, None)
    if found is None:
        raise UnusableParty(f"{path} is not there: {module} holds no {name}.")
    if not (isinstance(found, type) and issubclass(found, Party)):
        raise UnusableParty(f"{path} is not a room type: make it a subclass of Party.")
    if not is_party(getattr(found, "slug", "")):
        raise UnusableParty(f"{path} needs a slug: 1 to 32 lower-case letters, digits and dashes.")
    return found


def _type_info(model: type, whose: str) -> inspect.Type:
    """A type with all that its annotations name."""
    try:
        return inspect.type_info(model)
    except Exception as problem:
        said = f"{type(problem).__name__}: {problem}"  # it happened where no author would look
        raise UnusableParty(f"{whose} can't be read: {said}.") from problem


def _try_empty(party: type[Party], path: str) -> None:
    """Make what a new room begins with."""
    try:
        party.State()
        msgspec.json.decode(b"{}", type=party.Settings)
    except (TypeError, msgspec.ValidationError) as problem:
        reason = f"give every field of State and Settings a default ({problem})"
        raise UnusableParty(f"{path} can't make an empty room: {reason}.") from problem
    except Exception as problem:
        raise UnusableParty(f"{path} can't make an empty room: {_told(problem)}.") from problem


def _holds_set(root: object) -> bool:
    """Whether a set is somewhere in a type. It would come back in another order than it went."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, inspect.SetType | inspect.FrozenSetType):
            return True
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, tuple):
            waiting += node
        elif isinstance(node, inspect.Type | inspect.Field):
            waiting += [getattr(node, name) for name in node.__struct_fields__]
    return False


def _module(module: str, path: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise UnusableParty(f"{path} is not there: no module named {missing.name}.") from missing
    except Exception as problem:
        raise UnusableParty(f"{path} can't be loaded: {_told(problem)}.") from problem


def _told(problem: Exception) -> str:
    """What a module raised, and where; a SyntaxError says that itself."""
    said = f"{type(problem).__name__}: {problem}"
    if isinstance(problem, SyntaxError):
        return said
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{said} ({last.filename}, line {last.lineno})"
