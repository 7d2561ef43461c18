"""Plain calls as fast as they are answered, and how that changes with the number of connections."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Line, Plot, Section
from benchmarks.rig import SATURATED, STORES, Rig, Sample, figures, why_not
from benchmarks.shapes import PLAIN
from benchmarks.systems import Gateway, Reference, Started, System

CONNECTIONS = 32
MANY = 128
SWEEP, FULL_SWEEP = (1, 8, 32, 128), (1, 4, 8, 16, 32, 64, 128, 256, 512)
RATE = "requests a second"


def rate(sample: Sample) -> float:
    return sample.outcome.rate


def run(rig: Rig) -> Section:
    section = Section(
        "throughput",
        "Plain calls",
        f"Each of {CONNECTIONS} connections sends its next request when the last is answered.",
    )
    others = rig.peers()
    section.notes += others.left_out
    with Started([rig.gateway(), rig.reference()]) as started:
        systems = [rig.provider, *started.running, *others.running]
        found = rig.compare(systems, PLAIN, connections=CONNECTIONS)
        section.figures += figures(RATE, "", found, rate, rate=rate)
        section.figures += figures("processor time a request", "µs", found, lambda one: one.processor_each)
        section.figures += figures("median latency", "ms", found, lambda one: one.outcome.latency.percentile(50))
        many = rig.compare(systems, PLAIN, connections=MANY)
        section.figures += figures(f"{RATE}, {MANY} at once", "", many, rate, rate=rate)
        section.notes += _full_stores(found[Gateway.name])
        section.plots.append(_sweep(rig, systems[1:]))
    _want(section)
    return section


def _full_stores(samples: Sequence[Sample]) -> list[str]:
    """What has to be known of a figure for which the stores set the bound, and not the gateway."""
    full = [sample for sample in samples if sample.beside_busy > SATURATED > sample.busy]
    if not full:
        return []
    worst = min(full, key=lambda sample: sample.busy)
    words = (
        f"At {CONNECTIONS} connections {STORES}, which share a core with the load, had nothing left while the gateway"
        f" computed for {worst.busy:.0%} of its time: with more cores it does better."
    )
    return [words]


def _want(section: Section) -> None:
    ours = Gateway.name
    section.want("at least 30 times LiteLLM", section.ratio(RATE, ours, "LiteLLM"), least=30)
    section.want("at least twice Portkey", section.ratio(RATE, ours, "Portkey"), least=2)
    section.want("at least a third of a bare ASGI callable", section.ratio(RATE, ours, Reference.name), least=1 / 3)


def _sweep(rig: Rig, systems: list[System]) -> Plot:
    """One short round for each number; LiteLLM and others that are far below are drawn all the same."""
    lines = []
    for system in systems:
        points = []
        for connections in FULL_SWEEP if rig.effort.full else SWEEP:
            seconds = rig.effort.either(1, 5)
            sample = rig.measure(system, system.asks(PLAIN), connections=connections, seconds=seconds, warm_up=0.5)
            if not why_not(sample):
                points.append((float(connections), sample.outcome.rate))
        lines.append(Line(system.name, tuple(points)))
    return Plot("throughput", "Plain calls", "connections", RATE, tuple(lines), logarithmic=True)
