"""A thousand people who read at once: slow streams, the time to the first event, memory for each."""

from __future__ import annotations

from benchmarks.results import Line, Plot, Section
from benchmarks.rig import Rig, Sample, figures
from benchmarks.shapes import PACED, PACED_BRIEFLY
from benchmarks.systems import Gateway, Provider, Started, System

STREAMS = 1000
SWEEP, FULL_SWEEP = (100, 300), (50, 100, 200, 400, 700)
RAMP_SECONDS = 2.0
FIRST = "first event, p99"
PEERS_AT_MOST = 100  # LiteLLM needs minutes for more


def first(sample: Sample) -> float:
    return sample.outcome.first_event.percentile(99)


def run(rig: Rig) -> Section:
    shape = PACED if rig.effort.full else PACED_BRIEFLY
    section = Section(
        "many-streams",
        f"{STREAMS:,} streams at once",
        f"Streams of {shape.behaviour.events} events, {shape.behaviour.rate} a second, all begun within"
        f" {RAMP_SECONDS:.0f} s and read to their end.",
    )
    with Started([rig.gateway(), rig.reference()]) as started:
        systems = [rig.provider, *started.running]
        rounds = rig.effort.rounds if rig.effort.full else 1
        found = rig.compare(systems, shape, connections=STREAMS, once=True, ramp=RAMP_SECONDS, rounds=rounds)
        section.figures += figures("streams that completed", "", found, lambda one: float(one.outcome.answered))
        section.figures += figures(FIRST, "ms", found, first, timed=True)
        section.figures += figures("an event's way, p99", "ms", found, lambda one: one.outcome.age.percentile(99))
        section.figures += figures("memory a stream", "KB", found, _memory_each)
        _want(section)
        lines = [_line(rig, system, (*(FULL_SWEEP if rig.effort.full else SWEEP),)) for system in systems]
    lines = [Line(line.label, (*line.points, (float(STREAMS), first(found[line.label][0])))) for line in lines]
    lines += _peers(rig, section)
    section.plots.append(Plot("first-event", "Time to the first event, p99", "streams at once", "ms", tuple(lines)))
    return section


def _want(section: Section) -> None:
    completed = section.figure("streams that completed", Gateway.name)
    section.want(f"all {STREAMS:,} complete", min(completed.values) if completed else None, least=STREAMS)
    ours, direct = section.figure(FIRST, Gateway.name), section.figure(FIRST, Provider.name)
    added = ours.median - direct.median if ours and direct else None
    section.want("added time to the first event, p99, at most 400 ms", added, most=400)
    memory = section.figure("memory a stream", Gateway.name)
    section.want("at most 80 KB of memory a stream", memory.median if memory else None, most=80)


def _memory_each(sample: Sample) -> float:
    return max(0.0, sample.memory_peak - sample.memory_before) / STREAMS / 1000


def _line(rig: Rig, system: System, sizes: tuple[int, ...]) -> Line:
    points = []
    for streams in sizes:
        sample = rig.measure(
            system, system.asks(PACED_BRIEFLY), connections=streams, once=True, ramp=RAMP_SECONDS * streams / STREAMS
        )
        points.append((float(streams), first(sample)))
    return Line(system.name, tuple(points))


def _peers(rig: Rig, section: Section) -> list[Line]:
    """The others only as far as they get."""
    others = rig.peers()
    sizes = (25, 50, PEERS_AT_MOST) if rig.effort.full else (PEERS_AT_MOST,)
    lines = [_line(rig, system, sizes) for system in others.running]
    section.notes += others.left_out
    section.notes += [
        f"{line.label} with {points[0]:.0f} streams: first event, p99, after {points[1]:,.0f} ms."
        for line in lines
        for points in line.points[-1:]
    ]
    return lines
