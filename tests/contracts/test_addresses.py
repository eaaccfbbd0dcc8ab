"""Who calls, as proxies of ours tell it."""

from __future__ import annotations

import pytest

from contracts.addresses import caller

PEER = "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ("", 0, PEER),
        ("203.0.113.7", 0, PEER),
        ("", 1, PEER),
        ("203.0.113.7", 1, "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", 1, "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.0.0.1", 2, "203.0.113.7"),
        ("6.6.6.6,203.0.113.7,10.0.0.1", 2, "203.0.113.7"),
        ("203.0.113.7", 3, "203.0.113.7"),
        ("6.6.6.6, ", 1, ""),
        ("not:an:address", 1, "not:an:address"),
    ],
)
def test_as_many_hops_count_as_there_are_proxies(forwarded, proxies, address):
    assert caller(PEER, forwarded, proxies) == address


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.8", "203.0.113.8"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_is_one_caller_and_an_ipv4_address_one_however_written(peer, address):
    assert caller(peer, "", 0) == address
