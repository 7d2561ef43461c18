"""`./dev up` in a copy of this checkout, from the outside: it starts, answers, refuses a second, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.stack.state import ROOT

OURS = {"SECRET_KEY", "KEY_PEPPER", "CREDENTIAL_KEYS", "SIGNING_KEYS", "DATABASE_URL", "REDIS_URL", "PUBLIC_URL"}
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whole-stack")]


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
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


def environment(checkout: Path) -> dict[str, str]:
    """As the launcher leaves it when everything is installed."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS and not name.startswith("PYTEST")}
    return {**kept, "PYTHONPATH": str(checkout), "DEV_INSTALLED": str(checkout)}


def command(checkout: Path, *arguments: str) -> list[str]:
    return [str(checkout / ".venv" / "bin" / "python"), str(checkout / "dev"), *arguments]


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(checkout, *arguments),
        cwd="/",
        env=environment(checkout),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def started(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of `up`, which may not be ready yet."""
    process = subprocess.Popen(
        command(checkout, "up", "--no-model"),
        cwd="/",
        env=environment(checkout),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def up(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    with started(checkout) as process:
        yield process


def banner(process: subprocess.Popen[str]) -> str:
    """What it prints until it is ready."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "What is the capital of France?" in line:
            return "".join(lines)
    raise AssertionError("it ended before it was ready:\n" + "".join(lines))


def processes_of(checkout: Path) -> list[str]:
    """Command lines of whatever still runs out of this checkout."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
                if words and str(checkout) in f"{words} {(entry / 'cwd').readlink()}":
                    found.append(words)
            except OSError:
                continue
    return found


def test_one_round_ends_by_itself_with_both_answers(checkout: Path) -> None:
    done = run(checkout, "up", "--once", "--no-model")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"streamed   \S.*\[[1-9]\d* tokens in, [1-9]\d* out\]", done.stdout)
    assert re.search(r"plain      \S.*\[[1-9]\d* tokens in, [1-9]\d* out\]", done.stdout)
    assert processes_of(checkout) == []


def test_it_serves_refuses_a_second_and_stops_when_asked(checkout: Path, up: subprocess.Popen[str]) -> None:
    shown = banner(up)
    url = re.search(r"API +(http://\S+)/v1\n", shown)
    assert url is not None
    with urllib.request.urlopen(f"{url[1]}/readyz", timeout=5) as answer:
        assert json.loads(answer.read()) == {"status": "ok"}

    second = run(checkout, "up", "--no-model")
    assert second.returncode == 1
    assert f"{url[1]} (pid {up.pid})" in second.stderr

    up.terminate()
    up.communicate(timeout=60)
    assert up.returncode == 0
    assert processes_of(checkout) == []


def test_the_password_and_the_key_are_shown_once_and_kept_nowhere(checkout: Path) -> None:
    fresh = checkout / ".dev"
    shutil.rmtree(fresh, ignore_errors=True)
    with started(checkout) as first:
        shown = banner(first)
    password, key = (re.search(pattern, shown) for pattern in (r"password +(\S+)\n", r"Demo key +(sk-2389-\w{46})\n"))
    assert password is not None
    assert key is not None
    assert f'"Authorization: Bearer {key[1]}"' in shown
    for path in fresh.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert password[1].encode() not in content, path
            assert key[1].encode() not in content, path

    with started(checkout) as second:
        shown = banner(second)
    assert "password" not in shown
    assert "Bearer $KEY" in shown


def test_nothing_outlives_a_killed_supervisor_and_the_data_does(checkout: Path, up: subprocess.Popen[str]) -> None:
    banner(up)
    made = run(checkout, "manage", "create_key", "--org", "kept", "--name", "kept", "--create-org")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"sk-2389-\w{46}\n", made.stdout)

    up.send_signal(signal.SIGKILL)
    up.wait()
    deadline = time.monotonic() + 6
    while processes_of(checkout) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(checkout) == []

    again = run(checkout, "manage", "create_key", "--org", "kept", "--name", "after")
    assert again.returncode == 0, again.stderr
