"""The example game: short, loaded as a user loads it, and played on real servers."""

import re
from pathlib import Path

import pytest

from realtime.loading import load_parties
from tests.support.servers import free_port, server
from tests.support.site import Site

PATH = "docs.examples.hot_potato.HotPotato"
FILE = Path(__file__).parents[2] / "docs" / "examples" / "hot_potato.py"
LINES_MAX = 120


def test_it_is_short():
    assert len(FILE.read_text().splitlines()) <= LINES_MAX


def test_it_stands_on_the_public_parts_alone():
    imports = re.findall(r"^(?:from|import) (\S+)", FILE.read_text(), re.MULTILINE)
    assert imports == ["typing", "msgspec", "realtime.party"]


def test_it_is_loaded_by_its_path():
    assert load_parties([PATH])["hot-potato"].slug == "hot-potato"


@pytest.fixture
def site(sqlite_tables, tmp_path):
    """Both tiers, which know the example."""
    ports = {"LOBBY_PORT": str(free_port()), "REALTIME_PORT": str(free_port())}
    with sqlite_tables.copy(tmp_path) as database:
        environ = {**database.environ, **ports, "GREENROOM_PARTIES": PATH}
        realtime = server("realtime", environ, tmp_path)
        with realtime, server("lobby", environ, tmp_path) as lobby:
            yield Site(realtime, database, lobby)


def test_a_game_on_real_servers_with_a_restart_in_the_middle(site):
    refused = site.create(party="hot-potato", settings={"fuseMaxS": 2})
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["path"] == "settings.fuseMaxS"

    created = site.create(party="hot-potato", settings={"fuseMaxS": 5}).json()
    joined = site.join(created["roomId"], "bob", party="hot-potato").json()
    admissions = {one["playerId"]: one for one in (created, joined)}
    alice, bob = created["playerId"], joined["playerId"]
    with site.enter(created) as host, site.enter(joined) as guest:
        sockets = {alice: host, bob: guest}
        host.send("START")
        first = host.next("POTATO")["payload"]["playerId"]
        second = bob if first == alice else alice
        sockets[second].send("PASS", {"to": first}, requestId="7")
        refusal = sockets[second].next("ERROR")
        assert (refusal["requestId"], refusal["payload"]["code"]) == ("7", "FORBIDDEN")
        sockets[first].send("PASS", {"to": second})
        assert sockets[second].next("HEAT")["payload"]["heat"] in ("warm", "hot")
        sockets[first].send("TAUNT", {"face": "grin"})
        assert sockets[second].next("TAUNTED")["payload"] == {"playerId": first, "face": "grin"}

    site.realtime.kill()
    site.realtime.up()
    with site.enter(admissions[first]) as socket:
        game = socket.frames[-1]["payload"]["game"]
        winner = game["winner"] or socket.next("WON")["payload"]["username"]
        assert winner == ("alice" if first == alice else "bob")
    assert " ERROR " not in site.realtime.said
