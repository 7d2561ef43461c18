"""Where other people's clients are installed: an environment for each, so that none decides the versions of another's.

An environment is built on first use, from `requirements/NAME.txt` within `requirements/NAME.constraints.txt`, and
kept in `.dev/clients` until one of these files changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

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
        if _stamp(wanted) != _read(folder / ".installed"):
            _build(folder, requirements=wanted[0], constraints=wanted[1])
            (folder / ".installed").write_text(_stamp(wanted), encoding="utf-8")
    return folder / "bin" / "python"


def node_with_packages() -> Path:
    """The node program, with the packages of `node/package-lock.json` beside the suites that need them."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("NOT TESTED: node and npm are not on the PATH, so the Vercel AI SDK was left out.")
    lock, installed = NODE / "package-lock.json", NODE / "node_modules" / ".installed"
    with _locked("node"):
        if _stamp([lock]) != _read(installed):
            _run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], what="the Vercel AI SDK", cwd=NODE)
            installed.write_text(_stamp([lock]), encoding="utf-8")
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
    asked = ["--quiet", "--requirement", str(requirements), "--constraint", str(constraints)]
    what, uv = requirements.stem, _uv()
    if uv:
        _run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)], what=what)
        _run(
            [uv, "pip", "install", "--compile-bytecode", "--python", str(folder / "bin" / "python"), *asked], what=what
        )
    else:
        _run([sys.executable, "-m", "venv", str(folder)], what=what)
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", *asked], what=what)


def _uv() -> str | None:
    """The one that ./dev installs with."""
    private = ROOT / ".dev" / "boot" / "bin" / "uv"
    return shutil.which("uv") or (str(private) if private.exists() else None)


def _run(command: Sequence[str], *, what: str, cwd: Path = HERE) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment.setdefault("UV_SYSTEM_CERTS", "true")
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
    )
    if done.returncode == 0:
        return
    give_up((done.stderr or done.stdout).strip(), what=what)


def give_up(said: str, *, what: str) -> NoReturn:
    """A machine without network leaves the suite out, and says so. Anything else is our own mistake."""
    if UNREACHABLE.search(said):
        pytest.skip(f"NOT TESTED: {what} could not be fetched, so it was left out: {said[-300:]}")
    pytest.fail(f"{what} could not be installed:\n{said[-2000:]}")


def _stamp(files: Sequence[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
