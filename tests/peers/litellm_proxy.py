"""LiteLLM's proxy as a process of its own, without a database, from an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests import live
from tests.clients import environments

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
MASTER_KEY = "sk-litellm-for-tests"
START_SECONDS = 180  # it takes its time on a busy machine
STOP_SECONDS = 10
QUIET = {  # it is not to call home, nor to fetch a list of models
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "NO_PROXY": "*",
}


class Starting:
    """A proxy on its way up. Call it to wait until it is there."""

    def __init__(self, process: subprocess.Popen[bytes], origin: str, log: Path) -> None:
        self.process, self.origin, self.log = process, origin, log

    def __call__(self) -> str:
        live.wait_for(self._answers, seconds=START_SECONDS, what="the start of LiteLLM's proxy")
        return f"{self.origin}/v1"

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"LiteLLM's proxy did not start:\n{self.log.read_text(encoding='utf-8')[-4000:]}")
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.origin}/health/liveliness", timeout=2).status_code == 200
        return False


@contextmanager
def starting(configuration: Mapping[str, Any], folder: Path) -> Iterator[Starting]:
    """Returns at once, so that other servers can start at the same time. It sees nothing of our environment."""
    program = environments.python_of("litellm-proxy", requirements=REQUIREMENTS).with_name("litellm")
    file, log, port = folder / "litellm.yaml", folder / "litellm.log", live.free_port()
    file.write_text(json.dumps(configuration), encoding="utf-8")  # which is YAML as well
    command = [str(program), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **QUIET}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield Starting(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait(STOP_SECONDS)
