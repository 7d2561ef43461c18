"""Provider modules, one file a vendor. Each module here that defines a `Provider` with a `kind` is found by itself."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from gateway.providers.base import Provider


@cache
def providers() -> dict[str, Provider]:
    """One instance of each kind, by kind."""
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Provider) and "kind" in vars(value):
                found[value.kind] = value()
    return found


def kind_choices() -> list[tuple[str, str]]:
    """For the registry's forms. Callable, so that a new vendor needs no migration."""
    return [(kind, provider.label) for kind, provider in sorted(providers().items())]
