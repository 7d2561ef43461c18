"""Where other people's programs are installed: each has an environment of its own in `.dev/peers`.

It is built on first use from the files in `requirements/`, and again when one of them changes.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.systems import Absent
from config.stack import environments
from config.stack.state import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements")
KEPT = ROOT / ".dev" / "peers"
INSTALL_SECONDS = 900


def python_of(name: str) -> Path:
    """The Python that has what `requirements/NAME.txt` asks for, and nothing else. Raises `Absent`."""
    folder = KEPT / name
    wanted = [REQUIREMENTS / f"{name}.txt", REQUIREMENTS / f"{name}.constraints.txt"]
    if _is_built(folder, wanted):
        return folder / "bin" / "python"
    shutil.rmtree(folder, ignore_errors=True)
    for command in environments.commands(folder, requirements=wanted[0], constraints=wanted[1]):
        _run(command, name)
    _built(folder, wanted)
    return folder / "bin" / "python"


def node_packages(name: str) -> tuple[str, Path]:
    """The node program, and the folder with the packages of `requirements/NAME/package-lock.json`. Raises `Absent`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Absent("node and npm are not on the PATH")
    folder = KEPT / name
    wanted = [REQUIREMENTS / name / "package.json", REQUIREMENTS / name / "package-lock.json"]
    if not _is_built(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in wanted:
            shutil.copy(file, folder)
        _run([npm, "ci", "--legacy-peer-deps", "--no-audit", "--no-fund", "--ignore-scripts"], name, cwd=folder)
        _built(folder, wanted)
    return node, folder / "node_modules"


def _run(command: Sequence[str], name: str, *, cwd: Path = ROOT) -> None:
    if command[-1] != str(KEPT / name):  # a bare environment is made in no time
        print(f"Installing {name} into .dev/peers ...", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environments.variables(),
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise Absent(f"it could not be installed within {INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Absent(f"it could not be installed: {said[-1] if said else 'no word why'}")


def _is_built(folder: Path, files: Sequence[Path]) -> bool:
    mark = folder / ".installed"
    return mark.exists() and mark.read_text(encoding="utf-8") == environments.stamp(files)


def _built(folder: Path, files: Sequence[Path]) -> None:
    (folder / ".installed").write_text(environments.stamp(files), encoding="utf-8")
