"""Identifiers of requests: UUID version 7, so that rows keyed by them lie in the order of time."""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
import uuid
from collections.abc import Sequence
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ACCEPTABLE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def new() -> uuid.UUID:
    """RFC 9562: 48 bits of unix milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def external(header: str, peer: str) -> str:
    """The proxy's own id for this request, when the peer is a proxy that we trust; otherwise nothing."""
    if header and ACCEPTABLE.fullmatch(header) and trusted(peer, tuple(settings.TRUSTED_PROXIES)):
        return header
    return ""


@lru_cache(maxsize=1024)
def trusted(peer: str, proxies: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in _networks(proxies))


@lru_cache(maxsize=4)
def _networks(proxies: tuple[str, ...]) -> Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]
    except ValueError as error:
        raise ImproperlyConfigured(f"TRUSTED_PROXIES must list addresses or networks: {error}.") from error
