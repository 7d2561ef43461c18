"""The machine that it all runs on: its cores and who gets which, what its processes compute and hold, what it is."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """Which cores are for whom. The gateway shares its core with nobody, where there are two."""

    gateway: frozenset[int]
    load: frozenset[int]
    provider: frozenset[int]
    servers: frozenset[int]  # Postgres and Valkey

    @classmethod
    def share(cls, available: Collection[int]) -> Self:
        """The generator, the provider and the servers get cores of their own in this order, as far as they go."""
        first, *others = sorted(available)
        others = others or [first]
        taken = [frozenset({others[min(place, len(others) - 1)]}) for place in range(3)]
        return cls(frozenset({first}), *taken)

    def for_workers(self, count: int) -> frozenset[int]:
        """As many cores for the gateway: its own, and then those of nobody, before those of others."""
        used = self.gateway | self.load | self.provider | self.servers
        free = sorted(os.sched_getaffinity(0) - used)
        return frozenset([*sorted(self.gateway), *free, *sorted(self.load), *sorted(self.provider)][:count])

    @property
    def beside(self) -> frozenset[int]:
        return self.load | self.provider | self.servers

    def told(self) -> str:
        parts = {"the gateway": self.gateway, "the generator": self.load, "the fake provider": self.provider}
        parts["Postgres and Valkey"] = self.servers
        return "; ".join(f"{who} on core {', '.join(map(str, sorted(cores)))}" for who, cores in parts.items())


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside runs on these cores, and so does all that it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pids: Iterable[int], cores: frozenset[int]) -> None:
    """Move processes that run already, with all their threads."""
    for pid in pids:
        for thread in _names(PROC / str(pid) / "task"):
            try:
                os.sched_setaffinity(int(thread), cores)
            except ProcessLookupError:
                continue


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for name in _names(PROC):
        if name.isdigit() and (stat := _stat(int(name))):
            children.setdefault(int(stat[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


def processor_seconds(pids: Iterable[int]) -> float:
    """What they computed since they were born, with those of their children that have ended."""
    stats = [_stat(pid) for pid in pids]
    return sum(sum(map(int, stat[11:15])) for stat in stats if stat) / TICK


def memory(pids: Iterable[int]) -> int:
    """Bytes of memory of their own: what they allocated and touched, without the files that they share."""
    return sum(_status(pid, "RssAnon") for pid in pids)


def peak_memory(pids: Iterable[int]) -> int:
    """The most that they held at once since `forget_peak`, shared files included."""
    return sum(_status(pid, "VmHWM") for pid in pids)


def resident(pids: Iterable[int]) -> int:
    return sum(_status(pid, "VmRSS") for pid in pids)


def forget_peak(pids: Iterable[int]) -> None:
    for pid in pids:
        (PROC / str(pid) / "clear_refs").write_text("5", encoding="ascii")


def core_seconds(cores: frozenset[int]) -> tuple[float, float]:
    """Seconds in which these cores computed, and seconds that another machine took from them."""
    busy = stolen = 0
    for line in (PROC / "stat").read_text(encoding="ascii").splitlines():
        name, *numbers = line.split()
        if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in cores:
            user, nice, system, _idle, _wait, interrupt, soft, steal = map(int, numbers[:8])
            busy += user + nice + system + interrupt + soft
            stolen += steal
    return busy / TICK, stolen / TICK


@dataclass(frozen=True)
class Machine:
    """What a reader must know to compare the figures with his own."""

    cores: Cores

    @cached_property
    def description(self) -> dict[str, str]:
        return {
            "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores that may be used",
            "memory": f"{_total_memory() / 2**30:.0f} GiB",
            "system": f"{platform.system()} {platform.release()}",
            "Python": platform.python_version(),
            "shares": self.cores.told(),
        }


def _processor() -> str:
    for line in (PROC / "cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _total_memory() -> int:
    lines = (PROC / "meminfo").read_text(encoding="ascii").splitlines()
    return int(lines[0].split()[1]) * 1024


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - read often while something is measured
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything: state, parent, ..."""
    try:
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _status(pid: int, field: str) -> int:
    try:
        status = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    _, found, rest = status.partition(f"{field}:")
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0
