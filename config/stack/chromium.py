"""The browser that looks at the pages: in tests and for screenshots. Found on this machine, never brought along."""

from __future__ import annotations

import os
import shutil
import subprocess

from config.stack.environment import Environment
from config.stack.state import StackError

VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_IT = (
    f"Install Chromium (on Debian and Ubuntu: sudo apt-get install -y chromium), or name a program in {VARIABLE}."
)
APT = ["apt-get", "-o", "DPkg::Lock::Timeout=60", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20"]
INSTALL_SECONDS = 600


def find(environment: Environment) -> str | None:
    """The program that CHROMIUM names, else one that is on the PATH."""
    named = environment.get(VARIABLE)
    if not named:
        return next((found for found in map(shutil.which, NAMES) if found), None)
    program = shutil.which(named)
    if program is None:
        raise StackError(f"{VARIABLE} names {named}, which is no program. Correct it, or leave it empty.")
    return program


def find_or_install(environment: Environment) -> str | None:
    """As `find`; where there is none, and we may, the system's package is installed first."""
    found = find(environment)
    if found is None and os.geteuid() == 0 and shutil.which(APT[0]) and _install(environment):
        return find(environment)
    return found


def _install(environment: Environment) -> bool:
    """Lists of packages that are old, or not there at all, are renewed before the second try."""
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    wanted = [*APT, "install", "-y", "--no-install-recommends", "chromium"]
    for command in (wanted, [*APT, "update"], wanted):
        try:
            done = subprocess.run(command, env=quiet, capture_output=True, check=False, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        if command is wanted and done.returncode == 0:
            return True
    return False
