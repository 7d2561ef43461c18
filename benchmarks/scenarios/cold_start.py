"""The first seconds of a process that remembers nothing: no key, no price, no model."""

from __future__ import annotations

import time

from benchmarks import seeds
from benchmarks.results import Figure, Section
from benchmarks.rig import Rig, Sample, why_not
from benchmarks.shapes import PLAIN
from benchmarks.systems import Gateway, Started

RATE = 200.0
KEYS = 200
COLD_SECONDS = 2.0
STATISTICS_SECONDS = 1.5  # until Postgres tells what its connections did
COLD, WARM = "cold", "warm"


def run(rig: Rig) -> Section:
    keys = seeds.customer("cold-start", KEYS)
    section = Section(
        "cold-start",
        "Cold start",
        f"{RATE:.0f} requests a second with {KEYS} keys, from the moment at which a new process answers; and the same"
        " again when it has seen them all.",
    )
    found: dict[str, list[Sample]] = {COLD: [], WARM: []}
    reads: dict[str, list[float]] = {COLD: [], WARM: []}
    for _ in range(rig.effort.rounds):
        gateway = rig.gateway(keys=keys)
        with Started([gateway]):
            for name in (COLD, WARM):
                sample, count = _load(rig, gateway)
                found[name].append(sample)
                reads[name].append(count)
    for name, samples in found.items():
        refused = next((why for why in (why_not(one, timed=True) for one in samples) if why), "")
        for percent in (50, 99):
            values = tuple(one.outcome.latency.percentile(percent) for one in samples)
            section.figures.append(Figure(f"p{percent}", name, "ms", values, refused))
        section.figures.append(Figure("keys looked up", name, "", tuple(reads[name])))
    section.want("p99 at most 3 times that of a warm one", section.ratio("p99", COLD, WARM), most=3)
    cold = section.figure("keys looked up", COLD)
    section.want(f"no herd: at most twice the {KEYS} keys are read", cold.median if cold else None, most=2 * KEYS)
    return section


def _load(rig: Rig, gateway: Gateway) -> tuple[Sample, float]:
    before = seeds.reads_of_keys()
    sample = rig.measure(gateway, gateway.asks(PLAIN), rate=RATE, connections=200, seconds=COLD_SECONDS, warm_up=0)
    time.sleep(STATISTICS_SECONDS)
    return sample, float(seeds.reads_of_keys() - before)
