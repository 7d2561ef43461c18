"""Years later: the same calls with a million keys and ten million usage events in the database."""

from __future__ import annotations

from benchmarks import seeds
from benchmarks.results import Figure, Section
from benchmarks.rig import Rig, Sample, why_not
from benchmarks.scenarios.throughput import CONNECTIONS, rate
from benchmarks.shapes import PLAIN
from benchmarks.systems import Gateway, Started

EMPTY, FULL = "empty", "full"
STARTS = 3


def run(rig: Rig) -> Section:
    keys, events = (1_000_000, 10_000_000) if rig.effort.full else (100_000, 200_000)
    if rig.effort.seconds < 1:
        keys, events = 1000, 1000
    section = Section(
        "growth",
        "Growth",
        f"Plain calls, {CONNECTIONS} connections, one gateway with a new database and one with {keys:,} keys and"
        f" {events:,} usage events of {seeds.CUSTOMERS:,} organisations, in turn.",
    )
    from tests import live

    with seeds.copied("bench_full") as database:
        with live.connected_to(database):
            seeds.fill(keys, events)
        gateways = {EMPTY: rig.gateway(), FULL: rig.gateway(database=database)}
        starts = _starts(gateways)
        found: dict[str, list[Sample]] = {EMPTY: [], FULL: []}
        with Started(list(gateways.values())):
            for _ in range(rig.effort.rounds):
                for name, gateway in gateways.items():
                    found[name].append(rig.measure(gateway, gateway.asks(PLAIN), connections=CONNECTIONS))
    for name, samples in found.items():
        refused = next((why for why in map(why_not, samples) if why), "")
        section.figures.append(Figure("requests a second", name, "", tuple(map(rate, samples)), refused))
        each = tuple(one.processor_each for one in samples)
        section.figures.append(Figure("processor time a request", name, "µs", each, refused))
        section.figures.append(Figure("start", name, "s", tuple(starts[name])))
    section.want(
        "throughput at least 95 per cent of that of the empty database",
        section.ratio("requests a second", FULL, EMPTY),
        least=0.95,
    )
    slow, quick = section.figure("start", FULL), section.figure("start", EMPTY)
    section.want("start within 1 s of the empty one's", slow.median - quick.median if slow and quick else None, most=1)
    return section


def _starts(gateways: dict[str, Gateway]) -> dict[str, list[float]]:
    """Seconds until it answers, in turn."""
    found: dict[str, list[float]] = {name: [] for name in gateways}
    for _ in range(STARTS):
        for name, gateway in gateways.items():
            with Started([gateway]):
                found[name].append(gateway.started_in)
    return found
