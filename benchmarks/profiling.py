"""Where a worker's time goes: samples of its stack under load, and exact counts of instructions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import environments, machine
from benchmarks.rig import Rig
from benchmarks.scenarios.throughput import CONNECTIONS
from benchmarks.shapes import FAST_STREAM, PLAIN, Shape
from benchmarks.systems import Absent, Gateway, Started
from config.stack.processes import Service
from config.stack.state import StackError

SHOWN = 30
SAMPLES_A_SECOND = 200
STARTS_WITHIN = 600.0  # under callgrind everything takes fifty times as long
COUNTED, WARM = 200, 50
SLOWLY = 5.0  # requests a second that are managed inside callgrind
WARM_SECONDS = 2.0
TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)
AROUND = ("(granian/", "(multiprocessing/", "(click/", "(<frozen runpy>", "(threading.py", "granian/__main__.py")
LOADS = (("plain calls", PLAIN), ("streams", FAST_STREAM))


def run(rig: Rig, *, instructions: bool) -> None:
    """Prints what was found."""
    if instructions:
        _count(rig)
        return
    try:
        sampler = environments.python_of("py-spy").with_name("py-spy")
    except Absent as error:
        raise StackError(f"Samples are taken by py-spy: {error}.") from error
    gateway = rig.gateway()
    with Started([gateway]):
        for label, shape in LOADS:
            stacks = _sampled(rig, gateway, shape, sampler)
            print(f"\n## {label}: {sum(stacks.values()):,} samples\n")
            for title, counts in (("in the function itself", own(stacks)), ("with all it calls", whole(stacks))):
                print(_table(title, counts, sum(stacks.values())), flush=True)


def _sampled(rig: Rig, gateway: Gateway, shape: Shape, sampler: Path) -> Counter[tuple[str, ...]]:
    """The stacks of a worker while it is as busy as it can be, once it has begun to be."""
    load: dict[str, Any] = {"asks": gateway.asks(shape), "connections": CONNECTIONS}
    rig.measure(gateway, **load, seconds=WARM_SECONDS, warm_up=0)
    raw = rig.folder / f"stacks-{shape.name}.txt"
    seconds = max(2, round(rig.effort.seconds * 2))
    worker = busiest(gateway.worker_pids())
    command = [
        str(sampler),
        "record",
        "--pid",
        str(worker),
        "--duration",
        str(seconds),
        "--rate",
        str(SAMPLES_A_SECOND),
    ]
    command += ["--format", "raw", "--output", str(raw), "--gil"]  # only who runs Python, not who waits
    done: list[subprocess.CompletedProcess[str]] = []
    thread = threading.Thread(
        target=lambda: done.append(subprocess.run(command, capture_output=True, text=True, check=False))
    )
    thread.start()
    rig.measure(gateway, **load, seconds=seconds, warm_up=0.5)
    thread.join()
    if not raw.exists():
        raise StackError(f"py-spy took no samples: {done[0].stderr.strip() or done[0].stdout.strip()}")
    return read_stacks(raw.read_text(encoding="utf-8"))


def busiest(pids: list[int]) -> int:
    """The process that computed most: of all that a server starts, the one that runs our code."""
    return max(pids, key=lambda pid: machine.processor_seconds([pid]))


def read_stacks(text: str) -> Counter[tuple[str, ...]]:
    """Lines of `outer;inner count`, lines of the source left out so that a function is one thing."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        found[tuple(re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";"))] += int(count)
    return found


def own(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for stack, count in stacks.items():
        counts[stack[-1]] += count
    return counts


def whole(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    """A function that calls itself counts once. What starts a worker is around everything, and says nothing."""
    counts: Counter[str] = Counter()
    for stack, count in stacks.items():
        for frame in set(stack):
            if not any(place in frame for place in AROUND):
                counts[frame] += count
    return counts


def _table(title: str, counts: Counter[str], total: int) -> str:
    rows = [f"| {count / total:.1%} | {name} |" for name, count in counts.most_common(SHOWN)]
    return "\n".join([f"| {title} | |", "|---|---|", *rows, ""])


# -- instructions -----------------------------------------------------------------------------------


class Counted(Gateway):
    """The gateway inside callgrind, which counts nothing until it is told to."""

    def service(self) -> Service:
        service = super().service()
        out = self.folder / "callgrind.%p"
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes"]
        tool += [f"--callgrind-out-file={out}", "--collect-atstart=yes"]
        return replace(service, command=[*tool, *service.command], patience=STARTS_WITHIN)


def _count(rig: Rig) -> None:
    """Instructions for each plain request: the same from run to run, whatever else the machine does."""
    if not (shutil.which("valgrind") and shutil.which("callgrind_control")):
        raise StackError("Instructions are counted by callgrind: install valgrind.")
    gateway = Counted(rig.folder, rig.cores, rig.provider.port, rig.keys)
    with Started([gateway]):
        load: dict[str, Any] = {"connections": 1, "rate": SLOWLY, "warm_up": 0, "timeout": 300}
        rig.measure(gateway, gateway.asks(PLAIN), seconds=WARM / SLOWLY, **load)
        worker = busiest(gateway.pids())
        _control("--instr=on", worker)
        began = time.monotonic()
        sample = rig.measure(gateway, gateway.asks(PLAIN), seconds=COUNTED / SLOWLY, **load)
        took = time.monotonic() - began
        _control("--dump", worker)
        time.sleep(took)
        _control("--dump", worker)
        busy, idle = (dumped(rig.folder, worker, number) for number in (1, 2))
    answered = sample.outcome.answered
    each = (busy - idle) / max(answered, 1)
    print(f"\n{each:,.0f} instructions for each of {answered} plain requests; {idle / took:,.0f} a second without any.")


def dumped(folder: Path, pid: int, number: int) -> int:
    """The instructions that a dump of callgrind's has counted since the one before."""
    text = (folder / f"callgrind.{pid}.{number}").read_text(encoding="utf-8", errors="replace")
    found = TOTAL.search(text)
    if found is None:
        raise StackError(f"callgrind's dump {number} of process {pid} has no total.")
    return int(found[1])


def _control(order: str, pid: int) -> None:
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    done = subprocess.run(
        ["callgrind_control", order, str(pid)],  # noqa: S607 - where valgrind put it
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"callgrind_control {order} failed: {done.stderr.strip() or done.stdout.strip()}")
