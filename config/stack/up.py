"""`./dev up`: the whole system on this machine, under one supervisor, until Ctrl-C."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from config.stack import banner, environment, local_model, once, prepare, services
from config.stack.processes import Service
from config.stack.state import ROOT, StackError, State
from config.stack.supervisor import Stopped, Supervisor

GATEWAY_PORT = 8000
FALLBACK_MODEL = "sandbox/echo"


@dataclass
class Running:
    """What a run has come to: where it answers, what it made, which model to ask."""

    url: str
    port: int
    env: dict[str, str]
    made: dict[str, str]
    model: str = FALLBACK_MODEL


def run(*, once_only: bool, with_model: bool) -> int:
    state = State()
    with state.locked("./dev up") as lock, Supervisor(lock) as supervisor:
        try:
            running = _bring_up(supervisor, state, with_model=with_model, self_check=once_only)
            if once_only:
                once.ask(f"http://127.0.0.1:{running.port}/v1", running.made["key"], running.model)
                return 0
            lock.describe(url=running.url, settings=_chosen(running.env))
            banner.show(running.url, running.made, running.model)
            supervisor.watch()
        except Stopped:
            print("\nStopping. Ctrl-C again does not wait for open requests.", flush=True)
    return 1 if once_only else 0


def _bring_up(supervisor: Supervisor, state: State, *, with_model: bool, self_check: bool) -> Running:
    begun, given = time.monotonic(), environment.given()
    print("Starting 2389", flush=True)
    servers = environment.kept(state, given)
    for service in servers.services:
        with banner.step(service.name):
            supervisor.start(service)
    running = _plan(state, servers, given)
    model = None
    if with_model:
        model = _load_model(supervisor, state, running)
    with banner.step("Tables and registry"):
        running.made = _prepare(running.env, self_check=self_check)
    try:
        _serve(supervisor, state, running, model)
    except (StackError, Stopped):
        if "password" in running.made:  # nobody could read it in the database
            print("\n" + "\n".join(banner.secrets(running.made)), flush=True)
        raise
    print(f"  {'All of it':22}{time.monotonic() - begun:5.1f} s", flush=True)
    return running


def _plan(state: State, servers: environment.Servers, given: Mapping[str, str]) -> Running:
    port = state.first_port(GATEWAY_PORT)
    if port != GATEWAY_PORT:
        print(f"  Port {GATEWAY_PORT} is taken by another program; the gateway listens on {port}.")
    env = environment.settings_of_stack(state, servers, given)
    env.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")
    return Running(url=env["PUBLIC_URL"].rstrip("/"), port=port, env=env, made={})


def _load_model(supervisor: Supervisor, state: State, running: Running) -> Service | None:
    """Begin to load it; the rest starts meanwhile. The registry learns its address from LOCAL_MODEL_URL."""
    if local_model.weights() is None:
        print("  The local model is not installed; going on without it.")
        return None
    port = state.port("model")
    running.env["LOCAL_MODEL_URL"] = f"http://127.0.0.1:{port}/v1"
    model = services.model(state, port)
    supervisor.start(model, wait=False)
    return model


def _serve(supervisor: Supervisor, state: State, running: Running, model: Service | None) -> None:
    with banner.step("Gateway"):
        supervisor.start(services.gateway(state, running.env, running.port))
    with banner.step("Background worker"):
        supervisor.start(services.worker(state, running.env))
    with banner.step("Scheduler"):
        supervisor.start(services.beat(state, running.env))
    if model is None:
        return
    try:
        with banner.step("Local model"):
            model.wait_until_ready()
        running.model = f"local/{local_model.MODEL}"
    except StackError as error:
        print(f"{error}\nGoing on without the local model.", flush=True)
        supervisor.give_up(model)


def _prepare(env: Mapping[str, str], *, self_check: bool) -> dict[str, str]:
    command = [sys.executable, "-m", "config.stack.prepare", *([prepare.SELF_CHECK] if self_check else [])]
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"The database could not be prepared:\n{done.stderr.strip()[-2000:]}")
    made: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return made


def _chosen(env: Mapping[str, str]) -> dict[str, str]:
    """What this run decided, and `./dev manage` must know beside it."""
    return {name: env[name] for name in ("PUBLIC_URL", "LOCAL_MODEL_URL") if name in env}
