"""A second worker on a second core."""

from __future__ import annotations

from benchmarks import seeds
from benchmarks.results import Figure, Section
from benchmarks.rig import Rig, Sample, why_not
from benchmarks.scenarios.throughput import MANY, rate
from benchmarks.shapes import PLAIN
from benchmarks.systems import Started

CUSTOMERS = 32
FIRST, SECOND, TWO = "one worker", "one worker on the second core", "two workers"
TIME = "processor time a request"
GAIN = "what two workers do of one"


def run(rig: Rig) -> Section:
    keys = [key for number in range(CUSTOMERS) for key in seeds.customer(f"scaling-{number}", 1)]
    section = Section(
        "scaling",
        "A second worker",
        f"Plain calls of {CUSTOMERS} customers, {MANY} connections for each worker. Where the machine has no"
        " core to spare, the second worker shares one with the generator, the provider and the servers: it cannot get"
        " all of it, and computes longer for the same. So one worker is measured on each of the two cores, and what a"
        " request takes of the time of two is compared with what it takes of theirs.",
    )
    gateways = {
        FIRST: rig.gateway(keys=keys),
        SECOND: rig.gateway(keys=keys, second_core=True),
        TWO: rig.gateway(keys=keys, workers=2),
    }
    found: dict[str, list[Sample]] = {name: [] for name in gateways}
    for _ in range(rig.effort.rounds):
        for name, gateway in gateways.items():
            with Started([gateway]):  # never two of them: they would share a core
                connections = MANY * gateway.workers
                found[name].append(rig.measure(gateway, gateway.asks(PLAIN), connections=connections))
    for name, samples in found.items():
        refused = next((why for why in map(why_not, samples) if why), "")
        section.figures.append(Figure("requests a second", name, "", tuple(map(rate, samples)), refused))
        taken = tuple(one.processor_each for one in samples)
        section.figures.append(Figure(TIME, name, "µs", taken, refused if name == FIRST else ""))
    rounds = zip(found[FIRST], found[SECOND], found[TWO], strict=True)
    gains = tuple((one.processor_each + other.processor_each) / two.processor_each for one, other, two in rounds)
    section.figures.append(Figure(GAIN, TWO, "times", gains))
    gain = section.figure(GAIN, TWO)
    section.want("two workers at least 1.7 times one", gain.median if gain else None, least=1.7)
    return section
