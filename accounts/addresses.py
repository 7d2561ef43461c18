"""Whose address a request comes from, seen through the proxies that we trust and no others."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_network(request: HttpRequest) -> str:
    """The caller's IPv4 address, or the /64 of its IPv6 address, which is what one subscriber has at hand."""
    return network_of(
        str(request.META.get("REMOTE_ADDR", "")),
        request.headers.get("X-Forwarded-For", ""),
        tuple(settings.TRUSTED_PROXIES),
    )


@lru_cache(maxsize=4096)
def network_of(peer: str, forwarded: str, proxies: tuple[str, ...]) -> str:
    """The same of the one who is connected to us, with what `X-Forwarded-For` says and the proxies that we trust."""
    address = _client(peer, forwarded, proxies)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(ipaddress.ip_network((parsed, 64 if parsed.version == 6 else 32), strict=False))


def client_address(request: HttpRequest) -> str:
    """The caller's address for a column of addresses: 0.0.0.0 when it is none, as on a Unix socket."""
    return address_of(
        str(request.META.get("REMOTE_ADDR", "")),
        request.headers.get("X-Forwarded-For", ""),
        tuple(settings.TRUSTED_PROXIES),
    )


@lru_cache(maxsize=4096)
def address_of(peer: str, forwarded: str, proxies: tuple[str, ...]) -> str:
    """The same of the one who is connected to us. An IPv4 address that is written as IPv6 is the IPv4 address."""
    try:
        parsed = ipaddress.ip_address(_client(peer, forwarded, proxies))
    except ValueError:
        return "0.0.0.0"  # noqa: S104 - not bound, only written down
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(parsed)


def _client(peer: str, forwarded: str, proxies: tuple[str, ...]) -> str:
    """The right-most address that is no trusted proxy: everything to the left of it is the caller's own claim."""
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    address = peer
    while hops and _trusted(address, proxies):
        address = hops.pop()
    return address


@lru_cache(maxsize=1024)
def _trusted(address: str, proxies: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(proxy, strict=False) for proxy in proxies)
