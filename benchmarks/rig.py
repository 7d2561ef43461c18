"""Measures systems against each other: in turn, on cores of their own, and reports only what means something."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks import machine
from benchmarks.machine import Cores
from benchmarks.peers import PEERS
from benchmarks.plans import Ask, Outcome, Plan
from benchmarks.results import Figure
from benchmarks.shapes import Shape
from benchmarks.systems import Gateway, Provider, Reference, Started, System
from config.stack.state import StackError

HEADROOM = 1.5  # by how much the provider, asked directly, must outdo what is measured
SATURATED = 0.9  # a core that is busier than this has nothing left
LATE_MS = 10.0  # by how much a generator may lag behind its own clock, for all but a hundredth of the time
FAILED_SHARE = 0.001
STORES = "Postgres and Valkey"
FULL_SECONDS = 15.0  # of a round of a full run
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Effort:
    """How long everything takes. `full` is for figures that are published."""

    full: bool = False
    seconds: float = 2.0  # of a round
    rounds: int = 2
    warm_up: float = 0.5
    peers: bool = True

    def either(self, brief: float, full: float) -> float:
        """Seconds of something longer: these of a full run, less when its rounds are shorter than usual, and never more
        than asked for in a short one."""
        return full * self.seconds / FULL_SECONDS if self.full else min(brief, self.seconds * 30)


@dataclass(frozen=True)
class Sample:
    """One system under one load."""

    system: str
    outcome: Outcome
    busy: float  # share of its cores that it computed on
    beside: Mapping[str, float]  # the same of the others, each of its own core
    beside_busy: float  # of the busiest core that the gateway does not have, all together
    foreign: float  # share of the cores that programs took which have nothing to do with this
    processor: float  # seconds that it computed
    memory: tuple[tuple[float, float], ...] = ()  # seconds since the beginning, bytes
    memory_before: int = 0

    @property
    def processor_each(self) -> float:
        """Microseconds of computing for each answer: steadier on a busy machine than any rate."""
        return self.processor / self.outcome.answered * 1e6 if self.outcome.answered else float("nan")

    @property
    def memory_peak(self) -> float:
        return max((size for _, size in self.memory), default=0.0)


Metric = Callable[[Sample], float]


def why_not(sample: Sample, *, measured: float | None = None, ceiling: float | None = None, timed: bool = False) -> str:
    """Why a figure must not be reported: it would tell of the generator or the fake provider. Empty when it may.

    `measured` and `ceiling` are rates, through the system and directly; `timed` is for figures that are durations.
    """
    outcome = sample.outcome
    asked = outcome.answered + outcome.failures
    if not asked and not outcome.events:
        return "nothing was answered"
    if outcome.failures > asked * FAILED_SHARE:
        what, count = outcome.failed.most_common(1)[0]
        return f"{outcome.failures} of {asked} requests failed, {count} of them: {what}"
    if measured is not None and ceiling is not None and ceiling < measured * HEADROOM:
        return f"the generator and the fake provider reach {ceiling:,.0f} by themselves, which is too close"
    through = sample.system != Provider.name  # directly, the provider and the generator are what is measured
    stores = sample.beside.get(STORES, 0.0) > sample.beside_busy / 2  # they are part of what is measured
    if through and sample.beside_busy > SATURATED and sample.busy < SATURATED and not stores:
        busy = ", ".join(f"{name} {share:.0%}" for name, share in sample.beside.items())
        return f"what runs beside it had no processor left ({busy}), while it had"
    if timed and outcome.late.percentile(99) > LATE_MS:
        return f"the generator itself was {outcome.late.percentile(99):.0f} ms late"
    return ""


@dataclass
class Rig:
    """The machine made ready: who runs where, and the provider that answers everybody."""

    folder: Path
    effort: Effort
    keys: Sequence[str]
    servers: Sequence[int] = ()  # the processes of Postgres and Valkey
    cores: Cores = field(default_factory=lambda: Cores.share(os.sched_getaffinity(0)))
    foreign: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.provider = Provider(self.folder, self.cores)
        self._peers: Started | None = None

    def __enter__(self) -> Rig:
        machine.pin(self._server_pids(), self.cores.servers)
        self.provider.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._peers is not None:
            self._peers.__exit__()
        self.provider.stop()

    def gateway(self, **options: Any) -> Gateway:
        keys = options.pop("keys", self.keys)
        return Gateway(self.folder, self.cores, self.provider.port, keys, **options)

    def reference(self) -> Reference:
        return Reference(self.folder, self.cores, self.provider.port)

    def peers(self) -> Started:
        """Other people's gateways. They are started once, because some take long, and are idle between their turns."""
        if self._peers is None:
            wanted = PEERS if self.effort.peers else ()
            self._peers = Started([peer(self.folder, self.cores, self.provider.port) for peer in wanted]).__enter__()
        return self._peers

    def compare(
        self, systems: Sequence[System], shape: Shape, *, rounds: int | None = None, **plan: Any
    ) -> dict[str, list[Sample]]:
        """A turn for each system, as often as there are rounds, so that a slow minute slows them all."""
        found: dict[str, list[Sample]] = {system.name: [] for system in systems}
        for _ in range(rounds or self.effort.rounds):
            for system in systems:
                found[system.name].append(self.measure(system, system.asks(shape), **plan))
        return found

    def measure(self, system: System, asks: Iterable[Ask], *, every: float = SAMPLE_SECONDS, **plan: Any) -> Sample:
        """One load on one system."""
        usual = {"seconds": self.effort.seconds, "warm_up": self.effort.warm_up}
        carried = Plan(port=system.port, asks=tuple(asks), **{**usual, **plan})
        with Generator(carried, self.cores) as generator:
            watched = {
                "the provider": (self.provider.pids(), self.cores.provider),
                system.name: (system.pids(), system.its_cores),
                STORES: (self._server_pids(), self.cores.servers),
                "the generator": ([generator.pid], self.cores.load),
            }
            if system is self.provider:
                del watched["the provider"]
            before = machine.memory(watched[system.name][0])
            generator.wait_for("begin")
            meter = Meter(watched)
            memory = generator.wait_for("end", every, lambda: machine.memory(watched[system.name][0]))
            shares = meter.shares()
            outcome = generator.outcome()
        self.foreign.append(meter.foreign)
        return self._sample(system, outcome, shares, meter, memory, before)

    def _sample(
        self,
        system: System,
        outcome: Outcome,
        shares: dict[str, float],
        meter: Meter,
        memory: list[tuple[float, float]],
        before: int,
    ) -> Sample:
        busy = shares.pop(system.name)
        return Sample(
            system=system.name,
            outcome=outcome,
            busy=busy,
            beside=shares,
            beside_busy=meter.busiest(self.cores, system.name),
            foreign=meter.foreign,
            processor=meter.seconds[system.name],
            memory=tuple(memory),
            memory_before=before,
        )

    def _server_pids(self) -> list[int]:
        return [pid for server in self.servers for pid in machine.tree(server)]


class Meter:
    """What each of some programs computed between two moments, and what all others did meanwhile."""

    def __init__(self, watched: Mapping[str, tuple[list[int], frozenset[int]]]) -> None:
        self._watched = watched
        self._cores = frozenset().union(*(cores for _, cores in watched.values()))
        self._began = time.monotonic()
        self._before = {name: machine.processor_seconds(pids) for name, (pids, _) in watched.items()}
        self._all_before = sum(machine.core_seconds(self._cores))
        self.seconds: dict[str, float] = {}
        self.elapsed = self.foreign = 0.0

    def shares(self) -> dict[str, float]:
        """Ends the measurement. For each program: how much of its cores' time it computed."""
        self.elapsed = time.monotonic() - self._began
        for name, (pids, _) in self._watched.items():
            now = {one for pid in pids for one in machine.tree(pid)}  # Postgres has a new one to clean up now and then
            self.seconds[name] = machine.processor_seconds(now) - self._before[name]
        taken = sum(machine.core_seconds(self._cores)) - self._all_before - sum(self.seconds.values())
        self.foreign = max(0.0, taken / (self.elapsed * len(self._cores)))
        return {name: self.seconds[name] / (self.elapsed * len(cores)) for name, (_, cores) in self._watched.items()}

    def busiest(self, cores: Cores, system: str) -> float:
        """How busy the busiest core is that the measured system does not use."""
        loads: dict[int, float] = {}
        for name, (_, used) in self._watched.items():
            for core in used if name != system else ():
                loads[core] = loads.get(core, 0.0) + self.seconds[name] / self.elapsed / len(used)
        return max((load for core, load in loads.items() if core in cores.beside), default=0.0)


class Generator:
    """The load generator's process, for one plan."""

    def __init__(self, plan: Plan, cores: Cores) -> None:
        self._plan = plan
        with machine.on(cores.load):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        self.pid = self._process.pid

    def __enter__(self) -> Generator:
        content = json.dumps(self._plan.to_json()).encode()
        threading.Thread(target=self._tell, args=(content,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.kill()
        self._process.wait()
        _pipe(self._process.stdout).close()

    def _tell(self, content: bytes) -> None:
        with _pipe(self._process.stdin) as pipe:
            pipe.write(content)

    def wait_for(
        self, word: str, every: float = 60.0, sample: Callable[[], float] | None = None
    ) -> list[tuple[float, float]]:
        """Until the generator says `word`; meanwhile, what `sample` finds from time to time."""
        found, began, pipe = [], time.monotonic(), _pipe(self._process.stdout)
        longest = self._plan.warm_up + self._plan.seconds + self._plan.ramp + self._plan.timeout + 60
        while not select.select([pipe], [], [], every)[0]:
            if sample is not None:
                found.append((time.monotonic() - began, sample()))
            if time.monotonic() - began > longest:
                raise StackError(f"The load generator did not come to its '{word}' within {longest:.0f} s.")
        said = pipe.readline().decode().strip()
        if said != word:
            raise StackError(f"The load generator ended before its '{word}': {said or 'see what it printed above'}")
        return found

    def outcome(self) -> Outcome:
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise StackError("The load generator ended without telling what it found.")
        return Outcome.from_json(json.loads(line))


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise StackError("The load generator has no pipe.")
    return pipe


def figures(
    what: str,
    unit: str,
    found: Mapping[str, Sequence[Sample]],
    metric: Metric,
    *,
    rate: Metric | None = None,
    timed: bool = False,
) -> list[Figure]:
    """A figure for each system. With `rate`, what the provider gives directly bounds what may be believed."""
    direct = found.get(Provider.name)
    ceiling = min(map(rate, direct)) if rate and direct else None
    made = []
    for name, samples in found.items():
        bound = None if name == Provider.name else ceiling
        refusals = [why_not(one, measured=rate and rate(one), ceiling=bound, timed=timed) for one in samples]
        refused = next((why for why in refusals if why), "")
        made.append(Figure(what, name, unit, tuple(metric(one) for one in samples), refused))
    return made
