import dataclasses

from contracts.client import RealtimeClient
from contracts.transport import KeepAliveTransport
from lobby import wiring


def test_one_process_has_one_wiring():
    assert wiring.current() is wiring.current()


def test_rate_limits_may_be_off(settings):
    for switch in (True, False):
        environment = dataclasses.replace(settings.GREENROOM, rate_limits=switch)
        assert (wiring.wired(environment).limits is not None) is switch


def test_everything_comes_from_the_environment(settings):
    environment = dataclasses.replace(
        settings.GREENROOM,
        realtime_urls=("http://rt:1/base", "http://rt:2"),
        realtime_public_url="https://public",
        service_keys=("newer-key", "older-key"),
        realtime_try_timeout_s=0.1,
        realtime_total_timeout_s=0.2,
        realtime_connect_timeout_s=0.05,
        realtime_calls_max=7,
    )
    client = wiring.wired(environment).service.client
    assert isinstance(client, RealtimeClient)
    where = [(one.netloc, one.base_path) for one in client._processes]
    assert where == [("rt:1", "/base"), ("rt:2", "")]
    for process in client._processes:
        assert b"Authorization: Bearer newer-key" in process.heads["POST"]
    assert (client._try_timeout_s, client._total_timeout_s) == (0.1, 0.2)
    assert isinstance(client._transport, KeepAliveTransport)
    assert client._transport._connect_timeout_s == 0.05
    assert client._calls_max == 7
