"""Which processes are started, and when so many may not be."""

import pytest

from config.env import load
from scripts.lib.fleet import NotAllowed, environ_of, require_allowed, tiers_of

SHARED = {
    "DATABASE_URL": "postgresql://127.0.0.1/rooms",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "LOBBY_PORT": "8000",
    "REALTIME_PORT": "1999",
}


def refusal(count: int, environ: dict[str, str]) -> str:
    environment = load(environ)
    with pytest.raises(NotAllowed) as refused:
        require_allowed(environment, tiers_of(environment, count))
    return str(refused.value)


def test_one_realtime_process_has_no_number():
    assert [tier.title for tier in tiers_of(load({}))] == ["lobby", "realtime"]


def test_several_stand_on_one_port_after_the_other():
    lobby, *realtime = tiers_of(load(SHARED), 3)
    require_allowed(load(SHARED), [lobby, *realtime])
    assert [tier.title for tier in realtime] == ["realtime-1", "realtime-2", "realtime-3"]
    assert [tier.port for tier in realtime] == [1999, 2000, 2001]
    assert realtime[2].identity == {"GREENROOM_TIER": "realtime", "REALTIME_PORT": "2001"}
    assert lobby.identity == {"GREENROOM_TIER": "lobby", "LOBBY_PORT": "8000"}


def test_the_lobby_is_told_of_all():
    tiers = tiers_of(load({**SHARED, "REALTIME_HOST": "0.0.0.0"}), 2)
    environ = environ_of(tiers, SHARED)
    assert load(environ).realtime_urls == ("http://127.0.0.1:1999", "http://127.0.0.1:2000")
    assert load(environ).realtime_public_url == "http://127.0.0.1:1999"


def test_who_names_the_addresses_is_believed():
    environ = {**SHARED, "REALTIME_URL": "http://rooms:1,http://rooms:2"}
    assert environ_of(tiers_of(load(environ), 2), environ) == environ


def test_of_one_the_lobby_knows_itself():
    assert environ_of(tiers_of(load({})), {}) == {}


@pytest.mark.parametrize(
    ("without", "named"),
    [
        (["DATABASE_URL"], "set DATABASE_URL, or"),
        (["REDIS_URL"], "set REDIS_URL, or"),
        (["DATABASE_URL", "REDIS_URL"], "set DATABASE_URL and REDIS_URL, or"),
    ],
)
def test_several_need_a_database_and_a_bus_that_they_share(without, named):
    environ = {name: value for name, value in SHARED.items() if name not in without}
    assert named in refusal(2, environ)
    require_allowed(load(environ), tiers_of(load(environ)))


def test_there_must_be_ports_for_all():
    sentence = refusal(3, {**SHARED, "REALTIME_PORT": "65534"})
    assert sentence == "realtime-3 would need port 65536; choose a lower REALTIME_PORT."


@pytest.mark.parametrize(("count", "title"), [(1, "realtime"), (3, "realtime-2")])
def test_no_port_is_there_twice(count, title):
    realtime = 8000 if count == 1 else 7999
    sentence = refusal(count, {**SHARED, "REALTIME_PORT": str(realtime)})
    assert sentence.startswith(f"{title} and the lobby can't both have port 8000; ")


@pytest.mark.parametrize(
    ("lobby", "realtime"),
    [("0.0.0.0", "127.0.0.2"), ("127.0.0.1", "0.0.0.0"), ("::", "::1"), ("::1", "::")],
)
def test_an_address_that_is_all_leaves_the_port_to_no_other(lobby, realtime):
    hosts = {"LOBBY_HOST": lobby, "REALTIME_HOST": realtime, "REALTIME_PORT": "8000"}
    assert "can't both have port 8000" in refusal(1, {**SHARED, **hosts})


@pytest.mark.parametrize(("lobby", "realtime"), [("127.0.0.1", "127.0.0.2"), ("0.0.0.0", "::1")])
def test_one_port_at_two_addresses_is_two_places(lobby, realtime):
    hosts = {"LOBBY_HOST": lobby, "REALTIME_HOST": realtime, "REALTIME_PORT": "8000"}
    environment = load({**SHARED, **hosts})
    require_allowed(environment, tiers_of(environment))


def test_several_at_another_address_are_told_of_there():
    environ = {**SHARED, "REALTIME_HOST": "127.0.0.2"}
    told = load(environ_of(tiers_of(load(environ), 2), environ))
    assert told.realtime_urls == ("http://127.0.0.2:1999", "http://127.0.0.2:2000")
    assert told.realtime_public_url == "http://127.0.0.2:1999"
