"""Which addresses a customer may have us call: public ones, and what the operator exempts.

GATEWAY_WEBHOOK_HOSTS exempts for webhooks and GATEWAY_IMAGE_HOSTS for images, each for itself: who may be told of
something need not be somebody whose pictures every customer may look at.

A name is judged when it is connected to, by the address that it has at that moment; what is written here looks at
what can be known beforehand.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from django.conf import settings

MAX_URL = 8192


def check_url(url: str) -> None:
    """For webhooks. Raises `ValueError` with a sentence for what can never be called."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("This is not an address. Give one such as https://example.com/hooks.") from error
    if parts.scheme not in {"https", "http"} or not host or any(not 32 < ord(letter) < 127 for letter in url):
        raise ValueError("Give an address such as https://example.com/hooks, in ASCII and without spaces.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("Leave user and password out of the address: calls are signed instead.")
    if is_exempt(host):
        return
    if parts.scheme != "https":
        raise ValueError("Use https: what is sent must not be read on its way.")
    address = _literal(host)
    if address is not None and not is_public(address):
        raise ValueError(f"{host} is not a public address.")


def check_image_url(url: str) -> None:
    """Raises `ValueError` with a sentence for what can never be fetched. Images need no TLS: nothing is told."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("It is not a valid URL.") from error
    if len(url) > MAX_URL:
        raise ValueError(f"It is longer than {MAX_URL} characters.")
    if parts.scheme not in {"https", "http"} or not host or any(not 32 < ord(letter) < 127 for letter in url):
        raise ValueError("It must begin with https:// or http:// and be in ASCII, without spaces.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("It must not hold a user or a password.")
    address = _literal(host)
    if address is not None and not may_connect(host, listed=settings.GATEWAY_IMAGE_HOSTS):
        raise ValueError(f"{host} is not a public address.")


def is_exempt(host: str, *, listed: Sequence[str] | None = None) -> bool:
    """Whether the operator lists this host, by its name or by its address; among those of webhooks unless told."""
    listed = settings.GATEWAY_WEBHOOK_HOSTS if listed is None else listed
    if host.lower().rstrip(".") in {name.lower() for name in listed}:
        return True
    address = _literal(host)
    return address is not None and _is_listed(address, listed)


def may_connect(host: str, *, listed: Sequence[str] | None = None) -> bool:
    """Whether a connection to this very address may be opened."""
    listed = settings.GATEWAY_WEBHOOK_HOSTS if listed is None else listed
    address = _literal(host)
    return address is not None and (is_public(address) or _is_listed(address, listed))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is of the open internet. What stands for another address is judged by that one, and
    tunnels lead nowhere: Python's releases do not agree on whether they are public."""
    if address.is_multicast or address.is_reserved or address.is_unspecified or not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return True
    if address.is_site_local or address.sixtofour is not None or address.teredo is not None:
        return False
    return address.ipv4_mapped is None or is_public(address.ipv4_mapped)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _is_listed(address: IPv4Address | IPv6Address, listed: Sequence[str]) -> bool:
    return any(address in network for network in _networks(listed))


def _networks(listed: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    """Those entries that are addresses or networks; the others are names."""
    networks: list[IPv4Network | IPv6Network] = []
    for entry in listed:
        try:
            networks.append(ipaddress.ip_network(entry.strip("[]")))
        except ValueError:
            continue
    return networks
