"""`./dev bench`: the gateway under load, in the same run as what it is compared with.

./dev bench                     all of it in a few minutes, to see where one stands
./dev bench NAME ...            only these: throughput, latency, streams, ...
./dev bench --full              as long as it takes for figures that can be published
./dev bench --full --write-docs writes them into docs/performance.md and benchmarks/results
./dev bench profile             where a worker's time goes
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import peers, profiling, report, scenarios, seeds
from benchmarks.machine import Machine
from benchmarks.results import Report, number
from benchmarks.rig import FULL_SECONDS, Effort, Rig
from config.stack.state import ROOT, StackError

OURS = ROOT / ".dev" / "bench"
DISTURBED = 0.1  # of the cores, taken by other programs
SERVERS = "BENCH_SERVERS"  # the processes of Postgres and Valkey, as ./dev tells them


def main() -> int:
    options = _options(sys.argv[1:])
    if sys.platform != "linux":
        print("Processes are pinned and watched as only Linux lets one: measure there.", file=sys.stderr)
        return 1
    seeds.ready()
    with tempfile.TemporaryDirectory(prefix="2389-bench-") as folder:
        try:
            return _measure(options, Path(folder))
        except StackError as error:
            print(error, file=sys.stderr)
            return 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure the gateway under load.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(scenarios.NAMES)}, profile")
    parser.add_argument("--full", action="store_true", help="as long as published figures need")
    parser.add_argument("--write-docs", action="store_true", help="put the figures into docs/performance.md")
    parser.add_argument("--seconds", type=float, help="of one round")
    parser.add_argument("--rounds", type=int, help="of each comparison")
    parser.add_argument("--no-peers", action="store_true", help="leave other people's gateways out")
    parser.add_argument("--instructions", action="store_true", help="with profile: count them, which is slow but exact")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {*scenarios.NAMES, "profile"}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(scenarios.NAMES)} and profile")
    return options


def effort(options: argparse.Namespace) -> Effort:
    usual = Effort(full=True, seconds=FULL_SECONDS, rounds=5, warm_up=3) if options.full else Effort()
    seconds = options.seconds or usual.seconds
    return Effort(
        full=options.full,
        seconds=seconds,
        rounds=options.rounds or usual.rounds,
        warm_up=min(usual.warm_up, seconds),
        peers=not options.no_peers,
    )


def _measure(options: argparse.Namespace, folder: Path) -> int:
    began = time.monotonic()
    keys = seeds.customer("bench")
    servers = [int(pid) for pid in os.environ.get(SERVERS, "").split(",") if pid]
    with Rig(folder, effort(options), keys, servers) as rig:
        seeds.models(rig.provider.port)
        if "profile" in options.names:
            profiling.run(rig, instructions=options.instructions)
            return 0
        found, failed = Report(Machine(rig.cores).description, {}), list[str]()
        for name in options.names or scenarios.NAMES:
            print(f"\nMeasuring {name} ...", flush=True)
            try:
                section = scenarios.find(name)(rig)
            except Exception:  # noqa: BLE001 - the others, which take an hour, are worth having without it
                traceback.print_exc()
                failed.append(name)
                continue
            found.sections.append(section)
            print(f"\n{report.table(section)}", flush=True)
        found.settings.update(_settings(rig, options, time.monotonic() - began))
    if failed:
        print(f"Not measured, because something broke: {', '.join(failed)}.", file=sys.stderr)
    return _tell(found, rig, write_docs=options.write_docs) or int(bool(failed))


def _settings(rig: Rig, options: argparse.Namespace, took: float) -> dict[str, str]:
    told = {
        "run": f"{'full' if options.full else 'short'}, {rig.effort.rounds} alternating rounds of"
        f" {number(rig.effort.seconds)} s, median (range); {took / 60:.0f} minutes",
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, at {_commit()}",
        "compared with": ", ".join(f"{name} {version}" for name, version in peers.versions().items()),
    }
    if rig.foreign:
        told["other programs took"] = f"{max(rig.foreign):.0%} of the cores in the worst round"
    return told


def _tell(found: Report, rig: Rig, *, write_docs: bool) -> int:
    print(f"\n{report.write(found, OURS)} has all of it, report.json and the plots are beside it.", flush=True)
    for refusal in found.refusals:
        print(f"Refused: {refusal}", file=sys.stderr)
    disturbed = max(rig.foreign, default=0.0) > DISTURBED
    if disturbed:
        print(
            f"Other programs took up to {max(rig.foreign):.0%} of the cores: these figures say little.", file=sys.stderr
        )
    if write_docs and (disturbed or not rig.effort.full):
        print("docs/performance.md stays as it is: that takes --full, and a machine to itself.", file=sys.stderr)
        return 1
    if write_docs:
        report.write(found, report.KEPT)
        report.write_page(found)
    return 0


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "an unknown version"


if __name__ == "__main__":
    sys.exit(main())
