"""Programs for the official Node client, which is installed as its lock file says."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from tests import live

FOLDER = live.ROOT / "tests" / "node"


def find() -> str:
    """The node program, with the client ready. Skips the test where there is no node."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("NOT TESTED: node and npm are not on the PATH, so the official Node client was left out.")
    with (FOLDER / "package-lock.json").open() as lock:  # parallel workers share the folder
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(npm)
    return program


def run(program: str, script: str, *arguments: str, key: str, base_url: str, given: str = "") -> Any:
    """What the script printed, as JSON. `given` is its standard input."""
    done = subprocess.run(
        [program, script, *arguments],
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"], "GATEWAY_URL": base_url, "GATEWAY_KEY": key},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _install(npm: str) -> None:
    wanted, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".installed"
    if installed.exists() and installed.read_bytes() == wanted.read_bytes():
        return
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        pytest.fail(f"npm ci did not install the official Node client:\n{done.stderr[-1000:]}")
    installed.write_bytes(wanted.read_bytes())
