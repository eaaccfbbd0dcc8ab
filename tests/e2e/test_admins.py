"""Administrators change rooms by commands to them, from Django's admin."""

from __future__ import annotations

import re
from secrets import token_hex

import httpx
import pytest

from tests.support.databases import manage
from tests.support.servers import PATIENCE_S
from tests.support.site import refusal


@pytest.fixture(scope="module")
def admin(site):
    """A signed-in administrator."""
    name, password = f"root_{token_hex(4)}", token_hex(16)
    manage(
        site.database,
        "createsuperuser",
        "--noinput",
        f"--username={name}",
        "--email=root@example.com",
        DJANGO_SUPERUSER_PASSWORD=password,
    )
    with httpx.Client(base_url=site.lobby.url, trust_env=False, timeout=PATIENCE_S) as client:
        page = Admin(client)
        page.post("/admin/login/", username=name, password=password, next="/admin/")
        yield page


class Admin:
    """Django's admin, as a browser uses it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> str:
        answer = self._client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def post(self, path: str, **fields: str) -> str:
        """Send a form, and return the page that it leads to."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert token
        form = {"csrfmiddlewaretoken": token[1], **fields}
        answer = self._client.post(path, data=form, headers={"Referer": str(self._client.base_url)})
        assert answer.status_code == 302, answer.text
        return self.get(answer.headers["location"])

    def command(self, model: str, action: str, row: str) -> str:
        """Choose an action for one row of a list."""
        path = f"/admin/realtime/{model}/"
        return self.post(path, action=action, _selected_action=row)

    def history(self, row: str) -> list[str]:
        """What administrators asked of a room, as its History page lists it."""
        page = self.get(f"/admin/realtime/room/{row}/history/")
        return re.findall(r"<td>root_.*?</td>\s*<td>(.*?)</td>", page)


def test_a_room_is_closed_and_everybody_sent_away(site, admin):
    host = site.room("alice")
    room_id = host["roomId"]
    with site.enter(host) as socket:
        row = str(site.kept(room_id).uuid)
        assert "Done: 1" in admin.command("room", "close_rooms", row)
        assert socket.closed() == 4004
    assert refusal(site.summary(room_id)) == (404, "ROOM_NOT_FOUND")
    assert refusal(site.join(room_id, "bob")) == (404, "ROOM_NOT_FOUND")
    with site.socket(room_id) as socket:
        socket.send("JOIN_ROOM", {"playerToken": host["playerToken"]})
        assert socket.closed() == 4004
    said = admin.command("room", "close_rooms", row)
    assert f"/{room_id}: Room not found: it is closed already" in said
    asked = ["Close: Room not found: it is closed already", "Close: done"]
    assert sorted(admin.history(row)) == asked


def test_a_member_is_removed_and_may_not_come_back(site, admin):
    host = site.room("alice")
    room_id = host["roomId"]
    bob = site.join(room_id, "bob", key="k" * 22).json()
    with site.enter(bob) as socket:
        row = str(site.kept(room_id).seat("bob"))
        assert "Done: 1" in admin.command("seat", "remove_members", row)
        assert socket.closed() == 4010
    assert refusal(site.join(room_id, "bob", key="k" * 22)) == (403, "FORBIDDEN")
    assert site.join(room_id, "bob").status_code == 200
    asked = f"Remove bob ({bob['playerId']}): done"
    assert admin.history(str(site.kept(room_id).uuid)) == [asked]
    assert bob["playerToken"] not in asked


def test_parked_alarms_get_another_try(site, admin):
    host = site.room("alice")
    row = str(site.kept(host["roomId"]).uuid)
    assert "Done: 1" in admin.command("room", "retry_alarms", row)
    shown = admin.get(f"/admin/realtime/room/{row}/change/")
    assert re.search(r"seat:p_[\w-]+: \d{4}-\d\d-\d\dT[\d:.]+Z", shown)


def test_without_the_realtime_service_nothing_is_changed_and_it_is_said(site, admin):
    host = site.room("alice")
    room_id = host["roomId"]
    row = str(site.kept(room_id).uuid)
    site.realtime.stop()
    try:
        said = admin.command("room", "close_rooms", row)
    finally:
        site.realtime.up()
    assert "The realtime service is not available" in said
    assert site.summary(room_id).status_code == 200
