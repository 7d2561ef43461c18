"""What the gateway adds to a call when it is not busy."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.histogram import Histogram
from benchmarks.results import Figure, Line, Plot, Section
from benchmarks.rig import Rig, Sample, figures
from benchmarks.shapes import SLOW
from benchmarks.systems import Gateway, Provider, Started

RATE = 100.0
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
CURVE = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9)


def run(rig: Rig) -> Section:
    section = Section(
        "latency",
        "Added latency",
        f"{RATE:.0f} requests a second are due at fixed moments, the provider answers after {SLOW.behaviour.delay} ms."
        " Time runs from when a request was due. Shown is what is added to the provider asked directly.",
    )
    others = rig.peers()
    section.notes += others.left_out
    with Started([rig.gateway(), rig.reference()]) as started:
        systems = [rig.provider, *started.running, *others.running]
        seconds = rig.effort.either(3, 60)
        found = rig.compare(systems, SLOW, rate=RATE, connections=400, seconds=seconds, rounds=rig.effort.rounds)
    for percent in PERCENTILES:
        section.figures += _added(found, percent)
    section.want("p50 at most 4 ms over direct", _median(section, 50), most=4)
    section.want("p99 at most 20 ms over direct", _median(section, 99), most=20)
    section.plots.append(_curve(found))
    return section


def _added(found: dict[str, list[Sample]], percent: float) -> list[Figure]:
    """Each round is compared with the direct one of the same round."""
    what = f"p{percent:g}"
    direct = [one.outcome.latency.percentile(percent) for one in found[Provider.name]]
    made = []
    for figure in figures(what, "ms", found, lambda one: one.outcome.latency.percentile(percent), timed=True):
        if figure.system != Provider.name:
            added = tuple(value - base for value, base in zip(figure.values, direct, strict=True))
            figure = Figure(f"{what}, added", figure.system, "ms", added, figure.refused)
        made.append(figure)
    return made


def _median(section: Section, percent: float) -> float | None:
    figure = section.figure(f"p{percent:g}, added", Gateway.name)
    return figure.median if figure else None


def _curve(found: dict[str, list[Sample]]) -> Plot:
    lines = []
    for name, samples in found.items():
        latency = merged([one.outcome.latency for one in samples])
        if latency.count:
            lines.append(Line(name, tuple((percent, latency.percentile(percent)) for percent in CURVE)))
    return Plot("latency", f"Latency at {RATE:.0f} requests a second", "percentile", "ms", tuple(lines))


def merged(all_of: Sequence[Histogram]) -> Histogram:
    made = Histogram()
    for one in all_of:
        made.add(one)
    return made
