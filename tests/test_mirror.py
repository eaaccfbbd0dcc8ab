"""Every module has a test file at the mirrored path, or stands here by name."""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.lib.bootstrap import ROOT

# Where each product package is mirrored.
MIRROR = {
    "contracts": "tests/contracts",
    "lobby": "tests/lobby",
    "realtime": "tests/realtime",
    "config": "tests/config",
    "scripts/lib": "tests/scripts",
}
# Modules that are tested through others. A module leaves this list with its first test file.
WITHOUT = {
    "config/apps.py",
    "config/asgi.py",
    "config/clients.py",
    "config/kinds.py",
    "config/lobby_asgi.py",
    "config/lobby_urls.py",
    "config/management/commands/runserver.py",
    "config/realtime_urls.py",
    "contracts/answers.py",
    "contracts/asgi.py",
    "contracts/chat.py",
    "contracts/connection.py",
    "contracts/cors.py",
    "contracts/exchange.py",
    "contracts/http.py",
    "contracts/leet99.py",
    "contracts/limits.py",
    "contracts/parties.py",
    "contracts/sockets.py",
    "contracts/texts.py",
    "lobby/__main__.py",
    "lobby/answers.py",
    "lobby/api.py",
    "lobby/api_urls.py",
    "lobby/apps.py",
    "lobby/bodies.py",
    "lobby/documents.py",
    "lobby/urls.py",
    "lobby/views.py",
    "realtime/__main__.py",
    "realtime/admin/__init__.py",
    "realtime/admin/asking.py",
    "realtime/admin/controls.py",
    "realtime/admin/matches.py",
    "realtime/admin/members.py",
    "realtime/admin/people.py",
    "realtime/admin/readonly.py",
    "realtime/admin/rooms.py",
    "realtime/apps.py",
    "realtime/asgi.py",
    "realtime/auth.py",
    "realtime/core/commands.py",
    "realtime/core/document.py",
    "realtime/core/effects.py",
    "realtime/core/frames.py",
    "realtime/core/instants.py",
    "realtime/core/messages.py",
    "realtime/core/party.py",
    "realtime/core/projection.py",
    "realtime/core/relay.py",
    "realtime/core/room.py",
    "realtime/core/roster.py",
    "realtime/core/rows.py",
    "realtime/core/rules.py",
    "realtime/core/surroundings.py",
    "realtime/engine/announcements.py",
    "realtime/engine/asks.py",
    "realtime/engine/bus.py",
    "realtime/engine/database.py",
    "realtime/engine/frames.py",
    "realtime/engine/holds.py",
    "realtime/engine/memory_store.py",
    "realtime/engine/orm_store.py",
    "realtime/engine/postgres_connection.py",
    "realtime/engine/postgres_database.py",
    "realtime/engine/postgres_sql.py",
    "realtime/engine/postgres_values.py",
    "realtime/engine/posts.py",
    "realtime/engine/refresher.py",
    "realtime/engine/rooms.py",
    "realtime/engine/showing.py",
    "realtime/engine/sqlite_claim.py",
    "realtime/engine/sqlite_database.py",
    "realtime/engine/sqlite_file.py",
    "realtime/engine/sqlite_sql.py",
    "realtime/engine/sqlite_values.py",
    "realtime/engine/store.py",
    "realtime/engine/ticks.py",
    "realtime/engine/uuids.py",
    "realtime/http.py",
    "realtime/parties/leet99_match.py",
    "realtime/parties/leet99_talk.py",
    "realtime/party.py",
    "realtime/reads.py",
    "realtime/serve.py",
    "realtime/trial.py",
    "scripts/lib/check.py",
    "scripts/lib/format.py",
    "scripts/lib/wheels.py",
}


def modules() -> set[str]:
    """The modules that hold code. Migrations are Django's, and tested by being applied."""
    return {
        str(file.relative_to(ROOT))
        for package in MIRROR
        for file in (ROOT / package).rglob("*.py")
        if "migrations" not in file.parts and holds_code(file)
    }


def holds_code(file: Path) -> bool:
    """Whether there is more in it than a docstring."""
    body = ast.parse(file.read_text()).body
    return any(not isinstance(one, ast.Expr) for one in body)


def mirror_of(module: str) -> str:
    """`realtime/engine/actor.py` is tested in `tests/realtime/engine/test_actor.py`."""
    package = next(one for one in MIRROR if module.startswith(f"{one}/"))
    path = Path(module).relative_to(package)
    return str(Path(MIRROR[package]) / path.parent / f"test_{path.stem.strip('_')}.py")


def is_mirrored(module: str) -> bool:
    return (ROOT / mirror_of(module)).is_file()


def test_a_module_has_a_test_file_or_is_named():
    assert {one for one in modules() if not is_mirrored(one)} - WITHOUT == set()


def test_no_module_is_named_that_has_one():
    assert {one for one in WITHOUT if is_mirrored(one)} == set()


def test_every_module_that_is_named_exists():
    assert WITHOUT - modules() == set()


def test_the_mirrored_path_of_a_module():
    assert mirror_of("realtime/engine/actor.py") == "tests/realtime/engine/test_actor.py"
    assert mirror_of("scripts/lib/fleet.py") == "tests/scripts/test_fleet.py"
    assert mirror_of("lobby/__main__.py") == "tests/lobby/test_main.py"
