"""Who calls, by address: what limits count by."""

from __future__ import annotations

import ipaddress


def caller(peer: str, forwarded: str, trusted_proxies: int) -> str:
    """Who stands at the other end of so many proxies of ours.

    `peer` is whose connection it is, `forwarded` all of X-Forwarded-For: each proxy adds whom it
    heard, and what stands before that is the caller's own invention. Fewer entries than proxies:
    the first.
    """
    if not trusted_proxies or not forwarded:
        return one_caller(peer)
    return one_caller(forwarded.split(",")[-trusted_proxies:][0].strip())


def one_caller(address: str) -> str:
    """One IPv6 network is one caller: its owner has 2**64 addresses to choose from."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip), 64), strict=False))
