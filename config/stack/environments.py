"""Environments for other people's programs that run beside the gateway, in tests and in measurements: how each is made.

What becomes of a failure is for whoever makes one to say.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from config.stack.state import ROOT


def commands(folder: Path, *, requirements: Path, constraints: Path) -> list[list[str]]:
    """What to run, one after the other, for a Python in `folder` that has what is required, and nothing else."""
    python, asked = (
        str(folder / "bin" / "python"),
        ["--requirement", str(requirements), "--constraint", str(constraints)],
    )
    uv = _uv()
    if uv is None:
        return [[sys.executable, "-m", "venv", str(folder)], [python, "-m", "pip", "install", "--quiet", *asked]]
    return [
        [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *asked],
    ]


def variables() -> dict[str, str]:
    """The environment to run them in: ours, without what leads to our own packages."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return {"UV_SYSTEM_CERTS": "true", **kept}


def stamp(files: Sequence[Path]) -> str:
    """Changes when one of the files does, or Python: then the environment is to be made anew."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _uv() -> str | None:
    """The one that ./dev installs with."""
    private = ROOT / ".dev" / "boot" / "bin" / "uv"
    return shutil.which("uv") or (str(private) if private.exists() else None)
