"""Hours in little: mixed load at 60 per cent, callers who hang up, and memory that must stay where it is."""

from __future__ import annotations

import time
from dataclasses import replace

from benchmarks import seeds
from benchmarks.plans import Ask
from benchmarks.results import Figure, Line, Plot, Section
from benchmarks.rig import Rig, Sample, why_not
from benchmarks.shapes import PLAIN, SOAK_STREAM, SOAK_TRANSLATED
from benchmarks.systems import Gateway, Started

LOAD = 0.6
HANG_UP = 0.1
MIX = ((PLAIN, 8), (SOAK_STREAM, 1), (SOAK_TRANSLATED, 1))
LEFT_OUT = 0.25  # of the time, at the beginning: caches fill, the allocator finds its size
SETTLE_SECONDS = 15.0
SHORTEST = 600.0  # seconds of which a slope says anything


def run(rig: Rig) -> Section:
    seconds = rig.effort.either(60, 1200)
    if rig.effort.full:
        seconds = max(seconds, SHORTEST)
    section = Section(
        "soak",
        "Soak",
        f"{seconds:.0f} s of plain calls and streams, at {LOAD:.0%} of what the same mix reaches at most;"
        f" {HANG_UP:.0%} of the callers hang up within a second and a half, unless they are answered before.",
    )
    gateway = rig.gateway()
    with Started([gateway]):
        asks = _asks(gateway)
        most = rig.measure(gateway, asks, connections=64, seconds=rig.effort.either(4, 20))
        rate = max(1.0, most.outcome.rate * LOAD)
        sample = rig.measure(
            gateway, asks, rate=rate, connections=2000, seconds=seconds, hang_up=HANG_UP, hang_up_within=1.5, every=1.0
        )
        left = _left_open()
    section.notes.append(f"At most {most.outcome.rate:,.0f} requests a second; soaked at {rate:,.0f}.")
    section.figures += _figures(sample, left)
    slope = section.figure("memory slope", Gateway.name)
    if seconds >= SHORTEST:
        section.want("memory slope at most 5 MB an hour", slope.median if slope else None, most=5)
    else:
        section.notes.append("Too short to say anything about hours: the slope is that of warming up.")
    section.want("no hold left open", float(left), most=0)
    points = tuple((at, size / 1e6) for at, size in sample.memory)
    section.plots.append(Plot("memory", "Memory over time", "seconds", "MB", (Line(Gateway.name, points),)))
    return section


def _asks(gateway: Gateway) -> list[Ask]:
    return [replace(ask, weight=weight) for shape, weight in MIX for ask in gateway.asks(shape)]


def _figures(sample: Sample, left: int) -> list[Figure]:
    outcome, refused = sample.outcome, why_not(sample)
    values = (
        ("answered", "", float(outcome.answered)),
        ("hung up", "", float(outcome.hung_up)),
        ("p99 of whole answers", "ms", outcome.latency.percentile(99)),
        ("memory slope", "MB/h", slope(sample.memory) * 3600 / 1e6),
        ("memory at the end", "MB", sample.memory[-1][1] / 1e6 if sample.memory else 0.0),
        ("holds left open", "", float(left)),
    )
    return [Figure(what, Gateway.name, unit, (value,), refused) for what, unit, value in values]


def slope(memory: tuple[tuple[float, float], ...]) -> float:
    """Bytes a second, by least squares, after the beginning."""
    if len(memory) < 4:
        return 0.0
    first, last = memory[0][0], memory[-1][0]
    points = [(at, size) for at, size in memory if at >= first + (last - first) * LEFT_OUT]
    middle_at = sum(at for at, _ in points) / len(points)
    middle = sum(size for _, size in points) / len(points)
    below = sum((at - middle_at) ** 2 for at, _ in points)
    return sum((at - middle_at) * (size - middle) for at, size in points) / below if below else 0.0


def _left_open() -> int:
    """Once everything has had time to be settled."""
    until = time.monotonic() + SETTLE_SECONDS
    while (left := seeds.open_holds()) and time.monotonic() < until:
        time.sleep(0.2)
    return left
