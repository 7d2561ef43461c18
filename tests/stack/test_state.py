"""What a checkout keeps between runs, and how it keeps others out."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.stack.state import ROOT, BusyError, StackError, State, free_port, is_free


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / ".dev")
    yield state
    state.release_ports()


@contextmanager
def taken(port: int = 0) -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_is_chosen_once_and_kept(state: State) -> None:
    port = state.port("postgres")
    assert is_free(port)
    state.release_ports()
    again = State(state.folder)
    assert again.port("postgres") == port
    again.release_ports()
    assert state.kept_port("postgres") == port


def test_each_server_has_a_port_of_its_own(state: State) -> None:
    with taken(state.port("postgres")):
        assert state.port("valkey") != state.kept_port("postgres")


def test_a_kept_port_that_somebody_took_is_chosen_anew_and_said(
    state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = state.port("valkey")
    assert capsys.readouterr().out == ""
    with taken(kept):
        moved = state.port("valkey")
    assert moved != kept
    assert state.kept_port("valkey") == moved
    assert f"Port {kept} is taken" in capsys.readouterr().out


def test_the_first_free_port_from_the_wanted_one_on_is_taken(state: State) -> None:
    with taken() as port:
        assert port < state.first_port(port) < port + 100


def test_two_stacks_that_start_together_never_choose_the_same_port(state: State, tmp_path: Path) -> None:
    wanted = free_port()
    assert state.first_port(wanted) == wanted
    assert is_free(wanted), "nobody listens on it yet"
    other = State(tmp_path / "other")
    assert other.first_port(wanted) > wanted
    other.release_ports()


def test_secrets_are_made_once_and_only_the_owner_reads_them(state: State) -> None:
    made = state.secrets()
    assert State(state.folder).secrets() == made
    assert made["KEY_PEPPER"].startswith("1:")
    assert len(made["SECRET_KEY"]) >= 50
    assert stat.S_IMODE((state.folder / "secrets.json").stat().st_mode) == 0o600


def test_a_checkout_without_a_signing_key_gets_one_and_keeps_the_rest(state: State) -> None:
    made = state.secrets()
    before = {name: text for name, text in made.items() if name != "SIGNING_KEYS"}
    (state.folder / "secrets.json").write_text(json.dumps(before))
    again = state.secrets()
    assert len(base64.b64decode(again["SIGNING_KEYS"].removeprefix("1:"))) == 32
    assert {**again, "SIGNING_KEYS": made["SIGNING_KEYS"]} == made
    assert state.secrets() == again


def test_a_damaged_file_is_named_and_not_overwritten(state: State) -> None:
    path = state.folder / "secrets.json"
    path.write_text('{"SECRET_KEY": "half of')
    with pytest.raises(StackError, match=re.escape(str(path))):
        state.secrets()
    assert path.read_text() == '{"SECRET_KEY": "half of'


def test_a_checkout_is_held_by_one_at_a_time_and_says_by_whom(state: State) -> None:
    with state.locked("./dev up") as lock:
        lock.describe(url="http://127.0.0.1:8000")
        with pytest.raises(BusyError) as refused, state.locked("./dev up"):
            pass
    assert f"./dev up is running already at http://127.0.0.1:8000 (pid {os.getpid()})" in str(refused.value)
    with state.locked("./dev manage"):
        pass


def test_a_lock_whose_holder_was_killed_is_no_obstacle(state: State) -> None:
    program = (
        "import os, pathlib, signal\n"
        "from config.stack.state import State\n"
        f"with State(pathlib.Path({str(state.folder)!r})).locked('./dev up'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert json.loads((state.folder / "lock").read_text())["command"] == "./dev up"
    with state.locked("./dev up"):
        pass


def test_what_a_killed_holder_left_running_is_waited_for(state: State) -> None:
    program = "import fcntl, json, pathlib, subprocess, sys, time\n"
    program += f"lock = open({str(state.folder / 'lock')!r}, 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
    program += "gone = subprocess.Popen(['true']); gone.wait()\n"
    program += "print(json.dumps({'pid': gone.pid}), file=lock, flush=True); print('held', flush=True); time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as leftover:
        assert leftover.stdout is not None
        assert leftover.stdout.readline() == "held\n"
        with state.locked("./dev up"):
            assert leftover.wait(5) == 0
