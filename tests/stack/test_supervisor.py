"""Processes are started in order, restarted when they die, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config.stack import supervisor as supervision
from config.stack.processes import Service
from config.stack.state import ROOT, StackError, State
from config.stack.supervisor import Stopped, Supervisor

MakeService = Callable[..., Service]
FOREVER = "import time; print('ready', flush=True); time.sleep(60)"
WITH_A_CHILD = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
DEAF_WITH_A_CHILD = "import signal; signal.signal(15, signal.SIG_IGN); " + WITH_A_CHILD
SUPERVISOR = """
import os, pathlib, sys, time
from config.stack.processes import Service
from config.stack.state import State
from config.stack.supervisor import Supervisor

state, command = State(pathlib.Path({state!r})), [sys.executable, "-c", {service!r}]
with state.locked("./dev up") as lock, Supervisor(lock) as supervisor:
    supervisor.remove_when_killed(pathlib.Path({folder!r}))
    service = Service("Deaf", command, os.environ, state.logs / "log", lambda service: chr(10) in service.output())
    supervisor.start(service)
    print(service.process.pid, service.output(), flush=True)
    time.sleep(60)
"""
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def service(tmp_path: Path) -> MakeService:
    """A small Python program as a service."""

    def make(program: str = FOREVER, name: str = "Program", **fields: object) -> Service:
        return Service(
            name=name,
            command=[sys.executable, "-c", program],
            env=dict(os.environ),
            log=tmp_path / f"{name}.log",
            **{"ready": lambda service: "\n" in service.output(), **fields},  # type: ignore[arg-type]
        )

    return make


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """A process that ended but was not collected by its parent yet does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def signal_after(seconds: float, number: signal.Signals) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()


def pid_of(service: Service) -> int:
    assert service.process is not None
    return service.process.pid


def test_a_service_that_dies_at_its_start_is_named_with_the_end_of_its_log(service: MakeService) -> None:
    with Supervisor() as supervisor, pytest.raises(StackError, match=r"Broken did not start(.|\n)*no such luck"):
        supervisor.start(service("raise SystemExit('no such luck')", name="Broken", ready=lambda _: False))


def test_a_service_that_never_answers_is_given_up(service: MakeService) -> None:
    with Supervisor() as supervisor, pytest.raises(StackError, match="was not ready in 0 s"):
        supervisor.start(service(ready=lambda _: False, patience=0.1))


def test_only_what_this_run_wrote_counts_as_its_output(service: MakeService) -> None:
    program = service()
    program.log.write_text("ready\n")
    with Supervisor() as supervisor:
        supervisor.start(program)
        assert program.output() == "ready\n"


def test_the_children_of_a_service_are_stopped_too(service: MakeService) -> None:
    program = service(WITH_A_CHILD)
    with Supervisor() as supervisor:
        supervisor.start(program)
        child = int(program.output())
        assert is_running(child)
    assert not is_running(pid_of(program))
    wait_for(lambda: not is_running(child))


def test_foundations_are_stopped_after_what_stands_on_them(service: MakeService, tmp_path: Path) -> None:
    told = tmp_path / "order"
    program = "import signal, sys, time\ndef end(*_):\n time.sleep({}); open({!r}, 'a').write('{} '); sys.exit()\n"
    program += "signal.signal(15, end); print('ready', flush=True); time.sleep(60)"
    with Supervisor() as supervisor:
        supervisor.start(service(program.format(0, str(told), "foundation"), name="Foundation", foundation=True))
        supervisor.start(service(program.format(0.3, str(told), "house"), name="House"))
    assert told.read_text() == "house foundation "


def test_a_service_that_does_not_listen_is_killed(service: MakeService) -> None:
    program = service(DEAF, stop_seconds=0.2)
    with Supervisor() as supervisor:
        supervisor.start(program)
    assert program.process is not None
    assert program.process.returncode == -signal.SIGKILL


def test_asking_twice_to_stop_does_not_wait_for_open_requests(service: MakeService) -> None:
    program = service(DEAF, stop_seconds=60)
    with pytest.raises(Stopped), Supervisor() as supervisor:  # noqa: PT012 - leaving it is what is tested
        supervisor.start(program)
        signal_after(0.5, signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    assert not program.alive()


def test_a_service_that_stops_by_itself_is_started_again(
    service: MakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    program = service()
    with pytest.raises(Stopped), Supervisor() as supervisor:  # noqa: PT012 - as above
        supervisor.start(program)
        first = pid_of(program)
        os.kill(first, signal.SIGKILL)
        signal_after(1.5, signal.SIGTERM)
        supervisor.watch()
    assert pid_of(program) != first
    assert "Program stopped by itself" in capsys.readouterr().out


@pytest.mark.parametrize("essential", [True, False])
def test_after_five_quick_deaths_it_gives_up(
    service: MakeService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], essential: bool
) -> None:
    monkeypatch.setattr(supervision, "BACK_OFF_SECONDS", 0.001)
    program = service("print('so long')", essential=essential)
    with pytest.raises(StackError if essential else Stopped), Supervisor() as supervisor:  # noqa: PT012 - as above
        supervisor.start(program, wait=False)
        if not essential:
            signal_after(3, signal.SIGTERM)
        supervisor.watch()
    said = capsys.readouterr().out
    assert said.count("Program stopped by itself") == 5
    assert ("going on without it" in said) is not essential


def test_a_program_in_the_foreground_leaves_nothing_behind_and_its_code_is_ours(tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = (
        f"import subprocess; pid = subprocess.Popen(['sleep', '60']).pid; open({str(child)!r}, 'w').write(str(pid))"
    )
    with Supervisor() as supervisor:
        assert supervisor.run_in_foreground([sys.executable, "-c", program + "; raise SystemExit(3)"], os.environ) == 3
    wait_for(lambda: not is_running(int(child.read_text())))


def test_a_request_to_stop_is_passed_on_to_the_program_in_the_foreground() -> None:
    program = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); time.sleep(60)"
    with Supervisor() as supervisor:
        signal_after(1.0, signal.SIGTERM)
        assert supervisor.run_in_foreground([sys.executable, "-c", program], os.environ) == 7


def test_the_handlers_of_signals_are_put_back() -> None:
    before = [signal.getsignal(number) for number in supervision.SIGNALS]
    with Supervisor():
        assert [signal.getsignal(number) for number in supervision.SIGNALS] != before
    assert [signal.getsignal(number) for number in supervision.SIGNALS] == before


def test_a_killed_supervisor_leaves_no_process_no_folder_and_no_lock(tmp_path: Path) -> None:
    """The lock is held until everything is gone, so that the next start cannot meet what is left of this one."""
    folder = tmp_path / "throw-away"
    folder.mkdir()
    program = SUPERVISOR.format(state=str(tmp_path / ".dev"), folder=str(folder), service=DEAF_WITH_A_CHILD)
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        process.kill()
    with State(tmp_path / ".dev").locked("./dev up"):
        assert not any(is_running(pid) for pid in pids)
        assert not folder.exists()
