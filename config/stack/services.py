"""Our own processes: the gateway, Celery's worker and beat, and the demonstration model."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from config.serve import GRACE_SECONDS
from config.stack.processes import Service
from config.stack.state import ROOT, State

WRITING_SECONDS = 10  # what the gateway may take, after its open streams, to write down what they came to


def gateway(state: State, env: Mapping[str, str], port: int) -> Service:
    workers = env.get("GATEWAY_WORKERS") or "1"
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", workers]
    return Service(
        name="Gateway",
        command=[sys.executable, "-m", "config.serve", *where],
        env=env,
        log=state.logs / "gateway.log",
        ready=lambda _: answers(f"http://127.0.0.1:{port}/healthz"),
        stop_seconds=GRACE_SECONDS + WRITING_SECONDS,
    )


def worker(state: State, env: Mapping[str, str]) -> Service:
    options = ["-P", "prefork", "-c", "1", "--without-gossip", "--without-mingle", "--loglevel", "info"]
    return Service(
        name="Worker",
        command=[*_celery(), "worker", *options],
        env={**env, "C_FORCE_ROOT": "1"},  # only here: an image drops its privileges instead
        log=state.logs / "worker.log",
        ready=_has_said(" ready."),
    )


def beat(state: State, env: Mapping[str, str]) -> Service:
    schedule = str(state.folder / "beat-schedule")
    return Service(
        name="Beat",
        command=[*_celery(), "beat", "-s", schedule, "--pidfile=", "--loglevel", "info"],
        env={**env, "C_FORCE_ROOT": "1"},
        log=state.logs / "beat.log",
        ready=_has_said("beat: Starting..."),
    )


def model(state: State, port: int) -> Service:
    """It sees no setting and no secret: it is a third party's program that only needs its weights."""
    return Service(
        name="Local model",
        command=[sys.executable, "-m", "config.stack.local_model", str(port)],
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        log=state.logs / "model.log",
        ready=lambda _: answers(f"http://127.0.0.1:{port}/health"),
        stop_seconds=5,
        essential=False,
        foundation=True,
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "config"]


def _has_said(words: str) -> Callable[[Service], bool]:
    """Celery has no health check that is quicker than its own start, but it says when it is there."""
    return lambda service: words in service.output()
