"""`./dev up` in a copy of this checkout, from the outside: it starts, answers, refuses a second, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = (
    "SECRET_KEY",
    "KEY_PEPPER",
    "CREDENTIAL_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "PUBLIC_URL",
    "DJANGO_SETTINGS_MODULE",
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git would know, with this checkout's packages."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


def run(checkout: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_command(checkout), *arguments],
        cwd=checkout,
        env=_environment(checkout),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _command(checkout: Path) -> list[str]:
    return [str(checkout / ".venv" / "bin" / "python"), "-m", "config.stack"]


def _environment(checkout: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OURS and not name.startswith("PYTEST")}
    return {**kept, "PYTHONPATH": str(checkout)}


@pytest.fixture
def up(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """A running `up`, ready to serve."""
    process = subprocess.Popen(
        [*_command(checkout), "up", "--no-model"],
        cwd=checkout,
        env=_environment(checkout),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def banner(process: subprocess.Popen[str]) -> str:
    """What it printed until it was ready."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "./dev manage create_key" in line or (line.strip().startswith("-d ") and "Demo key" in "".join(lines)):
            return "".join(lines)
    raise AssertionError("it ended before it was ready:\n" + "".join(lines))


def processes_of(checkout: Path) -> list[str]:
    """Command lines of whatever still runs out of this checkout."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if str(checkout) in str((entry / "cwd").readlink()) or str(checkout) in (entry / "cmdline").read_text():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except (OSError, UnicodeDecodeError):
                continue
    return found


def wait_until_gone(checkout: Path, seconds: float) -> list[str]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and processes_of(checkout):
        time.sleep(0.1)
    return processes_of(checkout)


def test_one_round_ends_by_itself_with_both_answers(checkout: Path) -> None:
    done = run(checkout, "up", "--once", "--no-model")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"streamed:  You said: .*\(\d+ tokens in, \d+ out\)", done.stdout)
    assert re.search(r"plain:     You said: .*\(\d+ tokens in, \d+ out\)", done.stdout)
    assert wait_until_gone(checkout, 5) == []


def test_it_serves_refuses_a_second_and_stops_when_asked(checkout: Path, up: subprocess.Popen[str]) -> None:
    shown = banner(up)
    url = re.search(r"API\s+(http://\S+/v1)", shown)
    assert url is not None
    with urllib.request.urlopen(url.group(1).replace("/v1", "/readyz"), timeout=5) as answer:
        assert json.loads(answer.read()) == {"status": "ok"}

    second = run(checkout, "up", "--no-model")
    assert second.returncode == 1
    assert f"pid {up.pid}" in second.stderr
    assert "http://127.0.0.1:" in second.stderr

    up.send_signal(signal.SIGTERM)
    up.communicate(timeout=60)
    assert up.returncode == 0
    assert wait_until_gone(checkout, 5) == []


def test_nothing_outlives_a_killed_supervisor_and_the_data_does(checkout: Path, up: subprocess.Popen[str]) -> None:
    banner(up)
    made = run(checkout, "manage", "create_key", "--org", "kept", "--name", "kept", "--create-org")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"sk-2389-\w{46}", made.stdout.strip())

    os.kill(up.pid, signal.SIGKILL)
    up.wait()
    assert wait_until_gone(checkout, 10) == []

    again = run(checkout, "manage", "create_key", "--org", "kept", "--name", "after")
    assert again.returncode == 0, again.stderr
