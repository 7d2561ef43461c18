"""What is measured: a module each, whose `run` returns its part of the report."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from benchmarks.results import Section
from benchmarks.rig import Rig

NAMES = (
    "throughput", "latency", "streams", "many-streams", "large-bodies", "soak", "growth", "scaling", "cold-start",
)  # fmt: skip


def find(name: str) -> Callable[[Rig], Section]:
    found: Callable[[Rig], Section] = import_module(f"benchmarks.scenarios.{name.replace('-', '_')}").run
    return found
