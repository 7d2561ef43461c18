"""Whose address a request comes from, seen through the proxies that we trust and no others."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_network(request: HttpRequest) -> str:
    """The caller's IPv4 address, or the /64 of its IPv6 address, which is what one subscriber has at hand."""
    address = _client(request)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(ipaddress.ip_network((parsed, 64 if parsed.version == 6 else 32), strict=False))


def client_address(request: HttpRequest) -> str:
    """The caller's address for a column of addresses: 0.0.0.0 when it is none, as on a Unix socket."""
    try:
        return str(ipaddress.ip_address(_client(request)))
    except ValueError:
        return "0.0.0.0"  # noqa: S104 - not bound, only written down


def _client(request: HttpRequest) -> str:
    """The right-most address that is no trusted proxy: everything to the left of it is the caller's own claim."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    address = str(request.META.get("REMOTE_ADDR", ""))
    while hops and _trusted(address, tuple(settings.TRUSTED_PROXIES)):
        address = hops.pop()
    return address


@lru_cache(maxsize=1024)
def _trusted(address: str, proxies: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(proxy, strict=False) for proxy in proxies)
