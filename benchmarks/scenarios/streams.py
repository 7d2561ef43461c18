"""Streams relayed as fast as they come: events a second through one core."""

from __future__ import annotations

from benchmarks.results import Section
from benchmarks.rig import Rig, Sample, figures
from benchmarks.shapes import FAST, FAST_STREAM, FAST_TRANSLATED, PACED_BRIEFLY
from benchmarks.systems import Gateway, Started

CONNECTIONS = 16
HELD_CONNECTIONS = 20
HELD = "an event's way, p99.9"


def event_rate(sample: Sample) -> float:
    return sample.outcome.event_rate


def run(rig: Rig) -> Section:
    section = Section(
        "streams",
        "Events of streams",
        f"{CONNECTIONS} connections read streams of {FAST.events} events, which the provider sends as fast as they are"
        f" taken, {FAST.packet} a packet: one by one it could not send as many as are passed on.",
    )
    others = rig.peers()
    section.notes += others.left_out
    with Started([rig.gateway(), rig.reference()]) as started:
        systems = [rig.provider, *started.running, *others.running]
        for shape, label, least in (
            (FAST_STREAM, "events a second, OpenAI", 25_000),
            (FAST_TRANSLATED, "events a second, from Anthropic", 12_000),
        ):
            found = rig.compare(systems, shape, connections=CONNECTIONS)
            section.figures += figures(label, "", found, event_rate, rate=event_rate)
            figure = section.figure(label, Gateway.name)
            section.want(f"{label}: at least {least:,}", figure.median if figure else None, least=least)
        held = rig.compare(systems, PACED_BRIEFLY, connections=HELD_CONNECTIONS, ramp=1.0, once=True, rounds=1)
    section.figures += figures(HELD, "ms", held, lambda one: one.outcome.age.percentile(99.9), timed=True)
    section.figures += figures("an event's way, longest", "ms", held, lambda one: one.outcome.age.highest / 1000)
    section.notes.append(
        f"An event's way is from the provider's clock to the caller's, with {HELD_CONNECTIONS} streams of 10 events a"
        " second: what is held back shows there. Other gateways may lose the mark in the text."
    )
    longest = section.figure("an event's way, longest", Gateway.name)
    section.want("no event held back more than 20 ms", longest.median if longest else None, most=20)
    return section
