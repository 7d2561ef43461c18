"""A second worker on a second core."""

from __future__ import annotations

from benchmarks.results import Figure, Section
from benchmarks.rig import Rig, Sample, why_not
from benchmarks.scenarios.throughput import CONNECTIONS, rate
from benchmarks.shapes import PLAIN
from benchmarks.systems import Started

ONE, TWO = "one worker", "two workers"
CAPACITY = "requests a second of each core's time, times the cores"


def run(rig: Rig) -> Section:
    section = Section(
        "scaling",
        "A second worker",
        f"Plain calls, {CONNECTIONS} connections. Where the machine has no core to spare, the second worker shares one"
        " with the generator, the provider and the servers, and cannot get all of it. So the rate is also given as what"
        " the workers would do with two whole cores: by the time that they computed for each request.",
    )
    gateways = {ONE: rig.gateway(), TWO: rig.gateway(workers=2)}
    found: dict[str, list[Sample]] = {ONE: [], TWO: []}
    for _ in range(rig.effort.rounds):
        for name, gateway in gateways.items():
            with Started([gateway]):  # never both: they would share a core
                found[name].append(rig.measure(gateway, gateway.asks(PLAIN), connections=CONNECTIONS * 2))
    for name, samples in found.items():
        cores = 2 if name == TWO else 1
        refused = next((why for why in map(why_not, samples) if why), "")
        section.figures.append(Figure("requests a second", name, "", tuple(map(rate, samples)), refused))
        capacity = tuple(cores * 1e6 / one.processor_each for one in samples)
        section.figures.append(Figure(CAPACITY, name, "", capacity, refused if name == ONE else ""))
    section.want("two workers at least 1.7 times one", section.ratio(CAPACITY, TWO, ONE), least=1.7)
    return section
