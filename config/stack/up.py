"""`./dev up`: the whole system on this machine, under one supervisor, until Ctrl-C."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from config.stack import banner, environment, local_model, once
from config.stack.processes import Service
from config.stack.state import GATEWAY_PORT, ROOT, StackError, State
from config.stack.supervisor import Stopped, Supervisor

DEMO_MODEL = f"local/{local_model.MODEL}"


@dataclass(frozen=True)
class Plan:
    """What this run starts, and where."""

    port: int
    env: dict[str, str]
    model_port: int | None
    public_url: str
    made: dict[str, str] = field(default_factory=dict)


def run(*, once_only: bool, with_model: bool) -> int:
    state = State()
    with state.locked(_purpose(state)), Supervisor() as supervisor:
        try:
            plan = _bring_up(supervisor, state, with_model=with_model)
            if once_only:
                return once.run(plan.port, plan.env, DEMO_MODEL if plan.model_port else "sandbox/echo")
            banner.show(plan.public_url, plan.made, DEMO_MODEL if plan.model_port else "sandbox/echo")
            supervisor.watch()
        except Stopped:
            print("\nStopping ...", flush=True)
        except StackError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    return 0


def _purpose(state: State) -> str:
    """What a second `up` is told."""
    port = state.known_port("gateway") or GATEWAY_PORT
    return f"./dev up serves http://127.0.0.1:{port}/"


def _bring_up(supervisor: Supervisor, state: State, *, with_model: bool) -> Plan:
    given = environment.current()
    where = environment.addresses(state, given)
    for service in where.services:
        with banner.step(service.name):
            supervisor.start(service)
    where.prepare()
    plan = _plan(state, where, given, with_model=with_model)
    if plan.model_port:
        supervisor.start(_model(state, plan.model_port), wait=False)
    with banner.step("Tables and models"):
        plan.made.update(_prepare(plan.env))
    with banner.step("Gateway"):
        supervisor.start(_gateway(state, plan))
    with banner.step("Background workers"):
        for service in _background(state, plan):
            supervisor.start(service)
    if plan.model_port:
        with banner.step("Local model"):
            supervisor.services[len(where.services)].wait_until_ready()
    return plan


def _plan(state: State, where: environment.Addresses, given: dict[str, str], *, with_model: bool) -> Plan:
    port = state.port("gateway", preferred=GATEWAY_PORT)
    if port != GATEWAY_PORT:
        print(f"Port {GATEWAY_PORT} is taken; the gateway listens on {port}.")
    model_port = None
    if with_model:
        if local_model.weights() is None:
            print("The local model is not installed on this machine; going on without it.")
        else:
            model_port = state.port("model")
    env = environment.settings_for(state, where, given)
    env.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")
    if model_port:
        env["LOCAL_MODEL_URL"] = f"http://127.0.0.1:{model_port}/v1"
    return Plan(port, env, model_port, env["PUBLIC_URL"])


def _prepare(env: dict[str, str]) -> dict[str, str]:
    """Tables, models, and on the first start a staff user and a key: what `seed_demo` tells of them."""
    command = [sys.executable, "-m", "config.stack.prepare"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"The database could not be prepared:\n{done.stderr.strip()[-2000:]}")
    made: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return made


def _gateway(state: State, plan: Plan) -> Service:
    workers = plan.env.setdefault("GATEWAY_WORKERS", "1")
    options = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(plan.port), "--workers", workers]
    tuning = ["--no-ws", "--http", "1", "--loop", "uvloop", "--backlog", "2048", "--backpressure", "2048"]
    return Service(
        name="Gateway",
        command=[
            _tool("granian"),
            *options,
            *tuning,
            "--respawn-failed-workers",
            "--workers-kill-timeout",
            "35",
            "config.asgi:application",
        ],
        env=plan.env,
        log=state.logs / "gateway.log",
        ready=lambda: _healthy(f"http://127.0.0.1:{plan.port}/healthz"),
        stop_seconds=40,
    )


def _background(state: State, plan: Plan) -> list[Service]:
    env = {**plan.env, "C_FORCE_ROOT": "1"}  # only here: an image drops its privileges instead
    celery, beat = [_tool("celery"), "-A", "config"], state.folder / "beat-schedule"
    quiet = ["--without-gossip", "--without-mingle", "--loglevel=warning"]
    return [
        Service(
            name="Worker",
            command=[*celery, "worker", "-P", "prefork", "-c", "1", *quiet],
            env=env,
            log=state.logs / "worker.log",
            ready=_after(1.0),
        ),
        Service(
            name="Beat",
            command=[*celery, "beat", "-s", str(beat), "--pidfile=", "--loglevel=warning"],
            env=env,
            log=state.logs / "beat.log",
            ready=_after(0.2),
        ),
    ]


def _model(state: State, port: int) -> Service:
    return Service(
        name="Local model",
        command=[sys.executable, "-m", "config.stack.local_model", str(port)],
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "PYTHONPATH": str(ROOT)},
        log=state.logs / "model.log",
        ready=lambda: _healthy(f"http://127.0.0.1:{port}/health"),
        patience=120,
    )


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _after(seconds: float) -> Callable[[], bool]:
    """Ready when it has lived this long: Celery has no health check that is quicker than its own start."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until
