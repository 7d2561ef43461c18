"""Where other people's clients are installed: an environment for each, so that none decides the versions of another's.

An environment is built on first use, from `requirements/NAME.txt` within `requirements/NAME.constraints.txt`, and
kept in `.dev/clients` until one of these files changes.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from config.stack import environments
from tests.live import ROOT

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements"
NODE = HERE / "node"
KEPT = ROOT / ".dev" / "clients"
INSTALL_SECONDS = 1200
UNREACHABLE = re.compile(
    r"dns error|error sending request|connection (?:refused|reset|error)|newconnectionerror|network is unreachable"
    r"|timed out|temporary failure in name resolution|network (?:connectivity is|was) disabled"
    r"|\b(?:enotfound|eai_again|econnrefused|econnreset|etimedout|enetunreach)\b",
    re.IGNORECASE,
)


def python_of(name: str, *, requirements: Path = REQUIREMENTS) -> Path:
    """The Python that has what NAME.txt in the folder `requirements` asks for. Skips the test, loudly, when no index
    is there."""
    folder = KEPT / name
    wanted = [requirements / f"{name}.txt", requirements / f"{name}.constraints.txt"]
    with _locked(name):
        if environments.stamp(wanted) != _read(folder / ".installed"):
            _build(folder, requirements=wanted[0], constraints=wanted[1])
            (folder / ".installed").write_text(environments.stamp(wanted), encoding="utf-8")
    return folder / "bin" / "python"


def node_with_packages() -> Path:
    """The node program, with the packages of `node/package-lock.json` beside the suites that need them."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("NOT TESTED: node and npm are not on the PATH, so the Vercel AI SDK was left out.")
    lock, installed = NODE / "package-lock.json", NODE / "node_modules" / ".installed"
    with _locked("node"):
        if environments.stamp([lock]) != _read(installed):
            _run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], what="the Vercel AI SDK", cwd=NODE)
            installed.write_text(environments.stamp([lock]), encoding="utf-8")
    return Path(program)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One worker installs, the others wait for it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(folder: Path, *, requirements: Path, constraints: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for command in environments.commands(folder, requirements=requirements, constraints=constraints):
        _run(command, what=requirements.stem)


def _run(command: Sequence[str], *, what: str, cwd: Path = HERE) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environments.variables(),
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    if done.returncode == 0:
        return
    give_up((done.stderr or done.stdout).strip(), what=what)


def give_up(said: str, *, what: str) -> NoReturn:
    """A machine without network leaves the suite out, and says so. Anything else is our own mistake."""
    if UNREACHABLE.search(said):
        pytest.skip(f"NOT TESTED: {what} could not be fetched, so it was left out: {said[-300:]}")
    pytest.fail(f"{what} could not be installed:\n{said[-2000:]}")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
