"""What a key may be used for and from where, as people write it down and as requests are held against it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from accounts.addresses import Network

ANY = "*"  # at the end of a name: every model whose name begins so
MOST_MODELS = 100
MOST_RANGES = 100


def allows_model(rules: Iterable[str], model: str) -> bool:
    """Whether one of the rules is about that model. No rules allow every one."""
    rules = tuple(rules)
    return not rules or any(
        model.startswith(rule[: -len(ANY)]) if rule.endswith(ANY) else model == rule for rule in rules
    )


def allows_address(ranges: Iterable[str], address: str) -> bool:
    """Whether the address lies in one of the ranges. No ranges allow every one; what is no address is in none."""
    known = networks(tuple(ranges))
    if not known:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in known)


@lru_cache(maxsize=4096)
def networks(ranges: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(one) for one in ranges)


def model_rules(text: str) -> list[str]:
    """The rules in a list that a person wrote, one a line or with commas. Raises `ValueError`, in words for them."""
    rules = _listed(text)
    for rule in rules:
        if ANY in rule[:-1] or " " in rule or len(rule) > 120:
            raise ValueError(f"“{rule}” is no model: write its id as in the list of models, or its beginning and a *.")
    if len(rules) > MOST_MODELS:
        raise ValueError(f"These are {len(rules)} models, and {MOST_MODELS} can be listed. Use a * for a family.")
    return rules


def address_ranges(text: str) -> list[str]:
    """The ranges in a list that a person wrote, each as the network that it is. Raises `ValueError`, as above."""
    ranges = list(dict.fromkeys(_range(one) for one in _listed(text)))
    if len(ranges) > MOST_RANGES:
        raise ValueError(f"These are {len(ranges)} ranges, and {MOST_RANGES} can be listed. Join some of them.")
    return ranges


def _range(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(
            f"“{text}” is no address or range. Write one as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32."
        ) from error
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:  # callers are known by the IPv4 address
        network = ipaddress.ip_network((mapped, network.prefixlen - 96), strict=False)
    return str(network)


def _listed(text: str) -> list[str]:
    found = (part.strip() for line in text.splitlines() for part in line.split(","))
    return list(dict.fromkeys(part for part in found if part))
