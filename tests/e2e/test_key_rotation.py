"""The service key is replaced in the order of docs/operations.md, while rooms are made."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack

import pytest

from config.env import DEV_SERVICE_KEY
from tests.support.operations import section
from tests.support.proxied import Proxied
from tests.support.services import need_nginx
from tests.support.site import Site

STEP = re.compile(r"^\| (\d) \| (realtime|lobby) \| `(\S+)` \|$", re.MULTILINE)
NEW_KEY = "new-service-key-0123456789"


@pytest.fixture
def site(any_migrated, canary, tmp_path):
    """Two lobbies and two realtime processes behind nginx."""
    need_nginx()
    with ExitStack() as stack:
        copies = [tmp_path / "one", tmp_path / "two"]
        databases = [stack.enter_context(any_migrated.copy(copy)) for copy in copies]
        proxied = Proxied(stack, databases, tmp_path, lobbies=2)
        canary.hears(proxied.site)
        yield Rotation(proxied, stack)


class Rotation:
    """Processes that are replaced by others with another key."""

    def __init__(self, proxied: Proxied, stack: ExitStack) -> None:
        self.site = proxied.site
        self.running = {"realtime": [*proxied.realtime], "lobby": [*proxied.lobbies]}
        self._stack = stack

    def restart(self, tier: str, number: int, keys: str) -> None:
        old = self.running[tier][number]
        old.stop()
        new = old.with_environ(GREENROOM_SERVICE_KEY=keys)
        self.running[tier][number] = self._stack.enter_context(new)

    def creates(self) -> set[int]:
        """The statuses of some creates, by each lobby itself."""
        sites = [
            Site(self.running["realtime"][0], self.site.database, lobby, self.site.http)
            for lobby in self.running["lobby"]
        ]
        return {site.create().status_code for site in sites for _ in range(4)}


class Caller(threading.Thread):
    """Makes rooms until it is told to stop, and notes the answers' statuses."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.statuses: set[int] = set()
        self.over = threading.Event()
        self._site = site

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.statuses.add(self._site.create().status_code)


def test_no_call_is_refused_at_any_step(site):
    steps = STEP.findall(section("Key rotation"))
    assert [number for number, _, _ in steps] == ["1", "2", "3", "4"]
    caller = Caller(site.site)
    caller.start()
    try:
        for _, tier, written in steps:
            keys = written.replace("NEW", NEW_KEY).replace("OLD", DEV_SERVICE_KEY)
            for number in range(2):
                site.restart(tier, number, keys)
                assert site.creates() == {201}
    finally:
        caller.over.set()
        caller.join()
    # 503: a lobby ended just when nginx had sent it a call; what came of that nobody can tell.
    assert 201 in caller.statuses
    assert caller.statuses <= {201, 503}
    refused = "refused our service key"
    assert not [lobby for lobby in site.running["lobby"] if refused in lobby.said]


def test_the_other_order_is_refused(site):
    """So the test above could fail."""
    for number in range(2):
        site.restart("lobby", number, f"{NEW_KEY},{DEV_SERVICE_KEY}")
    assert site.creates() == {502}
