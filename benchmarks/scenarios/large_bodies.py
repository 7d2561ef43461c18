"""Requests that carry images: how fast, and how much memory for each byte."""

from __future__ import annotations

import time

from benchmarks import machine
from benchmarks.results import Figure, Section
from benchmarks.rig import Rig, figures
from benchmarks.shapes import IMAGE_5, IMAGE_20, MEGABYTE, PLAIN, Shape
from benchmarks.systems import Gateway, Started, System

SETTLE_SECONDS, WARM_SECONDS = 0.3, 1.0


def run(rig: Rig) -> Section:
    section = Section(
        "large-bodies",
        "Large bodies",
        "Requests that are one base64 image nearly to the last byte, one connection. Memory is the most that the"
        " process had at once beyond what it had before the first large one, in bodies: 3 means three copies of one.",
    )
    others = rig.peers()
    section.notes += others.left_out
    with Started([rig.gateway(), rig.reference()]) as started:
        systems = [rig.provider, *started.running, *others.running]
        before = {system.name: _settled(rig, system) for system in systems[1:]}
        for shape in (IMAGE_5, IMAGE_20):
            size = f"{shape.image // MEGABYTE} MB"
            found = rig.compare(systems, shape, connections=1, rounds=rig.effort.rounds if rig.effort.full else 1)
            section.figures += figures(
                f"{size}: throughput",
                "MB/s",
                found,
                lambda one, of=shape: one.outcome.rate * of.image / MEGABYTE,  # type: ignore[misc]
            )
            section.figures += figures(
                f"{size}: processor time a request", "ms", found, lambda one: one.processor_each / 1000
            )
            for system in systems[1:]:
                section.figures.append(_memory(rig, system, shape, f"{size}: memory, in bodies", before[system.name]))
            memory = section.figure(f"{size}: memory, in bodies", Gateway.name)
            section.want(f"{size}: memory at most 3 times the body", memory.median if memory else None, most=3)
    return section


def _settled(rig: Rig, system: System) -> int:
    """What a system holds once it has answered small requests, and before it has seen a large one: what it frees
    later it may keep for the next, so that nothing after that says what a body needs."""
    rig.measure(system, system.asks(PLAIN), connections=4, seconds=WARM_SECONDS, warm_up=0)
    time.sleep(SETTLE_SECONDS)
    return machine.resident(system.pids())


def _memory(rig: Rig, system: System, shape: Shape, what: str, before: int) -> Figure:
    """The peak that the kernel itself keeps, so that nothing falls between two looks."""
    values, refused = [], ""
    for _ in range(rig.effort.rounds):
        pids = system.pids()
        machine.forget_peak(pids)
        sample = rig.measure(system, system.asks(shape), connections=1, seconds=1, warm_up=0.2)
        values.append((machine.peak_memory(pids) - before) / shape.image)
        if not sample.outcome.answered:
            refused = f"nothing was answered: {sample.outcome.failed.most_common(1)}"
    return Figure(what, system.name, "", tuple(values), refused)
